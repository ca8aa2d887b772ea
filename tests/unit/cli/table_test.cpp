// SPDX-License-Identifier: Apache-2.0
// The same rows for people and for scripts.
#include "cli/table.hpp"

#include <gtest/gtest.h>

#include "cli/terminal.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {
namespace {

std::vector<Column> two_columns() {
    return {{"NAME", [](const Json& row) { return text_at(row, "name"); }},
            {"SIZE", [](const Json& row) { return text_at(row, "size"); }, Shown::always, Align::right},
            {"IDLE AFTER", [](const Json& row) { return text_at(row, "idle"); }, Shown::wide}};
}

std::string rows(const std::vector<Json>& of, const Look& look) {
    const auto out = render_rows(two_columns(), of, "name", look);
    return out ? *out : "error: " + out.error().text;
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
    use_utf8();
    EXPECT_EQ(rows({{{"name", "größe"}, {"size", 12}}, {{"name", "b"}, {"size", 3}}}, {}),
              "NAME    SIZE\n"
              "größe     12\n"
              "b          3\n");
}

TEST(Table, WhatIsMissingIsADash) { EXPECT_EQ(rows({Json::object()}, {}), "NAME   SIZE\n-         -\n"); }

TEST(Table, EscapesInDataDoNotReachTheTerminal) {
    EXPECT_EQ(rows({{{"name", "\033[2J"}, {"size", 1}}}, {}).find('\033'), std::string::npos);
    EXPECT_EQ(rows({{{"name", "\033[2J"}}}, {.format = Format::name}).find('\033'), std::string::npos);
}

TEST(Table, OnANarrowTerminalEachRowIsABlock) {
    const std::vector<Json> two{{{"name", "a-long-name"}, {"size", 12}}, {{"name", "b"}, {"size", 3}}};
    EXPECT_EQ(rows(two, {.width = 18}), "NAME          SIZE\na-long-name     12\nb                3\n");
    EXPECT_EQ(rows(two, {.width = 17}), "name  a-long-name\nsize  12\n\nname  b\nsize  3\n");
    EXPECT_EQ(rows({}, {.width = 5}), "NAME   SIZE\n");
}

TEST(Table, WideShowsEverything) {
    EXPECT_EQ(rows({{{"name", "a"}, {"size", 1}, {"idle", "9m"}}}, {.format = Format::wide}),
              "NAME   SIZE   IDLE AFTER\na         1   9m\n");
}

TEST(Table, ChosenColumnsInTheChosenOrder) {
    EXPECT_EQ(rows({{{"name", "a"}, {"size", 1}, {"idle", "9m"}}}, {.columns = {"idle-after", "NAME"}}),
              "IDLE AFTER   NAME\n9m           a\n");
}

TEST(Table, AnUnknownColumnNamesTheKnownOnes) {
    const auto out = render_rows(two_columns(), {}, "name", {.columns = {"nam"}});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().kind, ErrorKind::invalid);
    EXPECT_NE(out.error().text.find("name, size, idle-after"), std::string::npos);
}

TEST(Table, JsonIsOneDocumentOfTheRowsThemselves) {
    const auto text = rows({{{"name", "a"}, {"extra", Json::array({1, 2})}}}, {.format = Format::json});
    EXPECT_EQ(Json::parse(text)[0]["extra"][1], 2);
}

TEST(Table, NamesAreOnePerLine) { EXPECT_EQ(rows({{{"name", "a"}}, {{"name", "b"}}}, {.format = Format::name}), "a\nb\n"); }

TEST(Table, ColourIsOnlyTheHeadline) {
    const auto text = rows({{{"name", "a"}, {"size", 1}}}, {.colour = true});
    EXPECT_EQ(text.rfind("\033[1m", 0), 0u);
    EXPECT_EQ(text.substr(text.find('\n') + 1).find('\033'), std::string::npos);
}

TEST(Table, OneThingIsTitlesAndValues) {
    const auto out = render_one(two_columns(), {{"name", "a"}, {"size", 1}}, "name", {});
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, "name  a\nsize  1\n");
}

TEST(Yaml, WhatCouldBeMistakenIsQuoted) {
    EXPECT_EQ(to_yaml({{"a", "yes"}, {"b", "12"}, {"c", "plain-text"}, {"d", true}, {"e", "x: y"}, {"f", nullptr}}),
              "a: \"yes\"\nb: \"12\"\nc: plain-text\nd: true\ne: \"x: y\"\nf: null\n");
}

TEST(Yaml, ListsAndMapsNest) {
    EXPECT_EQ(to_yaml({{"hosts", Json::array({{{"host", "h-1"}, {"slots", Json::array({0, 1})}}})}, {"none", Json::array()}}),
              "hosts:\n  - host: h-1\n    slots:\n      - 0\n      - 1\nnone: []\n");
}

TEST(Columns, AWorkspaceThatIsToBeStoppedSaysSo) {
    const auto now = *from_rfc3339("2026-11-21T10:00:00Z");
    const auto out = render_one(workspace_columns(now),
                                {{"workspace", "w-1"}, {"state", "active"}, {"expires_at", "2026-11-21T18:00:00Z"},
                                 {"idle_stop_at", "2026-11-21T10:00:20Z"}},
                                "workspace", {.columns = {"ends"}});
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, "ends  idle, stops in 20s\n");
}

TEST(Columns, UsedSlotsAreThoseThatNobodyElseMayHave) {
    const auto out = render_one(host_columns(Instant{}), {{"slots", Json::array({{{"use", "free"}}, {{"use", "leased"}}, {{"use", "stopping"}}})}},
                                "host", {.columns = {"used"}});
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, "used  2/3\n");
}

}  // namespace
}  // namespace berth::cli
