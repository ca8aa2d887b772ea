// SPDX-License-Identifier: Apache-2.0
// The .env of a forerunner (req 22).
#include "cli/up/seed.hpp"

#include <gmock/gmock.h>

#include <map>

#include "cli/up/effective.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;

Result<std::string> effective(const std::map<std::string, std::string>& environment, const std::string& file = "") {
    const auto settings = TRY(seed_settings([&](const char* name) { return environment.contains(name) ? environment.at(name) : std::string{}; }, file));
    return effective_config(file, "", settings);
}

std::string text_of(const std::string& toml, const std::string& section, const std::string& key) { return text_in(toml, section, key, "(not set)"); }

TEST(Seed, req22_its_env_makes_a_pool_of_its_group) {
    const auto text = effective({{"ASG_NAME", "my-workers"}, {"TARGET_AVAILABLE", "3"}, {"PORT", "8081"}, {"TABLE_NAME", "worker_pool"}, {"AWS_ACCESS_KEY", "AK"}});
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_EQ(text_of(*text, "pool.default", "provider"), "aws-asg");
    EXPECT_EQ(text_of(*text, "pool.default.template", "group"), "my-workers");
    EXPECT_EQ(text_of(*text, "pool.default", "buffer"), "3");
    EXPECT_EQ(text_of(*text, "pool.default", "buffer_unit"), "hosts");
    EXPECT_EQ(text_of(*text, "pool.default", "slots_per_host"), "1");
    EXPECT_EQ(text_of(*text, "gateway", "port"), "8081");
    EXPECT_EQ(text_of(*text, "projector", "dynamodb"), "worker_pool");
}

TEST(Seed, without_a_group_a_port_is_anybodys) {
    const auto text = effective({{"PORT", "3000"}, {"TARGET_AVAILABLE", "3"}});
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_EQ(text_of(*text, "gateway", "port"), "(not set)");
    EXPECT_EQ(text_of(*text, "pool.default", "buffer"), "(not set)");
}

TEST(Seed, what_the_file_says_goes_before) {
    const auto text = effective({{"ASG_NAME", "my-workers"}, {"TARGET_AVAILABLE", "3"}}, "[pool.default]\nbuffer = 7\nslots_per_host = 20\n");
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_EQ(text_of(*text, "pool.default", "buffer"), "7");
    EXPECT_EQ(text_of(*text, "pool.default", "slots_per_host"), "20");
    const auto local = effective({{"ASG_NAME", "my-workers"}}, "[pool.default]\nprovider = \"local\"\n");
    ASSERT_TRUE(local) << local.error().text;
    EXPECT_EQ(text_of(*local, "pool.default.template", "group"), "(not set)") << "its pool is of another provider";
}

TEST(Seed, a_file_that_is_no_toml_is_somebody_elses_to_say) {
    const auto settings = seed_settings([](const char*) { return std::string{"workers"}; }, "[gateway\n");
    ASSERT_TRUE(settings) << settings.error().text;
    EXPECT_TRUE(settings->empty());
}

TEST(Seed, a_number_that_is_none_is_said_with_its_name) {
    for (const auto& [name, value] : {std::pair{"PORT", "80a"}, {"PORT", "70000"}, {"TARGET_AVAILABLE", "-1"}, {"TARGET_AVAILABLE", "many"}}) {
        const auto text = effective({{"ASG_NAME", "g"}, {name, value}});
        ASSERT_FALSE(text) << name << "=" << value;
        EXPECT_THAT(text.error().text, HasSubstr(std::string{name} + "='" + value + "'"));
    }
}

}  // namespace
}  // namespace berth::cli
