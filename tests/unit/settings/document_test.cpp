// SPDX-License-Identifier: Apache-2.0
// deploy/berth.toml says what is true: with every line of it in force, each policy is its default.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "allocator/policy.hpp"
#include "allocator/shell_policy.hpp"
#include "base/config.hpp"
#include "broker/policy.hpp"
#include "cli/up/effective.hpp"
#include "cli/up/plan.hpp"
#include "events/pools_config.hpp"
#include "gateway/policy.hpp"
#include "hostagent/engines/docker.hpp"
#include "hostagent/policy.hpp"
#include "proxy/policy.hpp"
#include "reaper/policy.hpp"
#include "scaler/policy.hpp"
#include "scaler/providers/local/policy.hpp"
#include "settings/catalog.hpp"

namespace berth {
namespace {

using cli::effective_config;
using cli::known_sections;

std::string example() {
    std::ostringstream text;
    text << std::ifstream(BERTH_SETTINGS_DOCUMENT).rdbuf();
    return text.str();
}

// "# key = value" with the mark taken away.
std::string in_force() {
    std::istringstream lines(example());
    std::string line, text;
    const std::regex setting(R"(^# \w+ = .*)");
    while (std::getline(lines, line)) text += (std::regex_match(line, setting) ? line.substr(2) : line) + "\n";
    return text;
}

// A section may be read into more than one struct: this one's keys alone.
template <class Policy>
void expect_defaults(const std::string& section) {
    const auto all = Config::parse(in_force(), "berth.toml");
    ASSERT_TRUE(all) << all.error().text;
    Config own;
    std::apply(
        [&](const auto&... field) {
            (
                [&] {
                    const auto found = all->find(section, field.name);
                    ASSERT_TRUE(found) << "[" << section << "] " << field.name << " is missing; "
                                       << "run `berth config document > deploy/berth.toml`";
                    own.set(section, field.name, found->value, found->origin);
                }(),
                ...);
        },
        Policy::fields());
    const auto read = read_section<Policy>(own, section);
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, Policy{}) << "[" << section << "] does not say the defaults";
}

TEST(SettingsDocument, SaysTheDefaultsOfEveryProcess) {
    expect_defaults<gateway::Policy>("gateway");
    expect_defaults<gateway::CompatPolicy>("compat");
    expect_defaults<reaper::Policy>("reaper");
    expect_defaults<scaler::Policy>("scaler");
    expect_defaults<scaler::LocalPolicy>("provider.local");
    expect_defaults<allocator::Policy>("allocator");
    expect_defaults<allocator::ShellPolicy>("ledger");
    expect_defaults<hostagent::Policy>("hostagent");
    expect_defaults<hostagent::ShellPolicy>("hostagent");
    expect_defaults<DockerPolicy>("docker");
    expect_defaults<proxy::Policy>("proxy");
    expect_defaults<broker::Policy>("broker");
}

TEST(SettingsDocument, IsWrittenFromTheCatalog) {
    if (std::getenv("BERTH_UPDATE_GOLDEN") != nullptr) std::ofstream(BERTH_SETTINGS_DOCUMENT) << settings_document();
    EXPECT_EQ(example(), settings_document()) << "run `berth config document > deploy/berth.toml`";
}

TEST(SettingsDocument, SaysTheDefaultsOfAPool) {
    const auto config = Config::parse(in_force(), "berth.toml");
    ASSERT_TRUE(config) << config.error().text;
    const auto pools = read_pools(*config);
    ASSERT_TRUE(pools) << pools.error().text;
    auto unsaid = read_pools(Config{}).value();
    unsaid.at(0).slots_per_host = PoolDefined{}.slots_per_host;   // not said, provider local has 4: a laptop
    auto& homes = unsaid.at(0);                                   // nor these, which mean the same when they are
    homes.home_place = HomePlace::shared;
    homes.home_repository = homes.home_password_file = homes.home_environment_file = "";
    homes.home_save_every_ms = home_save_usual;
    EXPECT_EQ(*pools, unsaid);
}

TEST(SettingsDocument, IsTakenAsItIs) {
    const auto text = effective_config(example(), "deploy/berth.toml", {});
    EXPECT_TRUE(text) << text.error().text;
    for (const auto& section : known_sections()) {
        const auto headline = section == "pool"       ? std::string{"[pool.default]"}
                              : section == "provider" ? std::string{"[provider.local]"}
                                                      : "[" + section + "]";
        EXPECT_NE(example().find(headline), std::string::npos) << headline;
    }
}

}  // namespace
}  // namespace berth
