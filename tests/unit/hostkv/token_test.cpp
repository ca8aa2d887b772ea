// SPDX-License-Identifier: Apache-2.0
// I26: a token is for one host, workspace and epoch, one purpose, one algorithm. The forgeries are
// signed with the right secret wherever signing could help them.
#include "hostkv/token.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <functional>

namespace berth {
namespace {

const std::string secret(64, 'k');
const HostId host{"h-1"};
const Instant now{Duration{1'800'000'000'123}};

TokenClaims good_claims() {
    return {.purpose = TokenPurpose::link, .host = host, .workspace = {"w-1"}, .epoch = Epoch{7}, .user = {"ada"},
            .id = "id-1", .expires_at = now + link_lifetime};
}

std::string base64url(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    while (text.ends_with('=')) text.pop_back();
    for (char& letter : text) letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
    return text;
}

std::string signed_text(const std::string& header, const std::string& payload, const EVP_MD* digest = EVP_sha256(),
                        const std::string& key = secret) {
    const auto text = base64url(header) + "." + base64url(payload);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), mac, &size);
    return text + "." + base64url({reinterpret_cast<const char*>(mac), size});
}

const std::string our_header = R"({"alg":"HS256","typ":"JWT"})";
const std::string our_payload =
    R"({"iss":"berth","aud":"h-1/w-1/7","purpose":"link","sub":"ada","jti":"x","nbf":1800000000,"exp":1800000060})";

std::string with_payload(const std::string& from, const std::string& to) {
    auto payload = our_payload;
    payload.replace(payload.find(from), from.size(), to);
    return signed_text(our_header, payload);
}

TEST(Token, WhatWasMintedIsVerifiedWithAllItsClaims) {
    for (const auto purpose : {TokenPurpose::link, TokenPurpose::session}) {
        auto claims = good_claims();
        claims.purpose = purpose;
        const auto verified = verify_token(mint_token(claims, secret), purpose, host, secret, now);
        ASSERT_TRUE(verified) << verified.error().text;
        EXPECT_EQ(*verified, claims);
    }
}

TEST(Token, ATokenSignedByAnIndependentWriterOfTheSameFormIsVerified) {
    const auto verified = verify_token(signed_text(our_header, our_payload), TokenPurpose::link, host, secret, now);

    ASSERT_TRUE(verified) << verified.error().text;
    EXPECT_EQ(verified->workspace.value, "w-1");
    EXPECT_EQ(verified->epoch, Epoch{7});
}

TEST(Token, TheExpiryIsExact) {
    const auto claims = good_claims();
    const auto token = mint_token(claims, secret);

    EXPECT_TRUE(verify_token(token, TokenPurpose::link, host, secret, claims.expires_at - Duration{1}));
    EXPECT_FALSE(verify_token(token, TokenPurpose::link, host, secret, claims.expires_at));
}

