// SPDX-License-Identifier: Apache-2.0
// The catalog of settings: types, defaults and what is refused.
#include "settings/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "settings/rows.hpp"

namespace berth {
namespace {

using ::testing::HasSubstr;

const SettingRow& row(std::string_view section, std::string_view key) {
    for (const auto& one : find_settings(section)->rows) {
        if (one.key == key) return one;
    }
    throw std::out_of_range(std::string{key});
}

Result<void> check_one(const std::string& section, const std::string& key, const std::string& value) {
    Config config;
    config.set(section, key, value, "berth.toml:7");
    return check_settings(config, {section});
}

TEST(Catalog, NamesEachKeyOfASectionOnce) {
    for (const auto& section : settings_catalog()) {
        std::set<std::string_view> keys;
        EXPECT_FALSE(section.rows.empty()) << section.name;
        EXPECT_FALSE(section.about.empty()) << section.name;
        for (const auto& one : section.rows) EXPECT_TRUE(keys.insert(one.key).second) << section.name << "." << one.key;
    }
}

TEST(Catalog, KnowsTypesAndDefaults) {
    EXPECT_EQ(row("pool.default", "buffer_unit").type, "slots|hosts");
    EXPECT_EQ(row("pool.default", "idle_after_ms").by_default, "\"15m\"");
    EXPECT_EQ(row("pool.gpu", "buffer").type, "number") << "each pool has the keys of [pool.default]";
    EXPECT_EQ(row("gateway", "metrics_open").by_default, "true");
    EXPECT_EQ(row("compat", "trusted_networks").by_default, "[]");
    EXPECT_EQ(row("docker", "cpus").by_default, "1");
    EXPECT_EQ(find_settings("nobody"), nullptr);
}

TEST(Catalog, RefusesWhatIsNoneOfItsKeysOrTypes) {
    const std::pair<std::vector<std::string>, std::string> wrong[] = {
        {{"gateway", "prot", "9092"}, "port"},
        {{"gateway", "port", "often"}, "port"},
        {{"gateway", "port", "-1"}, "out of range"},
        {{"gateway", "connections_max", "5000000000"}, "out of range"},
        {{"gateway", "claim_wait", "soon"}, "claim_wait"},
        {{"gateway", "metrics_open", "perhaps"}, "metrics_open"},
        {{"pool.gpu", "buffer_unit", "pieces"}, "none of slots|hosts"},
    };
    for (const auto& [setting, words] : wrong) {
        const auto checked = check_one(setting[0], setting[1], setting[2]);
        ASSERT_FALSE(checked) << setting[1] << " = " << setting[2];
        EXPECT_THAT(checked.error().text, HasSubstr(words));
        EXPECT_THAT(checked.error().text, HasSubstr("berth.toml:7"));
    }
    EXPECT_TRUE(check_one("gateway", "port", "9093"));
    EXPECT_TRUE(check_one("pool.gpu", "buffer_unit", "hosts"));
    EXPECT_TRUE(check_one("pool.gpu", "idle_job_max_ms", "2h"));
}

TEST(Catalog, WritesLengthsInTheLargestUnitThatFits) {
    EXPECT_EQ(length_as_toml(Duration{0}), "0ms");
    EXPECT_EQ(length_as_toml(Duration{90'000}), "90s");
    EXPECT_EQ(length_as_toml(Duration{7'200'000}), "2h");
    EXPECT_EQ(length_as_toml(Duration{1'500}), "1500ms");
    EXPECT_EQ(text_as_toml("a \"b\" \\"), "\"a \\\"b\\\" \\\\\"");
}

}  // namespace
}  // namespace berth
