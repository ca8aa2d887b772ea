// SPDX-License-Identifier: Apache-2.0
// A compact JWS of exactly one shape: the header is compared byte by byte with ours, so nothing in
// a token can choose its algorithm, and no JSON is read before the signature was found right.
#include "hostkv/token.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.hpp"

namespace berth {
namespace {

using Json = nlohmann::json;

constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view issuer = "berth";
constexpr std::size_t token_bytes_max = 2048;
constexpr std::size_t signature_bytes = 32;
/// Agent and proxy each go on from the wall clock as it was when they started.
constexpr Duration clock_leeway{60'000};

std::string to_base64url(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char byte : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(byte);
        for (count += 8; count >= 6; count -= 6) text += alphabet[(bits >> (count - 6)) & 63];
    }
    if (count > 0) text += alphabet[(bits << (6 - count)) & 63];
    return text;
}

/// Strict: no padding, no blanks, and one text per value (the unused last bits are zero).
std::optional<std::string> from_base64url(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char letter : text) {
        const auto place = alphabet.find(letter);
        if (place == std::string_view::npos) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(place);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>((bits >> count) & 0xff);
        }
    }
    if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
    return bytes;
}

std::string sign(std::string_view text, std::string_view secret) {
    check(!secret.empty(), "a token needs the host's secret");
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    const auto* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
    check(made != nullptr && size == signature_bytes, "OpenSSL makes an HMAC-SHA256");
    return {reinterpret_cast<const char*>(digest.data()), size};
}

Duration lifetime_of(TokenPurpose purpose) {
    return purpose == TokenPurpose::link ? link_lifetime : session_lifetime;
}

Json numeric_date(Instant at) {
    const auto ms = at.time_since_epoch().count();
    if (ms % 1000 == 0) return ms / 1000;
    return static_cast<double>(ms) / 1000.0;
}

std::optional<Instant> read_date(const Json& payload, const char* name) {
    const auto found = payload.find(name);
    if (found == payload.end() || !found->is_number()) return std::nullopt;
    const auto seconds = found->get<double>();
    if (!(seconds >= 0 && seconds < 1e11)) return std::nullopt;
    return Instant{Duration{std::llround(seconds * 1000.0)}};
}

std::optional<std::string> read_text(const Json& payload, const char* name) {
    const auto found = payload.find(name);
    if (found == payload.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
}

std::optional<std::uint64_t> read_decimal(std::string_view text) {
    if (text.empty() || text.size() > 20 || (text[0] == '0' && text.size() > 1)) return std::nullopt;
    std::uint64_t value = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') return std::nullopt;
        const auto add = static_cast<std::uint64_t>(digit - '0');
        if (value > (~0ULL - add) / 10) return std::nullopt;
        value = value * 10 + add;
    }
    return value;
}

/// "<host>/<workspace>/<epoch>" for this host, into the claims.
bool read_audience(std::string_view audience, const HostId& host, TokenClaims& claims) {
    if (!audience.starts_with(host.value + "/")) return false;
    audience.remove_prefix(host.value.size() + 1);
    const auto slash = audience.find('/');
    if (slash == std::string_view::npos || slash == 0) return false;
    const auto epoch = read_decimal(audience.substr(slash + 1));
    if (!epoch) return false;
    claims.host = host;
    claims.workspace = WorkspaceId{std::string{audience.substr(0, slash)}};
    claims.epoch = Epoch{*epoch};
    return true;
}

tl::unexpected<Error> denied(std::string_view why) {
    return fail(ErrorKind::denied, "the token is not good here: {}; ask for a new link", why);
}

}  // namespace

std::string mint_token(const TokenClaims& claims, std::string_view secret) {
    const Json payload{{"iss", issuer},
                       {"aud", fmt::format("{}/{}/{}", claims.host.value, claims.workspace.value, claims.epoch.value)},
                       {"purpose", to_string(claims.purpose)},
                       {"sub", claims.user.value},
                       {"jti", claims.id},
                       {"nbf", numeric_date(claims.expires_at - lifetime_of(claims.purpose))},
                       {"exp", numeric_date(claims.expires_at)}};
    auto text = to_base64url(header) + "." + to_base64url(payload.dump());
    const auto signature = to_base64url(sign(text, secret));
    text += "." + signature;
    check(text.size() <= token_bytes_max, "a token stays within the size that is accepted");
    return text;
}

Result<TokenClaims> verify_token(std::string_view token, TokenPurpose purpose, const HostId& host,
                                 std::string_view secret, Instant now) {
    auto claims = read_token(token, purpose, host, secret, now);
    if (claims && now >= claims->expires_at) return denied("it has expired");
    return claims;
}

Result<TokenClaims> read_token(std::string_view token, TokenPurpose purpose, const HostId& host,
                               std::string_view secret, Instant now) {
    static const std::string our_header = to_base64url(header) + ".";
    if (token.size() > token_bytes_max) return denied("it is too long");
    if (!token.starts_with(our_header)) return denied("it is not of the one form that this host makes");
    const auto dot = token.rfind('.');
    if (dot < our_header.size()) return denied("it has no signature");
    const auto signature = from_base64url(token.substr(dot + 1));
    if (!signature || signature->size() != signature_bytes) return denied("its signature is malformed");
    const auto right = sign(token.substr(0, dot), secret);
    if (CRYPTO_memcmp(right.data(), signature->data(), signature_bytes) != 0) return denied("its signature is wrong");

    const auto body = from_base64url(token.substr(our_header.size(), dot - our_header.size()));
    if (!body) return denied("its body is malformed");
    const auto payload = Json::parse(*body, nullptr, false);
    if (!payload.is_object()) return denied("its body is no object");
    TokenClaims claims{.purpose = purpose};
    const auto user = read_text(payload, "sub");
    const auto id = read_text(payload, "jti");
    const auto audience = read_text(payload, "aud");
    const auto expires_at = read_date(payload, "exp");
    const auto valid_from = read_date(payload, "nbf");
    if (read_text(payload, "iss") != issuer || !user || !id || id->empty() || !audience || !expires_at || !valid_from) {
        return denied("a claim is missing");
    }
    if (read_text(payload, "purpose") != std::string{to_string(purpose)}) return denied("it serves another purpose");
    if (!read_audience(*audience, host, claims)) return denied("it is for another audience");
    if (now + clock_leeway < *valid_from) return denied("it is not valid yet");
    claims.user = UserId{*user};
    claims.id = *id;
    claims.expires_at = *expires_at;
    return claims;
}

}  // namespace berth