TEST(Token, I26_ForgedTokensAreDenied) {
    const auto token = mint_token(good_claims(), secret);
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    const auto head = token.substr(0, first);
    const auto body = token.substr(first + 1, last - first - 1);
    const auto mac = token.substr(last + 1);
    const auto minted = [&](const std::function<void(TokenClaims&)>& change, const std::string& key = secret) {
        auto claims = good_claims();
        change(claims);
        return mint_token(claims, key);
    };
    auto flipped = token;
    flipped[last + 3] = flipped[last + 3] == 'A' ? 'B' : 'A';
    auto other_body = token;
    other_body[first + 5] = other_body[first + 5] == 'A' ? 'B' : 'A';
    auto loose_bits = token;   // 43 letters carry 258 bits: the last two must be zero
    loose_bits.back() = static_cast<char>(loose_bits.back() + 1);

    struct Row {
        std::string name;
        std::string token;
    };
    const std::vector<Row> rows{
        {"nothing", ""},
        {"one dot", "."},
        {"two dots", ".."},
        {"alg none, no signature", base64url(R"({"alg":"none","typ":"JWT"})") + "." + base64url(our_payload) + "."},
        {"alg none, signed", signed_text(R"({"alg":"none","typ":"JWT"})", our_payload)},
        {"alg None", base64url(R"({"alg":"None"})") + "." + base64url(our_payload) + "."},
        {"HS512, truly so", signed_text(R"({"alg":"HS512","typ":"JWT"})", our_payload, EVP_sha512())},
        {"HS512 in the header alone", signed_text(R"({"alg":"HS512","typ":"JWT"})", our_payload)},
        {"HS512 under our header", signed_text(our_header, our_payload, EVP_sha512())},
        {"RS256 in the header", signed_text(R"({"alg":"RS256","typ":"JWT"})", our_payload)},
        {"ES256 in the header", signed_text(R"({"alg":"ES256","typ":"JWT"})", our_payload)},
        {"a header with a key of its own", signed_text(R"({"alg":"HS256","typ":"JWT","kid":"../../dev/null"})", our_payload)},
        {"alg twice", signed_text(R"({"alg":"HS256","alg":"none","typ":"JWT"})", our_payload)},
        {"a header with blanks", signed_text(R"({ "alg":"HS256","typ":"JWT"})", our_payload)},
        {"alg in small letters", signed_text(R"({"alg":"hs256","typ":"JWT"})", our_payload)},
        {"another secret", minted([](auto&) {}, std::string(64, 'j'))},
        {"an empty secret", signed_text(our_header, our_payload, EVP_sha256(), "")},
        {"another host", minted([](auto& claims) { claims.host = {"h-2"}; })},
        {"a host whose name begins like ours", minted([](auto& claims) { claims.host = {"h-11"}; })},
        {"a session as a link", minted([](auto& claims) { claims.purpose = TokenPurpose::session; })},
        {"another purpose", with_payload(R"("purpose":"link")", R"("purpose":"admin")")},
        {"no purpose", with_payload(R"("purpose":"link",)", "")},
        {"a purpose that is a list", with_payload(R"("purpose":"link")", R"("purpose":["link"])")},
        {"expired", minted([](auto& claims) { claims.expires_at = now - Duration{1}; })},
        {"expires this instant", minted([](auto& claims) { claims.expires_at = now; })},
        {"not valid yet", minted([](auto& claims) { claims.expires_at = now + Duration{180'000}; })},
        {"valid for longer than its kind may be", minted([](auto& claims) { claims.expires_at = now + Duration{86'400'000}; })},
        {"no expiry", with_payload(R"(,"exp":1800000060)", "")},
        {"an expiry that is text", with_payload(R"("exp":1800000060)", R"("exp":"1800000060")")},
        {"an expiry beyond numbers", with_payload(R"("exp":1800000060)", R"("exp":1e300)")},
        {"no nbf", with_payload(R"("nbf":1800000000,)", "")},
        {"another issuer", with_payload(R"("iss":"berth")", R"("iss":"barth")")},
        {"an audience in a list", with_payload(R"("aud":"h-1/w-1/7")", R"("aud":["h-1/w-1/7"])")},
        {"an audience without epoch", with_payload("h-1/w-1/7", "h-1/w-1")},
        {"an audience without workspace", with_payload("h-1/w-1/7", "h-1//7")},
        {"an audience with a signed epoch", with_payload("h-1/w-1/7", "h-1/w-1/+7")},
        {"an audience with a padded epoch", with_payload("h-1/w-1/7", "h-1/w-1/07")},
        {"an epoch beyond 64 bits", with_payload("h-1/w-1/7", "h-1/w-1/18446744073709551616")},
        {"an audience with a fourth part", with_payload("h-1/w-1/7", "h-1/w-1/7/9")},
        {"no id", with_payload(R"("jti":"x",)", "")},
        {"an empty id", with_payload(R"("jti":"x")", R"("jti":"")")},
        {"no user", with_payload(R"("sub":"ada",)", "")},
        {"a body that is a list", signed_text(our_header, "[]")},
        {"a body that is cut JSON", signed_text(our_header, our_payload.substr(0, 40))},
        {"a body that nests deep", signed_text(our_header, std::string(600, '['))},
        {"an empty body", signed_text(our_header, "")},
        {"a changed body", other_body},
        {"a changed signature", flipped},
        {"a signature with loose last bits", loose_bits},
        {"cut by one", token.substr(0, token.size() - 1)},
        {"without signature", token.substr(0, last)},
        {"with an empty signature", token.substr(0, last + 1)},
        {"two dots in a row", head + ".." + body + "." + mac},
        {"a fourth part", token + ".x"},
        {"a dot at the end", token + "."},
        {"a dot in front", "." + token},
        {"padded", token + "="},
        {"padded body", head + "." + body + "==." + mac},
        {"a blank in front", " " + token},
        {"a line feed behind", token + "\n"},
        {"a blank within", token.substr(0, last + 9) + " " + token.substr(last + 9)},
        {"a zero byte behind", token + std::string(1, '\0')},
        {"huge", head + "." + std::string(4'000'000, 'A') + "." + mac},
        {"longer than allowed, rightly signed", signed_text(our_header, our_payload + std::string(2000, ' '))},
    };
    ASSERT_GE(rows.size(), 30U);
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto verified = verify_token(row.token, TokenPurpose::link, host, secret, now);
        ASSERT_FALSE(verified);
        EXPECT_EQ(verified.error().kind, ErrorKind::denied);
        EXPECT_EQ(verified.error().text.find(secret), std::string::npos);
    }
}

TEST(Token, I26_ALinkIsNoSession) {
    EXPECT_FALSE(verify_token(mint_token(good_claims(), secret), TokenPurpose::session, host, secret, now));
}

}  // namespace
}  // namespace berth
