// SPDX-License-Identifier: Apache-2.0
#include "gateway/tokens.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/rng.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t file_bytes_max = 8 * 1024 * 1024;
constexpr std::size_t token_bytes = 32;
constexpr std::size_t token_length_min = 32;   // of a token that was put into <state>/token by hand

std::string table_file(const std::string& state) { return state + "/tokens.json"; }
std::string plain_file(const std::string& state) { return state + "/token"; }

Result<std::optional<std::string>> read_file(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) {
        if (errno == ENOENT) return std::optional<std::string>{};
        return fail(ErrorKind::unavailable, "cannot read {}: {}", path, std::strerror(errno));
    }
    std::string text;
    std::array<char, 16 * 1024> part;
    for (;;) {
        const auto got = ::read(file.number(), part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(ErrorKind::unavailable, "cannot read {}: {}", path, std::strerror(errno));
        if (got == 0) return std::optional{std::move(text)};
        text.append(part.data(), static_cast<std::size_t>(got));
        if (text.size() > file_bytes_max) return fail(ErrorKind::limit, "{} is over {} bytes", path, file_bytes_max);
    }
}

// Whole or not at all, and 0600 from its first byte.
Result<void> replace_file(const std::string& path, std::string_view text) {
    const auto beside = path + ".new";
    ::unlink(beside.c_str());
    {
        const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (file.number() < 0) return fail(ErrorKind::unavailable, "cannot write {}: {}", beside, std::strerror(errno));
        while (!text.empty()) {
            const auto wrote = ::write(file.number(), text.data(), text.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return fail(ErrorKind::unavailable, "cannot write {}: {}", beside, std::strerror(errno));
            text.remove_prefix(static_cast<std::size_t>(wrote));
        }
        if (::fsync(file.number()) != 0) return fail(ErrorKind::unavailable, "cannot sync {}: {}", beside, std::strerror(errno));
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) {
        return fail(ErrorKind::unavailable, "cannot replace {}: {}", path, std::strerror(errno));
    }
    return {};
}

template <class Change>
auto with_table(const std::string& state, Change&& change) -> decltype(change(std::declval<TokenTable&>())) {
    const auto lock_path = table_file(state) + ".lock";
    const Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.number() < 0 || ::flock(lock.number(), LOCK_EX) != 0) {
        return fail(ErrorKind::unavailable, "cannot lock {}: {}", lock_path, std::strerror(errno));
    }
    auto table = TRY(load_tokens(state));
    const auto before = table.to_json();
    auto outcome = change(table);
    if (!outcome) return outcome;
    const auto after = table.to_json();
    if (after != before) TRY(replace_file(table_file(state), after));
    return outcome;
}

std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    return text;
}

}  // namespace

Result<TokenTable> load_tokens(const std::string& state) {
    const auto text = TRY(read_file(table_file(state)));
    if (!text) return TokenTable{};
    auto table = TokenTable::parse(*text);
    if (!table) {
        return fail(table.error().kind, "{} is damaged: {}. Restore it, or remove it and mint the tokens again",
                    table_file(state), table.error().text);
    }
    return table;
}

Result<MintedToken> mint_token(const std::string& state, const TokenWish& wish, Instant now) {
    MintedToken minted{.plain = "berth_" + random_hex(token_bytes)};
    minted.entry = {.id = "t-" + random_hex(6), .role = wish.role, .user = wish.user, .note = wish.note,
                    .hash = hash_of_token(minted.plain), .created_at = now};
    if (wish.ttl) minted.entry.expires_at = now + *wish.ttl;
    return with_table(state, [&](TokenTable& table) -> Result<MintedToken> {
        // What is over is forgotten when something is added, so that the file stays small.
        for (const auto& entry : std::vector<TokenEntry>(table.entries())) {
            if (entry.expires_at && *entry.expires_at <= now) table.remove(entry.id);
        }
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

Result<void> keep_operator_token(const std::string& state, Instant now) {
    auto plain = TRY(read_file(plain_file(state)));
    if (plain) *plain = trimmed(std::move(*plain));
    if (plain && plain->size() < token_length_min) {
        return fail(ErrorKind::invalid, "{} holds no token of {} characters or more: remove it to have one minted",
                    plain_file(state), token_length_min);
    }
    if (!plain) {
        plain = "berth_" + random_hex(token_bytes);
        TRY(replace_file(plain_file(state), *plain + "\n"));
    }
    return with_table(state, [&](TokenTable& table) -> Result<void> {
        if (table.find(*plain, now)) return {};
        return table.add({.id = "t-" + random_hex(6), .role = TokenRole::operations, .user = UserId{"operator"},
                          .note = "of this machine, in <state>/token", .hash = hash_of_token(*plain), .created_at = now});
    });
}

}  // namespace berth::gateway
