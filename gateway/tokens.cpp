// SPDX-License-Identifier: Apache-2.0
#include "gateway/tokens.hpp"

#include <fmt/format.h>


#include "base/outside_text.hpp"
#include "base/rng.hpp"
#include "os/files.hpp"
#include "os/lock.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t file_bytes_max = 8 * 1024 * 1024;
constexpr Duration lock_patience{10'000};
constexpr std::size_t token_bytes = 32;
constexpr std::size_t token_length_min = 32;   // of a token that was put into <state>/token by hand

std::string table_file(const std::string& state) { return state + "/tokens.json"; }
std::string plain_file(const std::string& state) { return state + "/token"; }

/// Nothing when there is no such file.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
    auto text = os::read_file(path, file_bytes_max);
    if (text) return std::optional{std::move(*text)};
    return text.error().kind == ErrorKind::not_found ? Result<std::optional<std::string>>{std::nullopt} : fail(text.error());
}

template <class Change>
auto with_table(const std::string& state, Change&& change) -> decltype(change(std::declval<TokenTable&>())) {
    const auto lock = TRY(os::Lock::take(table_file(state) + ".lock", lock_patience));
    auto table = TRY(load_tokens(state));
    const auto before = table.to_json();
    auto outcome = change(table);
    if (!outcome) return outcome;
    const auto after = table.to_json();
    if (after != before) TRY(os::write_file(table_file(state), after));
    return outcome;
}

}  // namespace

Result<TokenTable> load_tokens(const std::string& state) {
    const auto text = TRY(read_if_there(table_file(state)));
    if (!text) return TokenTable{};
    auto table = TokenTable::parse(*text);
    if (!table) {
        return fail(table.error().kind, "{} is damaged: {}. Restore it, or remove it and mint the tokens again",
                    table_file(state), table.error().text);
    }
    return table;
}

Result<MintedToken> mint_token(const std::string& state, const TokenWish& wish, Instant now) {
    // A sign-in link says whom it is for, so that its page can ask before it is used; the hash is of both.
    const bool is_invite = wish.kind == TokenKind::invite;
    MintedToken minted{.plain = (is_invite ? wish.user.value + ":" : "berth_") + random_hex(token_bytes)};
    minted.entry = {.id = (is_invite ? "i-" : "t-") + random_hex(6), .role = wish.role, .user = wish.user, .note = wish.note,
                    .hash = hash_of_token(minted.plain), .created_at = now, .grant = wish.grant, .kind = wish.kind};
    if (wish.ttl) minted.entry.expires_at = now + *wish.ttl;
    return with_table(state, [&](TokenTable& table) -> Result<MintedToken> {
        table.forget_over(now);
        TRY(table.add(minted.entry));
        return minted;
    });
}

Result<void> revoke_token(const std::string& state, std::string_view id) {
    return with_table(state, [&](TokenTable& table) -> Result<void> {
        if (!table.remove(id)) return fail(ErrorKind::not_found, "no token {}", id);
        return {};
    });
}

namespace {

MintedToken new_session(const UserId& user, TokenRole role, std::string parent, std::string note) {
    MintedToken minted{.plain = random_hex(token_bytes)};
    minted.entry = {.id = "s-" + random_hex(6), .role = role, .user = user, .note = std::move(note), .hash = hash_of_token(minted.plain),
                    .kind = TokenKind::session, .parent = std::move(parent)};
    return minted;
}

}  // namespace

Result<MintedToken> open_session_by_link(const std::string& state, std::string_view link, const SessionTerms& terms, Instant now) {
    return with_table(state, [&](TokenTable& table) -> Result<MintedToken> {
        const auto invite = table.spend_invite(link, now);
        if (!invite) return fail(invite.error());
        auto minted = new_session(invite->user, invite->role, "", invite->note);
        TRY(table.open_session(minted.entry, terms, now));
        minted.entry = *table.of_id(minted.entry.id);
        return minted;
    });
}

Result<MintedToken> open_session(const std::string& state, const TokenEntry& from, const SessionTerms& terms, Instant now) {
    return with_table(state, [&](TokenTable& table) -> Result<MintedToken> {
        table.forget_over(now);
        if (!from.id.empty() && !table.of_id(from.id)) return fail(ErrorKind::denied, "the token was revoked meanwhile");
        auto minted = new_session(from.user, from.role, from.id, from.note);
        TRY(table.open_session(minted.entry, terms, now));
        minted.entry = *table.of_id(minted.entry.id);
        return minted;
    });
}

Result<void> renew_session(const std::string& state, std::string_view id, Instant end) {
    return with_table(state, [&](TokenTable& table) -> Result<void> {
        if (!table.renew(id, end)) return fail(ErrorKind::not_found, "no session {}", id);
        return {};
    });
}

Result<std::size_t> end_user(const std::string& state, const UserId& user) {
    return with_table(state, [&](TokenTable& table) -> Result<std::size_t> {
        const auto count = table.remove_of(user);
        if (count == 0) return fail(ErrorKind::not_found, "{} has no session, link or token; see `berth user list`", user.value);
        return count;
    });
}

Result<void> note_machine(const std::string& state, const Machine& machine) {
    return with_table(state, [&](TokenTable& table) { return table.enrol(machine); });
}

Result<void> forget_machine(const std::string& state, const HostId& host) {
    return with_table(state, [&](TokenTable& table) -> Result<void> {
        table.remove_machine(host);
        return {};
    });
}

Result<void> keep_operator_token(const std::string& state, Instant now) {
    auto plain = TRY(read_if_there(plain_file(state)));
    if (plain) *plain = TRY(outside_word(plain_file(state), *plain));
    if (plain && plain->size() < token_length_min) {
        return fail(ErrorKind::invalid, "{} holds no token of {} characters or more: remove it to have one minted",
                    plain_file(state), token_length_min);
    }
    if (!plain) {
        plain = "berth_" + random_hex(token_bytes);
        TRY(os::write_file(plain_file(state), *plain + "\n"));
    }
    return with_table(state, [&](TokenTable& table) -> Result<void> {
        // One entry of this machine: what stood in the file before is worth nothing any more.
        const auto hash = hash_of_token(*plain);
        for (const auto& entry : std::vector<TokenEntry>(table.entries())) {
            if (entry.of_machine && entry.hash != hash) table.remove(entry.id);
        }
        if (table.find(*plain, now)) return {};
        return table.add({.id = "t-" + random_hex(6), .role = TokenRole::operations, .user = UserId{"operator"},
                          .note = std::string{machine_note}, .hash = hash, .created_at = now, .of_machine = true});
    });
}

}  // namespace berth::gateway
