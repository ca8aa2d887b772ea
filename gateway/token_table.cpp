// SPDX-License-Identifier: Apache-2.0
#include "gateway/token_table.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace berth::gateway {

namespace {

using Json = nlohmann::ordered_json;

Result<TokenEntry> read_entry(const Json& from, int version) {
    const auto text = [&](const char* key) {
        const auto at = from.find(key);
        return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
    };
    TokenEntry entry{.id = text("id"), .user = UserId{text("user")}, .note = text("note"), .hash = text("sha256")};
    const auto role = role_from(text("role"));
    if (!role || entry.id.empty() || entry.hash.size() != 64) {
        return fail(ErrorKind::corrupt, "token '{}' lacks an id, a role or its sha256", entry.id);
    }
    entry.role = *role;
    entry.created_at = TRY(from_rfc3339(text("created_at")));
    // Before there was a field for it, its note told it.
    const auto machine = from.find("machine");
    entry.of_machine = machine != from.end() ? machine->is_boolean() && machine->get<bool>() : version < 2 && entry.note == machine_note;
    if (*role == TokenRole::host) {
        const auto number = [&](const char* key) {
            const auto at = from.find(key);
            return at != from.end() && at->is_number_unsigned() ? at->get<std::uint32_t>() : 0;
        };
        entry.grant = HostGrant{PoolName{text("pool")}, number("uses_max"), number("used")};
    }
    if (!text("expires_at").empty()) entry.expires_at = TRY(from_rfc3339(text("expires_at")));
    if (const auto kind = text("kind"); !kind.empty()) {
        const auto known = enum_from<TokenKind>(kind);
        if (!known) return fail(ErrorKind::corrupt, "'{}' is of kind '{}', which is none", entry.id, kind);
        entry.kind = *known;
    }
    entry.parent = text("parent");
    return entry;
}

bool is_over(const TokenEntry& entry, Instant now) { return entry.expires_at && *entry.expires_at <= now; }

}  // namespace

std::string_view role_word(TokenRole role) {
    switch (role) {
        case TokenRole::operations: return "operator";
        case TokenRole::host: return "host";
        case TokenRole::user: break;
    }
    return "user";
}

std::optional<TokenRole> role_from(std::string_view word) {
    if (word == "operator") return TokenRole::operations;
    if (word == "user") return TokenRole::user;
    if (word == "host") return TokenRole::host;
    return std::nullopt;
}

std::string hash_of_token(std::string_view plain) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    check(EVP_Digest(plain.data(), plain.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1, "SHA-256 works");
    return to_hex(std::string_view{reinterpret_cast<const char*>(digest.data()), length});
}

Result<TokenTable> TokenTable::parse(std::string_view json) {
    const auto all = Json::parse(json, nullptr, false);
    const auto list = all.is_object() ? all.find("tokens") : all.end();
    if (!all.is_object() || list == all.end() || !list->is_array()) {
        return fail(ErrorKind::corrupt, "it is not a JSON object with a list 'tokens'");
    }
    const auto stated = all.find("version");
    const int version = stated != all.end() && stated->is_number_integer() ? stated->get<int>() : 1;
    TokenTable table;
    for (const auto& item : *list) {
        if (!item.is_object()) return fail(ErrorKind::corrupt, "an item of 'tokens' is not an object");
        auto entry = TRY(read_entry(item, version));
        TRY(table.add(std::move(entry)));
    }
    const auto machines = all.find("machines");
    if (machines == all.end()) return table;
    if (!machines->is_array()) return fail(ErrorKind::corrupt, "'machines' is no list");
    for (const auto& item : *machines) {
        const auto word = [&](const char* key) { return item.is_object() ? item.value(key, std::string{}) : std::string{}; };
        Machine machine{HostId{word("host")}, HostIncarnation{word("incarnation")}, word("token"), word("speaks") == "http"};
        if (machine.host.empty()) return fail(ErrorKind::corrupt, "an item of 'machines' names no host");
        table.machines_.push_back(std::move(machine));
    }
    return table;
}

std::string TokenTable::to_json() const {
    auto list = Json::array();
    for (const auto& entry : entries_) {
        Json item = {{"id", entry.id}, {"role", role_word(entry.role)}, {"user", entry.user.value}};
        if (!entry.note.empty()) item["note"] = entry.note;
        item["sha256"] = entry.hash;
        item["created_at"] = to_rfc3339(entry.created_at);
        if (entry.expires_at) item["expires_at"] = to_rfc3339(*entry.expires_at);
        if (entry.of_machine) item["machine"] = true;
        if (entry.kind != TokenKind::bearer) item["kind"] = to_string(entry.kind);
        if (!entry.parent.empty()) item["parent"] = entry.parent;
        if (entry.grant) {
            item["pool"] = entry.grant->pool.value;
            item["uses_max"] = entry.grant->uses_max;
            item["used"] = entry.grant->used;
        }
        list.push_back(std::move(item));
    }
    Json all = {{"version", 2}, {"tokens", std::move(list)}};
    if (machines_.empty()) return all.dump(2) + "\n";
    auto& machines = all["machines"] = Json::array();
    for (const auto& one : machines_) {
        machines.push_back({{"host", one.host.value}, {"incarnation", one.incarnation.value}, {"token", one.token_id},
                            {"speaks", one.foreign ? "http" : "bus"}});
    }
    return all.dump(2) + "\n";
}

