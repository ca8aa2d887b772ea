// SPDX-License-Identifier: Apache-2.0
#include "gateway/logins.hpp"

#include <algorithm>
#include <cctype>

namespace berth::gateway {

namespace {

constexpr std::string_view letters = "BCDFGHJKLMNPQRSTVWXZ";
constexpr std::size_t code_letters = 8;

unsigned digit(char c) { return static_cast<unsigned>(c >= 'a' ? c - 'a' + 10 : c - '0'); }

tl::unexpected<Error> over() {
    return fail(ErrorKind::denied, "this login is over: it took too long, was answered before, or the gateway was started anew; try again with `berth login`");
}

}  // namespace

std::string login_code(std::string_view random_hex) {
    std::string code;
    for (std::size_t i = 0; i < code_letters; ++i) {
        unsigned value = 0;
        for (std::size_t at = 4 * i; at < 4 * i + 4 && at < random_hex.size(); ++at) value = value * 16 + digit(random_hex[at]);
        if (i == code_letters / 2) code += '-';
        code += letters[value % letters.size()];
    }
    return code;
}

std::string login_code_as_kept(std::string_view typed) {
    std::string code;
    for (const char c : typed) {
        if (std::isalpha(static_cast<unsigned char>(c)) == 0) continue;
        if (code.size() == code_letters / 2) code += '-';
        code += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        if (code.size() > code_letters + 1) return {};
    }
    return code;
}

void Logins::begin(Login login, Instant now) {
    std::erase_if(all_, [&](const auto& one) { return one.second.ends_at <= now; });
    if (all_.size() >= logins_max) {
        all_.erase(std::min_element(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.second.ends_at < b.second.ends_at; }));
    }
    auto code = login.code;
    all_.insert_or_assign(std::move(code), std::move(login));
}

const Login* Logins::of_code(std::string_view typed, Instant now) const {
    const auto at = all_.find(login_code_as_kept(typed));
    const bool open = at != all_.end() && at->second.ends_at > now && !at->second.user && !at->second.refused;
    return open ? &at->second : nullptr;
}

Result<void> Logins::answer(std::string_view typed, std::optional<UserId> user, TokenRole role, Instant now) {
    if (!of_code(typed, now)) return over();
    auto& login = all_.at(login_code_as_kept(typed));
    login.refused = !user;
    login.user = std::move(user);
    login.role = role;
    return {};
}

Result<std::optional<Login>> Logins::take(const std::string& id, std::string_view secret, Instant now) {
    const auto hash = hash_of_token(secret);
    const auto at = std::find_if(all_.begin(), all_.end(), [&](const auto& one) { return one.second.id == id; });
    if (at == all_.end() || at->second.secret_hash != hash || at->second.ends_at <= now) return over();
    if (at->second.refused) {
        all_.erase(at);
        return fail(ErrorKind::denied, "the login was refused in the browser");
    }
    if (!at->second.user) return std::optional<Login>{};
    auto login = std::move(at->second);
    all_.erase(at);
    return std::optional{std::move(login)};
}

}  // namespace berth::gateway
