// SPDX-License-Identifier: Apache-2.0
#include "gateway/jws.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace berth::gateway {

namespace {

using Json = nlohmann::json;

constexpr int rsa_bits_min = 2048;
constexpr std::size_t coordinate_bytes = 32;   // of P-256

template <auto release>
struct Released {
    template <class T>
    void operator()(T* value) const { release(value); }
};
template <class T, auto release>
using Held = std::unique_ptr<T, Released<release>>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string word(const Json& from, const char* key) {
    const auto at = from.find(key);
    return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::shared_ptr<void> made_of(const char* kind, OSSL_PARAM_BLD* parts) {
    const Held<OSSL_PARAM, OSSL_PARAM_free> params{OSSL_PARAM_BLD_to_param(parts)};
    const Held<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context{EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr)};
    EVP_PKEY* key = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
        return {};
    }
    return {key, [](void* held) { EVP_PKEY_free(static_cast<EVP_PKEY*>(held)); }};
}

std::shared_ptr<void> rsa_key(const Json& jwk) {
    const auto n = from_base64url(word(jwk, "n"));
    const auto e = from_base64url(word(jwk, "e"));
    if (!n || !e || n->empty() || e->empty() || n->size() > 1024 || e->size() > 16) return {};
    const Held<BIGNUM, BN_free> modulus{BN_bin2bn(bytes_of(*n), static_cast<int>(n->size()), nullptr)};
    const Held<BIGNUM, BN_free> exponent{BN_bin2bn(bytes_of(*e), static_cast<int>(e->size()), nullptr)};
    const Held<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> parts{OSSL_PARAM_BLD_new()};
    if (!modulus || !exponent || !parts || BN_num_bits(modulus.get()) < rsa_bits_min || !BN_is_odd(exponent.get()) || BN_is_one(exponent.get()) ||
        OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return {};
    }
    return made_of("RSA", parts.get());
}

std::shared_ptr<void> p256_key(const Json& jwk) {
    const auto x = from_base64url(word(jwk, "x"));
    const auto y = from_base64url(word(jwk, "y"));
    if (word(jwk, "crv") != "P-256" || !x || !y || x->size() != coordinate_bytes || y->size() != coordinate_bytes) return {};
    const auto point = "\x04" + *x + *y;
    const Held<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> parts{OSSL_PARAM_BLD_new()};
    if (!parts || OSSL_PARAM_BLD_push_utf8_string(parts.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(parts.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
        return {};
    }
    return made_of("EC", parts.get());
}

// JWS has r and s side by side (RFC 7518, 3.4), OpenSSL wants them in DER.
std::string der_of(std::string_view signature) {
    if (signature.size() != 2 * coordinate_bytes) return {};
    const Held<ECDSA_SIG, ECDSA_SIG_free> both{ECDSA_SIG_new()};
    BIGNUM* r = BN_bin2bn(bytes_of(signature), coordinate_bytes, nullptr);
    BIGNUM* s = BN_bin2bn(bytes_of(signature) + coordinate_bytes, coordinate_bytes, nullptr);
    if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r, s) != 1) return {};
    unsigned char* der = nullptr;
    const int length = i2d_ECDSA_SIG(both.get(), &der);
    if (length <= 0) return {};
    std::string made(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
    OPENSSL_free(der);
    return made;
}

bool is_signed_by(const PublicKey& key, std::string_view text, std::string_view signature) {
    const auto sealed = key.alg == "ES256" ? der_of(signature) : std::string{signature};
    const Held<EVP_MD_CTX, EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
    auto* held = static_cast<EVP_PKEY*>(key.key.get());
    return context && !sealed.empty() && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, held) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(sealed), sealed.size(), bytes_of(text), text.size()) == 1;
}

std::string base64(std::string_view bytes, std::string_view letters, bool padded) {
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto left = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < left ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i) {
            if (i <= left) text += letters[group >> (18 - 6 * i) & 63U];
            else if (padded) text += '=';
        }
    }
    return text;
}

constexpr std::string_view url_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view letters_of_mime = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64url(std::string_view bytes) { return base64(bytes, url_letters, false); }
std::string to_base64(std::string_view bytes) { return base64(bytes, letters_of_mime, true); }

Result<std::string> from_base64url(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char letter : text) {
        const auto value = url_letters.find(letter);
        if (value == std::string_view::npos) return fail(ErrorKind::invalid, "a character is none of base64url");
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 255U);
    }
    // One reading for one text: what is left over is no whole character, and nought.
    if (bits >= 6 || (group & ((1U << bits) - 1)) != 0) return fail(ErrorKind::invalid, "it is no whole base64url");
    return bytes;
}

Result<std::vector<PublicKey>> read_jwks(std::string_view json) {
    const auto all = Json::parse(json, nullptr, false);
    const auto list = all.is_object() ? all.find("keys") : all.end();
    if (!all.is_object() || list == all.end() || !list->is_array()) return fail(ErrorKind::invalid, "it is no JWK Set: an object with a list 'keys'");
    std::vector<PublicKey> keys;
    for (const auto& jwk : *list) {
        if (!jwk.is_object() || keys.size() >= keys_max) continue;
        const auto kind = word(jwk, "kty");
        const auto use = word(jwk, "use");
        const std::string alg = kind == "RSA" ? "RS256" : "ES256";
        const auto stated = word(jwk, "alg");
        if ((kind != "RSA" && kind != "EC") || (!use.empty() && use != "sig") || (!stated.empty() && stated != alg)) continue;
        if (auto key = kind == "RSA" ? rsa_key(jwk) : p256_key(jwk)) keys.push_back({word(jwk, "kid"), alg, std::move(key)});
    }
    if (keys.empty()) return fail(ErrorKind::invalid, "no key in it is for RS256 (of {} bits or more) or ES256", rsa_bits_min);
    return keys;
}

Result<std::string> verify_jws(std::string_view token, const std::vector<PublicKey>& keys) {
    const auto bad = [](std::string_view why) { return fail(ErrorKind::denied, "the token is no good: {}", why); };
    if (token.size() > jws_bytes_max) return bad("it is too long");
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return bad("it has not three parts");
    const auto header = from_base64url(token.substr(0, first));
    const auto payload = from_base64url(token.substr(first + 1, second - first - 1));
    const auto signature = from_base64url(token.substr(second + 1));
    if (!header || !payload || !signature) return bad("a part is no base64url");
    const auto head = Json::parse(*header, nullptr, false);
    if (!head.is_object()) return bad("its header is no JSON object");
    if (head.contains("crit")) return bad("it has critical extensions, and none is known here");
    const auto alg = word(head, "alg");
    if (alg != "RS256" && alg != "ES256") return bad("its algorithm is neither RS256 nor ES256");
    const auto kid = word(head, "kid");
    const auto fits = [&](const PublicKey& key) { return key.alg == alg && (kid.empty() || key.kid == kid); };
    const auto count = std::count_if(keys.begin(), keys.end(), fits);
    if (count == 0) return fail(ErrorKind::not_found, "the token is signed with a key that the issuer does not list");
    if (kid.empty() && count > 1) return bad("it does not say which of the issuer's keys signed it");
    const bool good = std::any_of(keys.begin(), keys.end(), [&](const PublicKey& key) { return fits(key) && is_signed_by(key, token.substr(0, second), *signature); });
    if (!good) return bad("its signature is not that of the issuer's key");
    return *payload;
}

}  // namespace berth::gateway
