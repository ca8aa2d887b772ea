// SPDX-License-Identifier: Apache-2.0
// `berth login` by the device flow (RFC 8628 in our own words): the command shows a code, a signed-in person confirms it in
// any browser, and the command gets a token. A value; it is kept in memory alone, so a new gateway has forgotten them.
//
//   begun ─(its code confirmed by a person)─► confirmed ─(asked for with its secret)─► *token given, once
//     └─(refused · login_max)─► *over
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "gateway/token_table.hpp"

namespace berth::gateway {

struct Login {
    std::string id;
    std::string secret_hash;              // of what its command alone knows
    std::string code;                     // "BCDF-GHJK", for a person
    std::string machine;                  // where the command runs, as it says
    std::string remote;                   // and from where it asked
    Instant ends_at;
    std::optional<UserId> user;           // once confirmed
    TokenRole role = TokenRole::user;
    bool refused = false;
};

/// Eight consonants: no word, and nothing that is mistaken for another; read with or without the dash, in any case.
std::string login_code(std::string_view random_hex);
std::string login_code_as_kept(std::string_view typed);

class Logins {
public:
    static constexpr std::size_t logins_max = 1'024;   // of more the one that ends first is forgotten

    void begin(Login login, Instant now);
    /// Null when there is none of that code, or it is over or answered.
    const Login* of_code(std::string_view typed, Instant now) const;
    Result<void> answer(std::string_view typed, std::optional<UserId> user, TokenRole role, Instant now);
    /// Confirmed: gives it out, once. Nothing while nobody answered; `denied` when refused, over or not known.
    Result<std::optional<Login>> take(const std::string& id, std::string_view secret, Instant now);
    std::size_t size() const { return all_.size(); }

private:
    std::map<std::string, Login> all_;    // by code
};

}  // namespace berth::gateway
