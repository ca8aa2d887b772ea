// SPDX-License-Identifier: Apache-2.0
// Bodies and queries: what does not fit is refused by name and reason, and nothing is guessed.
#include <gtest/gtest.h>

#include "gateway/fields.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

constexpr FieldRule rules[] = {{"project", FieldKind::project, Need::required, ""},
                               {"why", FieldKind::text, Need::optional, ""},
                               {"ttl_ms", FieldKind::duration_ms, Need::optional, ""},
                               {"until", FieldKind::instant, Need::optional, ""}};

TEST(Fields, bad_bodies_are_refused_each_for_its_reason) {
    const std::pair<std::string, Refusal> bodies[] = {
        {"{", Refusal::bad_json}, {"[]", Refusal::bad_json}, {"null", Refusal::bad_json}, {"{}{}", Refusal::bad_json},
        {"{\"project\":\"\xff\"}", Refusal::bad_json}, {"{\"project\":\"\\ud800\"}", Refusal::bad_json}, {R"({'project':'x'})", Refusal::bad_json},
        {R"({"project":"x",})", Refusal::bad_json}, {R"({"project":"x"} // c)", Refusal::bad_json}, {R"({"ttl_ms":NaN})", Refusal::bad_json},
        {R"({"project":"a","project":"b"})", Refusal::duplicate}, {R"({"project":"a","other":{"x":1,"x":2}})", Refusal::duplicate},
        {R"({"project":"a","pro\u006aect":"b"})", Refusal::duplicate},
        {std::string(60'000, '['), Refusal::too_deep}, {R"({"project":[[[[[[[[[[]]]]]]]]]]})", Refusal::too_deep},
        {R"({"project":"a","color":"red"})", Refusal::unknown_field},
        {"", Refusal::bad_field}, {"{}", Refusal::bad_field}, {R"({"project":null})", Refusal::bad_field}, {R"({"project":7})", Refusal::bad_field},
        {R"({"project":["a"]})", Refusal::bad_field}, {R"({"project":""})", Refusal::bad_field}, {R"({"project":".."})", Refusal::bad_field},
        {R"({"project":"../a"})", Refusal::bad_field}, {R"({"project":"a..b"})", Refusal::bad_field}, {R"({"project":"a/b"})", Refusal::bad_field},
        {R"({"project":"a\u0000"})", Refusal::bad_field}, {R"({"project":"a\nb"})", Refusal::bad_field}, {R"({"project":"é"})", Refusal::bad_field},
        {R"({"project":")" + std::string(65, 'a') + R"("})", Refusal::bad_field}, {R"({"project":"health"})", Refusal::bad_field},
        {R"({"project":"status"})", Refusal::bad_field}, {R"({"project":"v1"})", Refusal::bad_field}, {R"({"project":"metrics"})", Refusal::bad_field},
        {R"({"project":"a","ttl_ms":-1})", Refusal::bad_field}, {R"({"project":"a","ttl_ms":1.5})", Refusal::bad_field},
        {R"({"project":"a","ttl_ms":1e300})", Refusal::bad_field}, {R"({"project":"a","ttl_ms":99999999999999999999999})", Refusal::bad_field},
        {R"({"project":"a","ttl_ms":true})", Refusal::bad_field}, {R"({"project":"a","why":"a\u001bb"})", Refusal::bad_field},
        {R"({"project":"a","why":")" + std::string(201, 'x') + R"("})", Refusal::bad_field}, {R"({"project":"a","until":"tomorrow"})", Refusal::bad_field},
    };
    for (const auto& [body, reason] : bodies) {
        const auto read = read_body(body, 8, rules, Unknown::refused);
        ASSERT_TRUE(read.problem) << body;
        EXPECT_EQ(read.problem->refusal, reason) << body.substr(0, 80) << " → " << read.problem->text;
        EXPECT_EQ(read.problem->text.find('\n'), std::string::npos);
    }
}

TEST(Fields, good_bodies_are_read) {
    const auto read = read_body(R"({"project":"web.site-1","why":"größer","ttl_ms":5000,"until":"2030-01-01T00:00:00Z"})", 8, rules, Unknown::refused);
    ASSERT_FALSE(read.problem) << read.problem->text;
    EXPECT_EQ(read.fields.text("project"), "web.site-1");
    EXPECT_EQ(read.fields.duration("ttl_ms"), Duration{5000});
    EXPECT_EQ(read.fields.text("absent"), std::nullopt);
    EXPECT_FALSE(read_body(R"({"project":"a","why":null,"more":{"x":[1]}})", 8, rules, Unknown::ignored).problem) << "older clients";
}

TEST(Fields, a_whole_number_may_be_written_with_a_point) {
    const auto read = read_body(R"({"project":"a","ttl_ms":5000.0})", 8, rules, Unknown::refused);
    ASSERT_FALSE(read.problem) << read.problem->text;
    EXPECT_EQ(read.fields.duration("ttl_ms"), Duration{5'000});
    for (const auto* body : {R"({"project":"a","ttl_ms":-1.0})", R"({"project":"a","ttl_ms":1e300})", R"({"project":"a","ttl_ms":0.5})"}) {
        EXPECT_TRUE(read_body(body, 8, rules, Unknown::refused).problem) << body;
    }
}

TEST(Fields, queries) {
    const FieldRule query[] = {{"limit", FieldKind::number, Need::optional, ""}, {"types", FieldKind::words, Need::optional, ""}};
    EXPECT_EQ(read_query("limit=5&types=a.%2Cb.", query, Unknown::refused).fields.text("types"), "a.,b.");
    for (const char* bad : {"limit=", "limit=-1", "limit=5&limit=6", "types=%00", "types=%zz", "types=%", "types=%0a", "types=%ff", "x=1", "%ff=1"}) {
        EXPECT_TRUE(read_query(bad, query, Unknown::refused).problem) << bad;
    }
    EXPECT_EQ(read_query(std::string(5000, 'a'), query, Unknown::refused).problem->refusal, Refusal::too_large);
}

}  // namespace
}  // namespace berth::gateway::testing
