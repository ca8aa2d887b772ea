// SPDX-License-Identifier: Apache-2.0
#include "gateway/oidc.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/check.hpp"

namespace berth::gateway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t subject_max = 255;
constexpr std::size_t text_max = 200;     // of an issuer's words

std::string word(const Json& from, std::string_view key) {
    const auto at = from.find(std::string{key});
    return at != from.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

/// A claim that is one word or a list of them.
std::vector<std::string> words(const Json& from, std::string_view key) {
    const auto at = from.find(std::string{key});
    std::vector<std::string> all;
    if (at == from.end()) return all;
    if (at->is_string()) all.push_back(at->get<std::string>());
    if (!at->is_array()) return all;
    for (const auto& one : *at) {
        if (one.is_string()) all.push_back(one.get<std::string>());
    }
    return all;
}

std::optional<Instant> seconds(const Json& from, const char* key) {
    const auto at = from.find(key);
    if (at == from.end() || !at->is_number()) return std::nullopt;
    const auto value = at->get<double>();
    if (!(value >= 0 && value < 1e11)) return std::nullopt;
    return Instant{Duration{static_cast<std::int64_t>(value * 1000)}};
}

std::string encoded(std::string_view text) {
    std::string out;
    for (const unsigned char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) out += static_cast<char>(c);
        else out += fmt::format("%{:02X}", c);
    }
    return out;
}

std::string form(const std::vector<std::pair<std::string_view, std::string>>& fields) {
    std::string text;
    for (const auto& [key, value] : fields) text += fmt::format("{}{}={}", text.empty() ? "" : "&", key, encoded(value));
    return text;
}

std::string challenge_of(std::string_view verifier) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int length = 0;
    check(EVP_Digest(verifier.data(), verifier.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1, "SHA-256 works");
    return to_base64url({reinterpret_cast<const char*>(digest.data()), length});
}

bool is_loopback_url(std::string_view url) {
    for (const std::string_view way : {"http://127.0.0.1", "http://localhost", "http://[::1]"}) {
        if (!url.starts_with(way)) continue;
        const auto rest = url.substr(way.size());
        if (rest.empty() || rest.front() == ':' || rest.front() == '/') return true;
    }
    return false;
}

/// Secrets and keys go over it.
bool is_safe(std::string_view url) { return url.starts_with("https://") || is_loopback_url(url); }

/// In our page, so without what could be markup or a control.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, text_max)) out += static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '"' ? '.' : c;
    return out;
}

bool meets(const std::vector<std::string>& some, const std::vector<std::string>& wanted) {
    return std::any_of(some.begin(), some.end(), [&](const std::string& one) { return std::find(wanted.begin(), wanted.end(), one) != wanted.end(); });
}

Result<Person> person_of_claims(const OidcPolicy& policy, const Json& claims) {
    const auto name = word(claims, policy.user_claim);
    if (name.empty()) return fail(ErrorKind::denied, "the issuer does not say '{}' of you; oidc.user_claim names another claim", policy.user_claim);
    const auto verified = claims.find("email_verified");
    const bool is_verified = verified != claims.end() && ((verified->is_boolean() && verified->get<bool>()) || (verified->is_string() && *verified == "true"));
    if (policy.user_claim == "email" && !is_verified) {
        return fail(ErrorKind::denied, "the issuer does not say that your address is verified; oidc.user_claim names another claim");
    }
    if (const auto checked = check_name("the name that the issuer gives you", name); !checked) return fail(ErrorKind::denied, "{}", checked.error().text);
    const auto groups = words(claims, policy.groups_claim);
    if (meets(groups, policy.operator_groups)) return Person{UserId{name}, TokenRole::operations};
    if (!policy.user_groups.empty() && !meets(groups, policy.user_groups)) {
        return fail(ErrorKind::denied, "{} is in none of the groups that may come in here (oidc.user_groups)", name);
    }
    return Person{UserId{name}, TokenRole::user};
}

}  // namespace

