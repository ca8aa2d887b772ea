// SPDX-License-Identifier: Apache-2.0
#include "allocator/archive.hpp"

#include <algorithm>
#include <istream>
#include <ostream>

#include "allocator/move.hpp"
#include "base/rng.hpp"
#include "events/codec.hpp"

namespace berth::allocator {

namespace {

constexpr std::uint32_t facts_at_once = 1'000;
constexpr std::size_t line_bytes_max = 1'000'000;
constexpr std::string_view header_begin = R"({"berth_ledger":")";

}  // namespace

Result<Position> export_ledger(Ledger& ledger, Position from, std::ostream& to) {
    to << header_begin << ledger.id() << R"("})" << '\n';
    Position at{from.value == 0 ? 0 : from.value - 1};
    while (at < ledger.head()) {
        const auto facts = TRY(ledger.read(Position{at.value + 1}, facts_at_once));
        if (facts.empty()) break;
        for (const auto& fact : facts) to << TRY(to_json(encode(fact), trusted_limits)) << '\n';
        at = facts.back().position;
    }
    to.flush();
    if (!to) return fail(ErrorKind::internal, "the export stopped at {}: its output took no more", at.value);
    return at;
}

Result<Position> import_ledger(Ledger& ledger, std::istream& from) {
    std::string line;
    if (!std::getline(from, line) || !line.starts_with(header_begin)) {
        return fail(ErrorKind::invalid, "line 1 is not the head of an export ({}…)", header_begin);
    }
    const auto id = line.substr(header_begin.size(), line.find('"', header_begin.size()) - header_begin.size());
    // Read and judged as a whole before anything is written.
    std::vector<FactRecord> facts;
    View view;
    for (std::uint64_t number = 2; std::getline(from, line); ++number) {
        if (line.empty()) continue;
        if (line.size() > line_bytes_max) return fail(ErrorKind::invalid, "line {} is longer than {} bytes", number, line_bytes_max);
        const auto bytes = from_json(line, trusted_limits);
        if (!bytes) return fail(ErrorKind::invalid, "line {}: {}", number, bytes.error().text);
        auto fact = decode<FactRecord>(*bytes, trusted_limits);
        if (!fact) return fail(ErrorKind::invalid, "line {}: {}", number, fact.error().text);
        const bool jumps = std::holds_alternative<LedgerRecovered>(fact->fact) && fact->position > view.position;
        if (!jumps && fact->position.value != view.position.value + 1) {
            return fail(ErrorKind::invalid, "line {} holds position {}; {} was expected", number, fact->position.value,
                        view.position.value + 1);
        }
        if (fact->position > position_max) return fail(ErrorKind::invalid, "line {} holds position {}; {} is the last possible", number, fact->position.value, position_max.value);
        apply(view, *fact);
        facts.push_back(std::move(*fact));
    }
    if (facts.empty()) return fail(ErrorKind::invalid, "the export holds no facts");
    TRY(ledger.adopt_id(id));
    TRY(append_all(ledger, facts));
    return facts.back().position;
}

Result<FactRecord> recover_ledger(Ledger& ledger, Instant now) {
    TRY(ledger.verify());
    const auto view = TRY(replay(ledger));
    if (view.position == Position{}) return fail(ErrorKind::invalid, "the ledger {} holds no facts; there is nothing to recover", ledger.id());
    // Milliseconds since 1970 lie above every position that was ever counted up to one by one, and above
    // those of an earlier recovery.
    const auto later = static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 0));
    if (later > position_max.value) return fail(ErrorKind::invalid, "the clock says {}; set it right, and recover then", to_rfc3339(now));
    const FactRecord fact{Position{std::max(view.position.value + 1, later)}, view.term, now,
                          LedgerRecovered{.before = view.ledger, .ledger = "l-" + random_hex(8)},
                          Reason{"an operator said that this is an old copy", "operator", "recover", {}}, ""};
    TRY(ledger.go_on_as(fact));
    return fact;
}

}  // namespace berth::allocator
