// SPDX-License-Identifier: Apache-2.0
#include "aws/sign.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "http/client.hpp"

namespace berth::aws {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::chrono::seconds presigned_longest{7 * 86'400};

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    check(EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1, "OpenSSL makes a SHA-256");
    return to_hex({reinterpret_cast<const char*>(digest.data()), length});
}

std::string hmac(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                            digest.data(), &length);
    check(made != nullptr, "OpenSSL makes an HMAC-SHA256");
    return {reinterpret_cast<const char*>(digest.data()), length};
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// Blanks at the ends go, runs of them become one.
std::string folded(std::string_view value) {
    std::string plain;
    bool gap = false;
    for (const char c : value) {
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            gap = !plain.empty();
            continue;
        }
        if (gap) plain += ' ';
        gap = false;
        plain += c;
    }
    return plain;
}

// Dot segments and empty ones are left out, then each is encoded once more than it is on the wire.
std::string canonical_path(std::string_view path) {
    std::vector<std::string_view> kept;
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto segment = path.substr(at, end - at);
        if (segment == "..") {
            if (!kept.empty()) kept.pop_back();
        } else if (!segment.empty() && segment != ".") {
            kept.push_back(segment);
        }
        at = end + 1;
    }
    std::string canonical;
    for (const auto segment : kept) {
        canonical += '/';
        canonical += encoded(segment);
    }
    if (canonical.empty() || path.ends_with('/')) canonical += '/';
    return canonical;
}

std::string canonical_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> parts;
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto part = query.substr(0, end);
        const auto equals = part.find('=');
        if (!part.empty()) {
            parts.emplace_back(part.substr(0, equals), equals == std::string_view::npos ? "" : part.substr(equals + 1));
        }
        query = end == std::string_view::npos ? "" : query.substr(end + 1);
    }
    std::sort(parts.begin(), parts.end());
    std::string canonical;
    for (const auto& [name, value] : parts) {
        if (!canonical.empty()) canonical += '&';
        canonical += name;
        canonical += '=';
        canonical += value;
    }
    return canonical;
}

struct Canonical {
    std::string headers;                  // "name:value\n" …
    std::string names;                    // "a;b;c"
};

Canonical canonical_headers(const std::vector<Header>& headers) {
    std::map<std::string, std::string> sorted;
    for (const auto& [name, value] : headers) {
        auto& all = sorted[lower(name)];
        if (!all.empty()) all += ',';
        all += folded(value);
    }
    Canonical canonical;
    for (const auto& [name, value] : sorted) {
        canonical.headers += name;
        canonical.headers += ':';
        canonical.headers += value;
        canonical.headers += '\n';
        if (!canonical.names.empty()) canonical.names += ';';
        canonical.names += name;
    }
    return canonical;
}

std::string scope_text(const Scope& scope) {
    return fmt::format("{}/{}/{}/aws4_request", to_amz_date(scope.at).substr(0, 8), scope.region, scope.service);
}

std::string signature_of(std::string_view canonical_request, const Scope& scope, const Credentials& who) {
    const auto date = to_amz_date(scope.at);
    const auto to_sign = fmt::format("{}\n{}\n{}\n{}", algorithm, date, scope_text(scope), sha256_hex(canonical_request));
    auto key = hmac(fmt::format("AWS4{}", who.secret_key), date.substr(0, 8));
    key = hmac(key, scope.region);
    key = hmac(key, scope.service);
    key = hmac(key, "aws4_request");
    return to_hex(hmac(key, to_sign));
}

// The hash that a caller gave for the body stands for it.
std::string payload_hash(const Signable& request) {
    for (const auto& [name, value] : request.headers) {
        if (std::string_view{lower(name)} == "x-amz-content-sha256") return value;
    }
    return sha256_hex(request.body);
}

}  // namespace

std::string encoded(std::string_view text) { return http::url_encoded(text); }

std::string to_amz_date(Instant at) {
    auto text = to_rfc3339(at).substr(0, 19);
    std::erase(text, '-');
    std::erase(text, ':');
    return text + "Z";
}

std::vector<Header> sign(const Signable& request, const Scope& scope, const Credentials& who) {
    std::vector<Header> added{{"X-Amz-Date", to_amz_date(scope.at)}};
    if (!who.session_token.empty()) added.emplace_back("X-Amz-Security-Token", who.session_token);
    auto all = request.headers;
    all.insert(all.end(), added.begin(), added.end());
    all.emplace_back("host", request.host);
    const auto headers = canonical_headers(all);
    const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path), canonical_query(request.query),
                                       headers.headers, headers.names, payload_hash(request));
    added.emplace_back("Authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", algorithm, who.access_key,
                                                    scope_text(scope), headers.names, signature_of(canonical, scope, who)));
    return added;
}

std::string presign(const Signable& request, const Scope& scope, const Credentials& who, std::chrono::seconds lasts) {
    check(lasts.count() > 0 && lasts <= presigned_longest, "a presigned request holds for seven days at most");
    auto all = request.headers;
    all.emplace_back("host", request.host);
    const auto headers = canonical_headers(all);
    auto query = request.query;
    const auto add = [&](std::string_view name, std::string_view value) {
        if (!query.empty()) query += '&';
        query += name;
        query += '=';
        query += encoded(value);
    };
    add("X-Amz-Algorithm", algorithm);
    add("X-Amz-Credential", fmt::format("{}/{}", who.access_key, scope_text(scope)));
    add("X-Amz-Date", to_amz_date(scope.at));
    add("X-Amz-Expires", fmt::format("{}", lasts.count()));
    add("X-Amz-SignedHeaders", headers.names);
    if (!who.session_token.empty()) add("X-Amz-Security-Token", who.session_token);
    const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path), canonical_query(query), headers.headers,
                                       headers.names, payload_hash(request));
    add("X-Amz-Signature", signature_of(canonical, scope, who));
    return query;
}

}  // namespace berth::aws
