// SPDX-License-Identifier: Apache-2.0
// Signing in by OpenID Connect: what is judged before anybody is let in.
#include <gmock/gmock.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <nlohmann/json.hpp>

#include "gateway/oidc.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

struct Signer {
    std::string kid;
    std::string alg;
    std::shared_ptr<EVP_PKEY> key;

    static Signer rsa(std::string kid, unsigned bits = 2048) { return {std::move(kid), "RS256", {EVP_RSA_gen(bits), EVP_PKEY_free}}; }
    static Signer p256(std::string kid) { return {std::move(kid), "ES256", {EVP_EC_gen("P-256"), EVP_PKEY_free}}; }

    std::string number(const char* name, int pad = 0) const {
        BIGNUM* value = nullptr;
        EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), name, &value), 1);
        std::string bytes(static_cast<std::size_t>(pad ? pad : BN_num_bytes(value)), '\0');
        BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
        BN_free(value);
        return to_base64url(bytes);
    }
    Json jwk() const {
        if (alg == "RS256") return {{"kty", "RSA"}, {"kid", kid}, {"use", "sig"}, {"n", number(OSSL_PKEY_PARAM_RSA_N)}, {"e", number(OSSL_PKEY_PARAM_RSA_E)}};
        return {{"kty", "EC"}, {"crv", "P-256"}, {"kid", kid}, {"x", number(OSSL_PKEY_PARAM_EC_PUB_X, 32)}, {"y", number(OSSL_PKEY_PARAM_EC_PUB_Y, 32)}};
    }
    std::string sign(const Json& claims, const Json& more_head = Json::object()) const {
        Json head = {{"alg", alg}, {"kid", kid}};
        head.update(more_head);
        const auto text = to_base64url(head.dump()) + "." + to_base64url(claims.dump());
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        std::string signature(1024, '\0');
        std::size_t length = signature.size();
        EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key.get());
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &length, reinterpret_cast<const unsigned char*>(text.data()), text.size());
        EVP_MD_CTX_free(context);
        signature.resize(length);
        if (alg == "ES256") {
            const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
            ECDSA_SIG* both = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(length));
            signature.assign(64, '\0');
            BN_bn2binpad(ECDSA_SIG_get0_r(both), reinterpret_cast<unsigned char*>(signature.data()), 32);
            BN_bn2binpad(ECDSA_SIG_get0_s(both), reinterpret_cast<unsigned char*>(signature.data()) + 32, 32);
            ECDSA_SIG_free(both);
        }
        return text + "." + to_base64url(signature);
    }
};

const Signer& rsa() {
    static const auto signer = Signer::rsa("k-rsa");
    return signer;
}
const Signer& p256() {
    static const auto signer = Signer::p256("k-ec");
    return signer;
}
std::vector<PublicKey> keys_of(std::vector<Json> jwks) { return read_jwks(Json{{"keys", jwks}}.dump()).value(); }

Result<Person> person_of(const OidcPolicy& by, const std::string& token, const std::vector<PublicKey>& keys, const Attempt& attempt, Instant now) {
    return gateway::person_of(by, TRY(claims_of(by, token, keys, attempt, now)), "");
}

