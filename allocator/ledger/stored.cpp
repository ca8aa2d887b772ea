// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/stored.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <span>
#include <utility>

#include "allocator/ledger/seen.hpp"
#include "base/check.hpp"
#include "base/diagnostics.hpp"
#include "base/hash.hpp"
#include "base/rng.hpp"
#include "events/codec.hpp"
#include "events/wire.hpp"

namespace berth::allocator {

namespace {

constexpr int format_version = 1;
constexpr std::uint32_t rows_at_once = 256;
constexpr std::size_t fact_bytes = 512;          // of most
constexpr std::uint32_t chain_size = SHA256_DIGEST_LENGTH;

std::string next_chain(const std::string& before, const std::string& records) {
    const auto whole = before + records;
    std::string digest(chain_size, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(whole.data()), whole.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

/// The facts of one row, or of several where a row may not be so long.
Result<void> add_rows(std::span<const FactRecord> facts, std::size_t bytes_max, const std::string& writer, std::string& chain, std::vector<Row>& to) {
    Bytes records;
    records.reserve(facts.size() * fact_bytes);
    wire::Packer packer(records);
    packer.array(static_cast<std::uint32_t>(facts.size()));
    for (const auto& fact : facts) wire::put_fact_record(packer, fact);
    if (records.size() > bytes_max) {
        if (facts.size() == 1) {
            return fail(ErrorKind::limit, "the fact at position {} has {} bytes; this store takes {} at most", facts.front().position.value,
                        records.size(), bytes_max);
        }
        TRY(add_rows(facts.first(facts.size() / 2), bytes_max, writer, chain, to));
        return add_rows(facts.subspan(facts.size() / 2), bytes_max, writer, chain, to);
    }
    chain = next_chain(chain, records);
    const auto crc = crc32c(records);
    to.push_back({facts.front().position, facts.back().position, std::move(records), crc, chain, writer});
    return {};
}

}  // namespace

StoredLedger::StoredLedger(std::unique_ptr<Store> store, Plan plan)
    : store_(std::move(store)), plan_(std::move(plan)), loop_(store_->kind() == StoreKind::shared ? plan_.loop : nullptr) {
    if (store_->kind() == StoreKind::shared) writer_ = random_hex(8);
}

StoredLedger::~StoredLedger() {
    *alive_ = false;
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Result<std::unique_ptr<StoredLedger>> StoredLedger::open(std::unique_ptr<Store> store, Plan plan) {
    std::unique_ptr<StoredLedger> ledger{new StoredLedger(std::move(store), std::move(plan))};
    TRY(ledger->prepare());
    if (ledger->loop_ != nullptr) ledger->thread_ = std::thread([self = ledger.get()] { self->run(); });
    return ledger;
}

Result<void> StoredLedger::prepare() {
    const auto ours = std::to_string(format_version);
    const auto format = TRY(store_->first_value("format", ours));
    if (format != ours) {
        return fail(ErrorKind::invalid, "{} has format {}; this berth reads format {}. Use the version that wrote it to "
                    "export, and this one to import", store_->name(), format, format_version);
    }
    if (const auto& cluster = plan_.cluster; !cluster.empty() && store_->kind() == StoreKind::shared) {
        const auto owner = TRY(store_->first_value("cluster", cluster));
        if (owner != cluster) {
            return fail(ErrorKind::conflict, "{} holds the ledger of cluster {}, and this is cluster {}: name another place in [ledger] store, "
                        "or, when that cluster is no more, take it over with `berth-allocator adopt`", store_->name(), owner, cluster);
        }
    }
    const auto indexed = TRY(store_->value("indexed"));
    indexed_.value = indexed.empty() ? 0 : std::strtoull(indexed.c_str(), nullptr, 10);
    chain_.assign(chain_size, '\0');
    if (auto tail = TRY(store_->tail())) {
        head_ = tail->last;
        chain_ = std::move(tail->chain);
    }
    id_ = TRY(store_->first_value("id", "l-" + random_hex(8)));   // after the tail, which may bring a new one
    if (plan_.serves) {
        TRY(refuse_what_was_moved());
        TRY(refuse_what_is_less());
    }
    return remember(head_);
}

Result<void> StoredLedger::refuse_what_was_moved() {
    const auto place = TRY(store_->value("moved_to"));
    if (place.empty()) return {};
    return fail(ErrorKind::conflict, "the ledger of {} was moved to {}: name that in [ledger] store, or move it back with `berth-allocator move`",
                store_->name(), place);
}

Result<void> StoredLedger::set_moved_to(const std::string& place) {
    const std::lock_guard lock(turn_);
    return store_->set_value("moved_to", place);
}

Result<void> StoredLedger::set_cluster(const std::string& cluster) {
    const std::lock_guard lock(turn_);
    return store_->set_value("cluster", cluster);
}

Result<void> StoredLedger::refuse_what_is_less() {
    if (exclusive() || plan_.seen_file.empty()) return {};
    const auto before = read_seen(plan_.seen_file);
    return before ? check_seen(*before, {store_->name(), id_, head_}, plan_.seen_file) : Result<void>{};
}

Result<void> StoredLedger::remember(Position position) {
    if (exclusive() || plan_.seen_file.empty() || !plan_.serves || position == remembered_) return {};
    TRY(write_seen(plan_.seen_file, {store_->name(), id_, position}));
    remembered_ = position;
    return {};
}

// ---- append

void StoredLedger::append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) {
    if (expected != head_) {
        return done(fail(ErrorKind::fenced, "append to {} at {}, but its head is {}: another allocator wrote it", id_, expected.value, head_.value));
    }
    for (std::size_t i = 0; i < facts.size(); ++i) {
        check(facts[i].position.value == expected.value + 1 + i, "facts are appended without gaps");
    }
    if (facts.empty() && exclusive()) return done({});
    auto rows = rows_of(facts);
    if (!rows) return done(fail(rows.error()));
    const auto write = [this, expected](const std::vector<Row>& these) -> Result<void> {
        const std::lock_guard lock(turn_);
        return these.empty() ? store_->confirm(expected) : put(these, expected);
    };
    const auto note = [this](const std::vector<Row>& these) {
        if (these.empty()) return;
        head_ = these.back().last;
        chain_ = these.back().chain;
    };
    if (loop_ == nullptr) {
        auto outcome = write(*rows);
        if (outcome) note(*rows);
        return done(std::move(outcome));
    }
    const std::lock_guard lock(mutex_);
    jobs_.push_back([this, alive = alive_, write, note, rows = std::move(*rows), done = std::move(done)]() mutable {
        auto outcome = write(rows);
        loop_->post([alive, note, rows = std::move(rows), done = std::move(done), outcome = std::move(outcome)] {
            if (!*alive) return;
            if (outcome) note(rows);
            done(outcome);
        });
    });
    changed_.notify_all();
}

Result<std::vector<Row>> StoredLedger::rows_of(const std::vector<FactRecord>& facts) const {
    std::vector<Row> rows;
    if (facts.empty()) return rows;
    auto chain = chain_;
    TRY(add_rows(facts, store_->row_bytes_max(), writer_, chain, rows));
    return rows;
}

// A part may be written when one fails; nothing of the whole was let out then, and the next life goes on after it.
Result<void> StoredLedger::put(const std::vector<Row>& rows, Position expected, const std::string& new_id) {
    for (const auto& row : rows) {
        TRY(store_->put(row, expected, new_id));
        expected = row.last;
    }
    return {};
}

Result<void> StoredLedger::go_on_as(const FactRecord& fact) {
    const auto& recovered = std::get<LedgerRecovered>(fact.fact);
    check(fact.position > head_, "a recovered ledger goes on at a later position");
    const auto rows = TRY(rows_of({fact}));
    const std::lock_guard lock(turn_);
    TRY(put(rows, head_, recovered.ledger));
    id_ = recovered.ledger;
    head_ = fact.position;
    chain_ = rows.back().chain;
    return {};
}

Result<void> StoredLedger::adopt_id(const std::string& id) {
    if (head_.value != 0) return fail(ErrorKind::conflict, "{} holds {} facts already", store_->name(), head_.value);
    const std::lock_guard lock(turn_);
    TRY(store_->set_value("id", id));
    id_ = id;
    return {};
}

// ---- read

Result<std::vector<FactRecord>> StoredLedger::facts_of(const Row& row) const {
    if (crc32c(row.records) != row.crc) {
        return fail(ErrorKind::corrupt, "{} is damaged at position {}: the checksum of its row is wrong. Restore a copy (docs/restore.md)",
                    store_->name(), row.first.value);
    }
    auto facts = decode<std::vector<FactRecord>>(row.records, trusted_limits);
    if (!facts || facts->empty()) {
        return fail(ErrorKind::corrupt, "{} can not be read at position {}: {}", store_->name(), row.first.value,
                    facts ? std::string{"its row holds no facts"} : facts.error().text);
    }
    return std::move(*facts);
}

Result<std::vector<FactRecord>> StoredLedger::read(Position from, std::uint32_t limit) {
    const std::lock_guard lock(turn_);
    return read_stored(from, limit, head_);
}

// What is durable but not acknowledged yet, of an append that is under way, is not read.
Result<std::vector<FactRecord>> StoredLedger::read_stored(Position from, std::uint32_t limit, Position last) {
    std::vector<FactRecord> facts;
    for (auto next = from; next <= last && facts.size() < limit;) {
        const auto rows = TRY(store_->rows(next, std::min<std::uint32_t>(rows_at_once, limit - static_cast<std::uint32_t>(facts.size()))));
        if (rows.empty()) break;
        for (const auto& row : rows) {
            if (facts.size() >= limit) break;
            for (auto& fact : TRY(facts_of(row))) {
                if (fact.position >= from && fact.position <= last && facts.size() < limit) facts.push_back(std::move(fact));
            }
        }
        next = Position{rows.back().last.value + 1};
    }
    return facts;
}

Result<std::vector<FactRecord>> StoredLedger::read_about(const std::string& subject, Position from, std::uint32_t limit) {
    const std::lock_guard lock(turn_);
    while (TRY(index_some(head_))) {
    }
    std::vector<FactRecord> facts;
    for (const auto position : TRY(store_->about(subject, from, limit))) {
        auto one = TRY(read_stored(position, 1, head_));
        if (!one.empty()) facts.push_back(std::move(one.front()));
    }
    return facts;
}

Result<bool> StoredLedger::index_some(Position upto) {
    if (indexed_ >= upto) return false;
    const auto facts = TRY(read_stored(Position{indexed_.value + 1}, store_->facts_indexed_at_once(), upto));
    if (facts.empty()) return false;
    std::vector<Subject> subjects;
    for (const auto& fact : facts) {
        for (auto& subject : subjects_of(fact.fact)) subjects.push_back({std::move(subject), fact.position});
    }
    TRY(store_->index(subjects, facts.back().position));
    indexed_ = facts.back().position;
    return indexed_ < upto;
}

Result<Position> StoredLedger::verify() {
    const std::lock_guard lock(turn_);
    std::string chain(chain_size, '\0');
    Position at;
    for (;;) {
        const auto rows = TRY(store_->rows(Position{at.value + 1}, rows_at_once));
        if (rows.empty()) break;
        for (const auto& row : rows) {
            const auto facts = TRY(facts_of(row));
            chain = next_chain(chain, row.records);
            const bool jumps = std::holds_alternative<LedgerRecovered>(facts.front().fact) && row.first > at;
            const bool follows = (jumps || row.first.value == at.value + 1) && facts.back().position == row.last;
            if (!follows || chain != row.chain) {
                return fail(ErrorKind::corrupt, "{} was changed after position {}: {}", store_->name(), at.value,
                            follows ? "the chain of hashes breaks there" : "facts are missing");
            }
            at = row.last;
        }
    }
    if (at != head_) {
        return fail(ErrorKind::corrupt, "{} was changed after position {}: its head is {}, and those facts are missing", store_->name(), at.value,
                    head_.value);
    }
    return at;
}

// ---- snapshots

Result<void> StoredLedger::save_snapshot(const View& view) {
    check(view.position == head_, "a snapshot is of what is durable");
    StoredSnapshot snapshot{view.position, encode(view), 0};
    const auto save = [this](StoredSnapshot& one) -> Result<void> {
        one.crc = crc32c(one.view);
        const std::lock_guard lock(turn_);
        return store_->put_snapshot(one);
    };
    if (loop_ == nullptr) return save(snapshot);
    const std::lock_guard lock(mutex_);
    if (saving_) return fail(ErrorKind::limit, "the snapshot before this one is still being saved");
    saving_ = true;
    jobs_.push_back([this, save, snapshot = std::move(snapshot)]() mutable {
        const auto saved = save(snapshot);
        const std::lock_guard again(mutex_);
        saving_ = false;
        if (!saved) snapshot_failed_ = saved.error();
    });
    changed_.notify_all();
    if (const auto failed = std::exchange(snapshot_failed_, std::nullopt)) return fail(*failed);   // of the one before
    return {};
}

Result<std::optional<View>> StoredLedger::load_snapshot() {
    const std::lock_guard lock(turn_);
    // A snapshot is only a shortcut: one that can not be read is passed over.
    for (const auto& snapshot : TRY(store_->snapshots())) {
        if (crc32c(snapshot.view) != snapshot.crc || snapshot.position > head_) continue;
        if (auto view = decode<View>(snapshot.view, trusted_limits)) return std::optional{std::move(*view)};
    }
    return std::nullopt;
}

// ---- who serves

Result<void> StoredLedger::refresh() {
    const std::lock_guard lock(turn_);
    auto tail = TRY(store_->tail());
    const auto last = tail ? tail->last : Position{};
    if (last < head_) {
        return fail(ErrorKind::corrupt, "{} ends at {}, though {} was there: it was emptied, or put back to an old copy (docs/restore.md)", store_->name(),
                    last.value, head_.value);
    }
    if (!tail) return {};
    if (last != head_) id_ = TRY(store_->value("id"));
    head_ = last;
    chain_ = std::move(tail->chain);
    return {};
}

Result<std::string> StoredLedger::leader_beat() {
    const std::lock_guard lock(turn_);
    return store_->value("beat");
}

void StoredLedger::beat(const std::string& text) {
    if (loop_ == nullptr) return;
    const std::lock_guard lock(mutex_);
    if (beating_) return;
    beating_ = true;
    jobs_.push_back([this, text] {
        Result<void> outcome;
        {
            const std::lock_guard turn(turn_);
            outcome = store_->set_value("beat", text);
        }
        if (!outcome) log_warn("ledger.no_beat", {{"why", outcome.error().text}});
        const std::lock_guard again(mutex_);
        beating_ = false;
    });
    changed_.notify_all();
}

void StoredLedger::end_beat() {
    if (exclusive()) return;
    const std::lock_guard lock(turn_);
    const auto stands = store_->value("beat");
    if (stands && stands->starts_with(writer_ + " ")) std::ignore = store_->set_value("beat", "");
}

// ---- while nobody waits

Result<Storage> StoredLedger::tidy() {
    if (loop_ == nullptr) {
        const std::lock_guard lock(turn_);
        const auto indexed = index_some(head_);
        if (!indexed && indexed.error().kind != ErrorKind::unavailable) return fail(indexed.error());
        return store_->tidy();
    }
    const std::lock_guard lock(mutex_);
    if (!tidying_) {
        tidying_ = true;
        jobs_.push_back([this] { tidy_on_thread(); });
        changed_.notify_all();
    }
    return tidied_;
}

// One piece of the index at a time, and then again behind whatever waits.
void StoredLedger::tidy_on_thread() {
    Result<Storage> outcome = Storage::ample;
    bool more = false;
    {
        const std::lock_guard lock(turn_);
        outcome = store_->tidy();
        const auto tail = store_->tail();
        if (outcome && tail && *tail) {
            const auto indexed = index_some((*tail)->last);
            if (!indexed) log_warn("ledger.not_indexed", {{"why", indexed.error().text}});
            more = indexed && *indexed;
            const auto kept = remember((*tail)->last);
            if (!kept) log_warn("ledger.not_remembered", {{"why", kept.error().text}});
        }
    }
    const std::lock_guard lock(mutex_);
    tidied_ = std::move(outcome);
    tidying_ = more && !stopping_;
    if (tidying_) jobs_.push_back([this] { tidy_on_thread(); });
}

void StoredLedger::run() {
    for (std::unique_lock lock(mutex_);;) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        const auto job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job();
        lock.lock();
    }
}

}  // namespace berth::allocator