Result<void> check_oidc(const OidcPolicy& policy) {
    if (policy.issuer.empty()) return {};
    if (!is_safe(policy.issuer)) return fail(ErrorKind::invalid, "oidc.issuer '{}' is no https:// address", policy.issuer);
    if (policy.client_id.empty()) return fail(ErrorKind::invalid, "oidc.client_id is missing: the issuer gives it when berth is registered there");
    if (policy.user_claim.empty()) return fail(ErrorKind::invalid, "oidc.user_claim is empty");
    return {};
}

std::string provider_name(const OidcPolicy& policy) {
    if (!policy.name.empty() || policy.issuer.empty()) return policy.name;
    const auto host = policy.issuer.substr(policy.issuer.find("://") + 3);
    return host.substr(0, host.find('/'));
}

std::string discovery_url(const OidcPolicy& policy) {
    auto url = policy.issuer;
    while (url.ends_with('/')) url.pop_back();
    return url + "/.well-known/openid-configuration";
}

Result<Discovery> read_discovery(const OidcPolicy& policy, std::string_view json) {
    const auto said = Json::parse(json, nullptr, false);
    if (!said.is_object()) return fail(ErrorKind::unavailable, "{} is no JSON object", discovery_url(policy));
    if (word(said, "issuer") != policy.issuer) {
        return fail(ErrorKind::denied, "what answers at {} calls itself '{}', not '{}' (oidc.issuer, character by character)", discovery_url(policy),
                    printable(word(said, "issuer")), policy.issuer);
    }
    Discovery found{word(said, "authorization_endpoint"), word(said, "token_endpoint"), word(said, "jwks_uri"), word(said, "userinfo_endpoint")};
    if (!is_safe(found.userinfo_endpoint)) found.userinfo_endpoint.clear();
    for (const auto& [name, url] : {std::pair{"authorization_endpoint", &found.authorization_endpoint}, {"token_endpoint", &found.token_endpoint}, {"jwks_uri", &found.jwks_uri}}) {
        if (!is_safe(*url)) return fail(ErrorKind::denied, "the {} of {} is no https:// address", name, policy.issuer);
    }
    const auto ways = words(said, "token_endpoint_auth_methods_supported");
    found.takes_basic = ways.empty() || meets(ways, {"client_secret_basic"});
    const auto names = said.find("authorization_response_iss_parameter_supported");
    found.names_itself = names != said.end() && names->is_boolean() && names->get<bool>();
    return found;
}

void Attempts::begin(Attempt attempt, Instant now) {
    std::erase_if(all_, [&](const auto& one) { return one.second.ends_at <= now; });
    if (all_.size() >= attempts_max) {
        all_.erase(std::min_element(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.second.ends_at < b.second.ends_at; }));
    }
    auto state = attempt.state;
    all_.insert_or_assign(std::move(state), std::move(attempt));
}

std::optional<Attempt> Attempts::take(const std::string& state, Instant now) {
    auto found = all_.extract(state);
    if (found.empty() || found.mapped().ends_at <= now) return std::nullopt;
    return std::move(found.mapped());
}