const OidcPolicy policy{.issuer = "https://id.example.org", .client_id = "berth", .operator_groups = {"admins"}};
const Attempt attempt{.state = "st", .nonce = "no", .verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", .browser = "br", .to = "/open/w-1",
                      .redirect_uri = "https://berth.example.org/sign-in/oidc/done", .ends_at = turn.now + Duration{60'000}};

Json claims() {
    const auto now = turn.now.time_since_epoch().count() / 1000;
    return {{"iss", policy.issuer}, {"aud", "berth"}, {"sub", "248"}, {"nonce", "no"}, {"iat", now}, {"exp", now + 300},
            {"email", "ada@example.org"}, {"email_verified", true}, {"groups", {"staff"}}};
}

TEST(Oidc, a_good_token_says_who_it_is) {
    const auto keys = keys_of({rsa().jwk(), p256().jwk()});
    for (const auto* signer : {&rsa(), &p256()}) {
        const auto person = person_of(policy, signer->sign(claims()), keys, attempt, turn.now);
        ASSERT_TRUE(person) << person.error().text;
        EXPECT_EQ(*person, (Person{UserId{"ada@example.org"}, TokenRole::user}));
    }
    auto boss = claims();
    boss["groups"] = {"staff", "admins"};
    EXPECT_EQ(person_of(policy, rsa().sign(boss), keys, attempt, turn.now)->role, TokenRole::operations);
}

TEST(Oidc, whatever_is_not_for_this_sign_in_lets_nobody_in) {
    const auto now = turn.now.time_since_epoch().count() / 1000;
    const struct {
        const char* name;
        Json change;
        const char* said;
    } rows[] = {
        {"issuer", {{"iss", "https://evil.example"}}, "another issuer"},
        {"issuer with a slash", {{"iss", policy.issuer + "/"}}, "another issuer"},
        {"audience", {{"aud", "other"}}, "another client"},
        {"audience of many without a party", {{"aud", {"berth", "other"}}}, "given to another client"},
        {"party", {{"azp", "other"}}, "given to another client"},
        {"no audience", {{"aud", nullptr}}, "another client"},
        {"nonce", {{"nonce", "nope"}}, "nonce"},
        {"no nonce", {{"nonce", nullptr}}, "nonce"},
        {"over", {{"exp", now - 61}}, "it is over"},
        {"no end", {{"exp", nullptr}}, "it is over"},
        {"of the future", {{"iat", now + 120}}, "of the future"},
        {"not yet", {{"nbf", now + 120}}, "of the future"},
        {"no subject", {{"sub", ""}}, "no subject"},
        {"unverified", {{"email_verified", false}}, "verified"},
        {"no name", {{"email", nullptr}}, "does not say 'email'"},
        {"a bad name", {{"email", "../ada"}}, "name"},
    };
    const auto keys = keys_of({rsa().jwk()});
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        auto changed = claims();
        changed.update(row.change);
        const auto person = person_of(policy, rsa().sign(changed), keys, attempt, turn.now);
        ASSERT_FALSE(person);
        EXPECT_EQ(person.error().kind, ErrorKind::denied);
        EXPECT_THAT(person.error().text, HasSubstr(row.said));
    }
    auto guarded = policy;
    guarded.user_groups = {"developers"};
    EXPECT_THAT(person_of(guarded, rsa().sign(claims()), keys, attempt, turn.now).error().text, HasSubstr("none of the groups"));
    auto within = claims();
    within["exp"] = now - 59;
    EXPECT_TRUE(person_of(policy, rsa().sign(within), keys, attempt, turn.now)) << "clocks may differ a little";
}

TEST(Oidc, what_the_token_does_not_say_the_issuers_userinfo_may) {
    auto bare = claims();
    bare.erase("email");
    bare.erase("email_verified");
    EXPECT_TRUE(lacks_claims(policy, bare.dump()));
    EXPECT_FALSE(lacks_claims(policy, claims().dump()));
    const Json more{{"sub", "248"}, {"email", "eve@example.org"}, {"email_verified", true}, {"iss", "x"}};
    EXPECT_EQ(gateway::person_of(policy, bare.dump(), more.dump())->user, UserId{"eve@example.org"});
    EXPECT_EQ(gateway::person_of(policy, claims().dump(), more.dump())->user, UserId{"ada@example.org"}) << "what is signed counts first";
    auto others = more;
    others["sub"] = "7";
    EXPECT_FALSE(gateway::person_of(policy, bare.dump(), others.dump()));
    EXPECT_FALSE(gateway::person_of(policy, bare.dump(), "eyJ"));
}

TEST(Oidc, only_the_issuers_own_keys_by_their_own_algorithm_count) {
    const auto keys = keys_of({rsa().jwk(), p256().jwk()});
    const auto said = [&](const std::string& token) { return verify_jws(token, keys).error(); };
    const auto stranger = Signer::rsa("k-rsa");
    EXPECT_THAT(said(stranger.sign(claims())).text, HasSubstr("signature"));
    EXPECT_EQ(said(Signer::p256("k-new").sign(claims())).kind, ErrorKind::not_found) << "it may be new: the issuer is asked again";
    EXPECT_EQ(said(rsa().sign(claims(), {{"alg", "ES256"}, {"kid", "k-rsa"}})).kind, ErrorKind::not_found) << "the key says which algorithm";
    EXPECT_THAT(said(rsa().sign(claims(), {{"alg", "none"}})).text, HasSubstr("algorithm"));
    EXPECT_THAT(said(rsa().sign(claims(), {{"alg", "HS256"}})).text, HasSubstr("algorithm"));
    EXPECT_THAT(said(rsa().sign(claims(), {{"crit", {"b64"}}})).text, HasSubstr("critical"));
    const auto good = rsa().sign(claims());
    auto other = claims();
    other["email"] = "eve@example.org";
    const auto first = good.find('.'), second = good.find('.', first + 1);
    EXPECT_THAT(said(good.substr(0, first + 1) + to_base64url(other.dump()) + good.substr(second)).text, HasSubstr("signature"));
    EXPECT_THAT(said(good.substr(0, second + 1)).text, HasSubstr("signature"));
    for (const auto& bad : {std::string{}, std::string{"a.b"}, good + ".x", good + "=", "." + good, std::string(40'000, 'a')}) {
        EXPECT_FALSE(verify_jws(bad, keys)) << bad.substr(0, 20);
    }
    EXPECT_TRUE(verify_jws(p256().sign(claims(), {{"kid", nullptr}}), keys)) << "one key of its kind needs no name";
}

TEST(Oidc, weak_and_broken_keys_are_passed_over) {
    const auto weak = Signer::rsa("weak", 1024).jwk();
    auto off_curve = p256().jwk();
    off_curve["y"] = off_curve["x"];
    auto for_secrets = rsa().jwk();
    for_secrets["use"] = "enc";
    EXPECT_FALSE(read_jwks(Json{{"keys", {weak, off_curve, for_secrets, 7, Json::object()}}}.dump()));
    EXPECT_EQ(keys_of({weak, rsa().jwk()}).size(), 1U);
    for (const char* bad : {"", "[]", "{}", R"({"keys":7})"}) EXPECT_FALSE(read_jwks(bad)) << bad;
}

TEST(Oidc, base64url_has_one_reading) {
    for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"}) EXPECT_EQ(from_base64url(to_base64url(text)), text);
    EXPECT_EQ(to_base64("a:b"), "YTpi");
    EXPECT_EQ(to_base64("a"), "YQ==");
    for (const char* bad : {"YQ==", "YR", "Y", "Y+Q", "YQ\n"}) EXPECT_FALSE(from_base64url(bad)) << bad;
}

Discovery issuer() { return {"https://id.example.org/auth", "https://id.example.org/token", "https://id.example.org/jwks"}; }

TEST(Oidc, the_issuer_has_to_be_the_one_that_was_named) {
    const auto document = [](Json change = Json::object()) {
        Json made = {{"issuer", policy.issuer}, {"authorization_endpoint", issuer().authorization_endpoint}, {"token_endpoint", issuer().token_endpoint}, {"jwks_uri", issuer().jwks_uri}};
        made.update(change);
        return made.dump();
    };
    EXPECT_TRUE(read_discovery(policy, document()));
    EXPECT_THAT(read_discovery(policy, document({{"issuer", "https://evil.example"}})).error().text, HasSubstr("calls itself 'https://evil.example'"));
    EXPECT_FALSE(read_discovery(policy, document({{"token_endpoint", "http://id.example.org/token"}}))) << "a secret goes there";
    EXPECT_FALSE(read_discovery(policy, document({{"jwks_uri", "http://127.0.0.1.evil.example/"}})));
    EXPECT_FALSE(read_discovery(policy, "nginx"));
    EXPECT_FALSE(read_discovery(policy, document({{"token_endpoint_auth_methods_supported", {"client_secret_post"}}}))->takes_basic);
    EXPECT_FALSE(check_oidc({.issuer = "http://id.example.org", .client_id = "berth"}));
    EXPECT_FALSE(check_oidc({.issuer = "https://id.example.org"}));
    EXPECT_TRUE(check_oidc({}));
    EXPECT_EQ(provider_name(policy), "id.example.org");
}

TEST(Oidc, asks_with_pkce_state_and_nonce) {
    const auto url = authorization_url(policy, issuer(), attempt);
    EXPECT_THAT(url, HasSubstr("https://id.example.org/auth?response_type=code&client_id=berth&redirect_uri=https%3A%2F%2Fberth.example.org%2Fsign-in%2Foidc%2Fdone"));
    EXPECT_THAT(url, HasSubstr("scope=openid%20profile%20email&state=st&nonce=no"));
    EXPECT_THAT(url, HasSubstr("code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")) << "RFC 7636, appendix B";
    const auto basic = exchange_of(policy, issuer(), attempt, "c&d", "s:s");
    EXPECT_THAT(basic.body, HasSubstr("code=c%26d&"));
    EXPECT_EQ(basic.authorization, "Authorization: Basic " + to_base64("berth:s%3As"));
    EXPECT_EQ(basic.body.find("s%3As"), std::string::npos);
    EXPECT_THAT(exchange_of(policy, issuer(), attempt, "c", "").body, HasSubstr("client_id=berth"));
}

TEST(Oidc, an_answer_counts_once_in_time_and_in_the_browser_that_asked) {
    Attempts attempts;
    attempts.begin(attempt, turn.now);
    EXPECT_FALSE(attempts.take("other", turn.now));
    ASSERT_TRUE(attempts.take("st", turn.now));
    EXPECT_FALSE(attempts.take("st", turn.now)) << "replayed";
    attempts.begin(attempt, turn.now);
    EXPECT_FALSE(attempts.take("st", attempt.ends_at)) << "too late";
    for (std::size_t i = 0; i < attempts_max + 10; ++i) {
        auto one = attempt;
        one.state = std::to_string(i);
        one.ends_at = turn.now + Duration{1'000} + Duration{static_cast<std::int64_t>(i)};
        attempts.begin(one, turn.now);
    }
    EXPECT_EQ(attempts.size(), attempts_max);
    EXPECT_FALSE(attempts.take("0", turn.now));

    const Returned good{.code = "c", .state = "st", .browser = "br"};
    EXPECT_FALSE(why_not_returned(policy, issuer(), attempt, good));
    const auto why = [&](auto change) {
        auto returned = good;
        change(returned);
        const auto error = why_not_returned(policy, issuer(), attempt, returned);
        return error ? error->text : std::string{};
    };
    EXPECT_THAT(why([](auto& r) { r.browser = "bx"; }), HasSubstr("another browser"));
    EXPECT_THAT(why([](auto& r) { r.browser = ""; }), HasSubstr("another browser"));
    EXPECT_THAT(why([](auto& r) { r.issuer = "https://evil.example"; }), HasSubstr("the issuer that was asked"));
    EXPECT_THAT(why([](auto& r) { r.error = "access_denied"; }), HasSubstr("access_denied"));
    EXPECT_THAT(why([](auto& r) { r.code = ""; }), HasSubstr("no code"));
    auto names = issuer();
    names.names_itself = true;
    EXPECT_TRUE(why_not_returned(policy, names, attempt, good)) << "RFC 9207: an answer without its name is another's";
    EXPECT_THAT(tokens_of(R"({"error":"invalid_grant","error_description":"<b>"})").error().text, HasSubstr("invalid_grant .b."));
}

}  // namespace
}  // namespace berth::gateway::testing
