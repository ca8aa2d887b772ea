// SPDX-License-Identifier: Apache-2.0
// The tokens that the gateway knows, as a value: of each its SHA-256, never its text. Pure; the files
// are tokens.cpp's.
#pragma once

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
    operations  // everything; "operator" in the file and the API
};
std::string_view role_word(TokenRole role);
std::optional<TokenRole> role_from(std::string_view word);

inline constexpr std::string_view machine_note = "of this machine, in <state>/token";

struct TokenEntry {
    std::string id;                       // "t-1f0c…": for lists and revoking; says nothing of the token
    TokenRole role = TokenRole::user;
    UserId user;                          // of a user's token; the name of an operator's
    std::string note;
    std::string hash;                     // SHA-256 in hex
    Instant created_at;
    std::optional<Instant> expires_at;
    bool of_machine = false;              // stands in <state>/token; there is one at most
    friend bool operator==(const TokenEntry&, const TokenEntry&) = default;
};

std::string hash_of_token(std::string_view plain);

/// A value: what tokens.json says.
class TokenTable {
public:
    static constexpr std::size_t entries_max = 10'000;

    static Result<TokenTable> parse(std::string_view json);
    std::string to_json() const;

    /// The entry of this token, or null when there is none or it is over.
    const TokenEntry* find(std::string_view plain, Instant now) const;
    /// Why what that token began may not go on: it was revoked, or its time is over. Nothing while it may.
    std::optional<std::string> why_over(std::string_view id, Instant now) const;
    const std::vector<TokenEntry>& entries() const { return entries_; }
    Result<void> add(TokenEntry entry);
    bool remove(std::string_view id);

private:
    std::vector<TokenEntry> entries_;
};

struct TokenWish {
    TokenRole role = TokenRole::user;
    UserId user;
    std::string note;
    std::optional<Duration> ttl;
};
struct MintedToken {
    TokenEntry entry;
    std::string plain;                    // shown once, kept nowhere here
};

}  // namespace berth::gateway