std::string authorization_url(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt) {
    std::string scopes;
    for (const auto& scope : policy.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
    const auto join = discovery.authorization_endpoint.find('?') == std::string::npos ? '?' : '&';
    return discovery.authorization_endpoint + join +
           form({{"response_type", "code"}, {"client_id", policy.client_id}, {"redirect_uri", attempt.redirect_uri}, {"scope", scopes},
                 {"state", attempt.state}, {"nonce", attempt.nonce}, {"code_challenge", challenge_of(attempt.verifier)}, {"code_challenge_method", "S256"}});
}

Exchange exchange_of(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt, std::string_view code, std::string_view secret) {
    std::vector<std::pair<std::string_view, std::string>> fields{{"grant_type", "authorization_code"}, {"code", std::string{code}},
                                                                 {"redirect_uri", attempt.redirect_uri}, {"code_verifier", attempt.verifier}};
    if (!secret.empty() && discovery.takes_basic) {
        return {form(fields), "Authorization: Basic " + to_base64(encoded(policy.client_id) + ":" + encoded(secret))};
    }
    fields.emplace_back("client_id", policy.client_id);
    if (!secret.empty()) fields.emplace_back("client_secret", std::string{secret});
    return {form(fields), ""};
}

Result<Tokens> tokens_of(std::string_view json) {
    const auto said = Json::parse(json, nullptr, false);
    if (!said.is_object()) return fail(ErrorKind::unavailable, "the issuer's token endpoint answered no JSON object");
    if (const auto error = word(said, "error"); !error.empty()) {
        return fail(ErrorKind::denied, "the issuer does not take the code: {} {}", printable(error), printable(word(said, "error_description")));
    }
    auto token = word(said, "id_token");
    if (token.empty()) return fail(ErrorKind::denied, "the issuer gave no id_token: does oidc.scopes have 'openid'?");
    return Tokens{std::move(token), word(said, "access_token")};
}

std::optional<Error> why_not_returned(const OidcPolicy& policy, const Discovery& discovery, const Attempt& attempt, const Returned& returned) {
    const auto denied = [](std::string text) { return Error{ErrorKind::denied, std::move(text)}; };
    if (returned.browser.size() != attempt.browser.size() ||
        CRYPTO_memcmp(returned.browser.data(), attempt.browser.data(), attempt.browser.size()) != 0) {
        return denied("this sign-in was begun in another browser, or this one keeps no cookie");
    }
    if (returned.issuer.empty() ? discovery.names_itself : returned.issuer != policy.issuer) {
        return denied("the answer does not come from the issuer that was asked");
    }
    if (!returned.error.empty()) return denied(fmt::format("the issuer did not sign you in: {} {}", printable(returned.error), printable(returned.error_text)));
    if (returned.code.empty()) return denied("the answer holds no code");
    return std::nullopt;
}

Result<std::string> claims_of(const OidcPolicy& policy, std::string_view id_token, const std::vector<PublicKey>& keys, const Attempt& attempt, Instant now) {
    auto payload = TRY(verify_jws(id_token, keys));
    const auto claims = Json::parse(payload, nullptr, false);
    const auto bad = [](std::string text) { return fail(ErrorKind::denied, "the issuer's token is not for this sign-in: {}", text); };
    if (!claims.is_object()) return bad("it is no JSON object");
    if (word(claims, "iss") != policy.issuer) return bad("another issuer made it");
    const auto audience = words(claims, "aud");
    const auto party = word(claims, "azp");
    if (!meets(audience, {policy.client_id})) return bad("it is for another client");
    if ((audience.size() > 1 && party.empty()) || (!party.empty() && party != policy.client_id)) return bad("it was given to another client");
    const auto ends = seconds(claims, "exp");
    const auto made = seconds(claims, "iat");
    const auto begins = seconds(claims, "nbf");
    const auto off = policy.clock_off_max;
    if (!ends || *ends + off <= now) return bad("it is over; is this machine's clock right?");
    if (!made || *made - off > now || (begins && *begins - off > now)) return bad("it is of the future; is this machine's clock right?");
    const auto nonce = word(claims, "nonce");
    if (nonce.size() != attempt.nonce.size() || CRYPTO_memcmp(nonce.data(), attempt.nonce.data(), nonce.size()) != 0) return bad("its nonce is another");
    const auto subject = word(claims, "sub");
    if (subject.empty() || subject.size() > subject_max) return bad("it names no subject");
    return payload;
}

bool lacks_claims(const OidcPolicy& policy, std::string_view claims) {
    const auto said = Json::parse(claims, nullptr, false);
    const bool by_group = !policy.user_groups.empty() || !policy.operator_groups.empty();
    return said.is_object() && (!said.contains(policy.user_claim) || (by_group && !said.contains(policy.groups_claim)));
}

Result<Person> person_of(const OidcPolicy& policy, std::string_view claims, std::string_view userinfo) {
    auto said = Json::parse(claims, nullptr, false);
    if (!said.is_object()) return fail(ErrorKind::denied, "the issuer's token holds no claims");
    if (!userinfo.empty()) {
        const auto more = Json::parse(userinfo, nullptr, false);
        if (!more.is_object() || word(more, "sub") != word(said, "sub")) return fail(ErrorKind::denied, "the issuer's userinfo is of somebody else, or no JSON");
        for (const auto& [key, value] : more.items()) {
            if (!said.contains(key)) said[key] = value;
        }
    }
    return person_of_claims(policy, said);
}

}  // namespace berth::gateway