const TokenEntry* TokenTable::matching(std::string_view plain, TokenKind kind) const {
    if (plain.empty()) return nullptr;
    const auto hash = hash_of_token(plain);  // what is compared is a digest: timing says nothing of the token
    const TokenEntry* found = nullptr;       // and all are looked at, whichever it is
    for (const auto& entry : entries_) {
        if (entry.hash.size() == hash.size() && CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
    }
    return found && found->kind == kind ? found : nullptr;
}

const TokenEntry* TokenTable::find(std::string_view plain, Instant now) const {
    const auto* found = matching(plain, TokenKind::bearer);
    return found && is_over(*found, now) && found->role != TokenRole::host ? nullptr : found;
}

const TokenEntry* TokenTable::find_session(std::string_view plain, Instant now) const {
    const auto* found = matching(plain, TokenKind::session);
    return found && !why_over(found->id, now) ? found : nullptr;
}

Result<TokenEntry> TokenTable::spend_invite(std::string_view plain, Instant now) {
    const auto* found = matching(plain, TokenKind::invite);
    if (!found) return fail(ErrorKind::denied, "this sign-in link was used before, or is none: ask for another (`berth user invite`)");
    const auto invite = *found;
    remove(invite.id);
    if (is_over(invite, now)) {
        return fail(ErrorKind::denied, "this sign-in link is over since {}: ask for another (`berth user invite {}`)", to_rfc3339(*invite.expires_at),
                    invite.user.value);
    }
    return invite;
}

Result<void> TokenTable::open_session(TokenEntry session, const SessionTerms& terms, Instant now) {
    const auto is_of_user = [&](const TokenEntry& entry) { return entry.kind == TokenKind::session && entry.user == session.user; };
    while (static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), is_of_user)) >= std::max<std::size_t>(terms.per_user_max, 1)) {
        auto first = entries_.end();
        for (auto at = entries_.begin(); at != entries_.end(); ++at) {
            if (is_of_user(*at) && (first == entries_.end() || at->expires_at < first->expires_at)) first = at;
        }
        entries_.erase(first);
    }
    session.created_at = now;
    session.expires_at = now + std::min(terms.unused_max, terms.length_max);
    return add(std::move(session));
}

std::optional<Instant> TokenTable::renewed_end(const TokenEntry& session, const SessionTerms& terms, Instant now) {
    if (!session.expires_at || *session.expires_at - now > terms.unused_max / 2) return std::nullopt;
    const auto end = std::min(now + terms.unused_max, session.created_at + terms.length_max);
    if (end - *session.expires_at < terms.unused_max / 4) return std::nullopt;
    return end;
}

bool TokenTable::renew(std::string_view id, Instant end) {
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const TokenEntry& entry) { return entry.id == id; });
    if (at == entries_.end() || at->kind != TokenKind::session) return false;
    at->expires_at = std::max(at->expires_at.value_or(end), end);
    return true;
}

std::size_t TokenTable::remove_of(const UserId& user) {
    return std::erase_if(entries_, [&](const TokenEntry& entry) {
        return entry.user == user && entry.role != TokenRole::host && !entry.of_machine;
    });
}

std::optional<std::string> TokenTable::why_over(std::string_view id, Instant now) const {
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const TokenEntry& entry) { return entry.id == id; });
    const bool is_session = id.starts_with("s-");
    if (at == entries_.end()) return is_session ? "you are signed out" : "the token was revoked";
    if (is_over(*at, now)) return fmt::format("the {} is over since {}", is_session ? "session" : "token", to_rfc3339(*at->expires_at));
    if (!at->parent.empty()) return why_over(at->parent, now);
    return std::nullopt;
}

Result<void> TokenTable::add(TokenEntry entry) {
    if (entries_.size() >= entries_max) return fail(ErrorKind::limit, "there are {} tokens already: revoke some", entries_max);
    entries_.push_back(std::move(entry));
    return {};
}

const TokenEntry* TokenTable::of_id(std::string_view id) const {
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const TokenEntry& entry) { return entry.id == id; });
    return at == entries_.end() ? nullptr : &*at;
}

void TokenTable::forget_over(Instant now) {
    const auto is_needed = [&](const TokenEntry& entry) {
        return std::any_of(machines_.begin(), machines_.end(), [&](const Machine& one) { return one.foreign && one.token_id == entry.id; });
    };
    std::erase_if(entries_, [&](const TokenEntry& entry) {
        if (!entry.expires_at) return false;
        if (entry.role != TokenRole::host) return *entry.expires_at <= now;
        return *entry.expires_at + host_token_memory <= now && !is_needed(entry);
    });
}

const Machine* TokenTable::machine(const HostId& host) const {
    const auto at = std::find_if(machines_.begin(), machines_.end(), [&](const Machine& one) { return one.host == host; });
    return at == machines_.end() ? nullptr : &*at;
}

Result<void> TokenTable::enrol(Machine machine) {
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const TokenEntry& entry) { return entry.id == machine.token_id; });
    if (at == entries_.end() || !at->grant) return fail(ErrorKind::denied, "the token of {} was revoked", machine.host.value);
    const auto* known = this->machine(machine.host);
    const bool same = known && known->token_id == machine.token_id && known->incarnation == machine.incarnation;
    if (same && *known == machine) return {};
    if (!same) {
        if (at->grant->used >= at->grant->uses_max) {
            return fail(ErrorKind::limit, "this token was for {} machines, and so many came: ask for another with `berth host-token --pool {}`",
                        at->grant->uses_max, at->grant->pool.value);
        }
        if (!known && machines_.size() >= entries_max) return fail(ErrorKind::limit, "there are {} machines already", entries_max);
        ++at->grant->used;
    }
    remove_machine(machine.host);
    machines_.push_back(std::move(machine));
    return {};
}

bool TokenTable::remove_machine(const HostId& host) {
    return std::erase_if(machines_, [&](const Machine& one) { return one.host == host; }) > 0;
}

bool TokenTable::remove(std::string_view id) {
    return std::erase_if(entries_, [&](const TokenEntry& entry) { return entry.id == id; }) > 0;
}

}  // namespace berth::gateway
