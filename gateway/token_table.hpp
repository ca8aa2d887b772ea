// SPDX-License-Identifier: Apache-2.0
// The tokens that the gateway knows, as a value: of each its SHA-256, never its text. Pure; the files
// are tokens.cpp's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::gateway {

enum class TokenRole {
    user,       // what belongs to this user
    operations, // everything; "operator" in the file and the API
    host        // a machine may enrol with it, and speak of itself; nothing else
};
/// What the text of an entry is: each opens what it is for and nothing else.
BERTH_ENUM(TokenKind,
           bearer,      // sent by programs as Authorization
           session,     // a browser's cookie
           invite)      // a sign-in link, good once

std::string_view role_word(TokenRole role);
std::optional<TokenRole> role_from(std::string_view word);

inline constexpr std::string_view machine_note = "of this machine, in <state>/token";

/// What a host's token allows: so many machines, into that pool.
struct HostGrant {
    PoolName pool;
    std::uint32_t uses_max = 1;
    std::uint32_t used = 0;               // never falls: a machine that is gone has used it
    friend bool operator==(const HostGrant&, const HostGrant&) = default;
};

struct TokenEntry {
    std::string id;                       // "t-1f0c…", of a session "s-…", of an invite "i-…": for lists and revoking; says nothing of the token
    TokenRole role = TokenRole::user;
    UserId user;                          // of a user's token; the name of an operator's
    std::string note;
    std::string hash;                     // SHA-256 in hex
    Instant created_at;
    std::optional<Instant> expires_at;
    bool of_machine = false;              // stands in <state>/token; there is one at most
    std::optional<HostGrant> grant;       // of a host's token
    TokenKind kind = TokenKind::bearer;
    std::string parent;                   // of a session: the token that it was opened with, and ends with
    friend bool operator==(const TokenEntry&, const TokenEntry&) = default;
};

/// A machine that enrolled by a token, until the ledger has seen its end.
struct Machine {
    HostId host;
    HostIncarnation incarnation;          // that it enrolled in
    std::string token_id;
    bool foreign = false;                 // speaks HTTP only: the gateway stands for its agent on the bus
    friend bool operator==(const Machine&, const Machine&) = default;
};

/// One that is over is remembered for so long, so that who uses it is told.
inline constexpr Duration host_token_memory{24 * 3'600'000};

std::string hash_of_token(std::string_view plain);

/// How long people stay signed in, and how many of their browsers at once.
struct SessionTerms {
    Duration unused_max{12 * 3'600'000};
    Duration length_max{7 * 24 * 3'600'000LL};
    std::size_t per_user_max = 32;        // of more the one that ends first gives way
};

/// A value: what tokens.json says.
class TokenTable {
public:
    static constexpr std::size_t entries_max = 10'000;

    static Result<TokenTable> parse(std::string_view json);
    std::string to_json() const;

    /// The entry of this token, or null when there is none or it is over. A host's is found when it is over too: what
    /// it may still do, its route says.
    const TokenEntry* find(std::string_view plain, Instant now) const;
    /// The session of a cookie, or null when there is none or it is over.
    const TokenEntry* find_session(std::string_view plain, Instant now) const;
    /// The sign-in link, which is used up by it; `denied` with what to do when it is none of ours, used or over.
    Result<TokenEntry> spend_invite(std::string_view plain, Instant now);
    /// A browser signs in. `session` has kind, hash, id and whom; its end is set here, by `terms`.
    Result<void> open_session(TokenEntry session, const SessionTerms& terms, Instant now);
    /// Where the end of a session that is used now moves to; nothing while that is not worth a word.
    static std::optional<Instant> renewed_end(const TokenEntry& session, const SessionTerms& terms, Instant now);
    bool renew(std::string_view id, Instant end);
    /// Sessions, invites and tokens of that user, but this machine's own; how many there were.
    std::size_t remove_of(const UserId& user);
    /// Why what that token began may not go on: it was revoked, or its time is over. Nothing while it may.
    std::optional<std::string> why_over(std::string_view id, Instant now) const;
    const std::vector<TokenEntry>& entries() const { return entries_; }
    Result<void> add(TokenEntry entry);
    bool remove(std::string_view id);
    /// Forgets what is over and nobody needs; so the file stays small.
    void forget_over(Instant now);

    const TokenEntry* of_id(std::string_view id) const;
    const std::vector<Machine>& machines() const { return machines_; }
    const Machine* machine(const HostId& host) const;
    /// Of a machine that is new to its token one use is taken; `limit` when there is none left.
    Result<void> enrol(Machine machine);
    bool remove_machine(const HostId& host);

private:
    const TokenEntry* matching(std::string_view plain, TokenKind kind) const;
    std::vector<TokenEntry> entries_;
    std::vector<Machine> machines_;
};

struct TokenWish {
    TokenRole role = TokenRole::user;
    UserId user;
    std::string note;
    std::optional<Duration> ttl;
    std::optional<HostGrant> grant = {};  // role host
    TokenKind kind = TokenKind::bearer;   // or invite
};
struct MintedToken {
    TokenEntry entry;
    std::string plain;                    // shown once, kept nowhere here
};

}  // namespace berth::gateway
