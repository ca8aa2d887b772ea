// SPDX-License-Identifier: Apache-2.0
// Configuration: flags > BERTH_* environment > TOML file > the defaults written in each policy.hpp.
// A policy is a plain struct with BERTH_FIELDS; read_section() fills it from [section]. An unknown
// key or a bad value is an error that names the key, where it came from and what is allowed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace berth {

class Config {
public:
    struct Setting {
        std::string value;   // arrays are joined by ','
        std::string origin;  // "/etc/berth/berth.toml:12", "BERTH_REAPER_IDLE_AFTER", "--set"
    };

    /// An empty path means no file. A missing file is an error: someone asked for it.
    static Result<Config> load(const std::string& path);
    /// From text, with `name` as the origin; for tests and generated configurations.
    static Result<Config> parse(std::string_view toml, const std::string& name);

    void set(std::string_view section, std::string_view key, std::string value, std::string origin);
    /// What is set for section.key; the environment name is BERTH_<SECTION>_<KEY>.
    std::optional<Setting> find(std::string_view section, std::string_view key) const;
    /// "default" and "gpu" for [pool.default] and [pool.gpu] when asked for "pool".
    std::vector<std::string> names_below(std::string_view section) const;
    /// An error when the section holds a key that is not among `known`.
    Result<void> refuse_unknown(std::string_view section, const std::vector<std::string_view>& known) const;

private:
    std::map<std::string, std::map<std::string, Setting, std::less<>>, std::less<>> sections_;
};

Result<void> read_value(const Config::Setting& from, std::string_view key, bool& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, std::int64_t& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, double& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, std::string& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, Duration& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, std::optional<Duration>& to);
Result<void> read_value(const Config::Setting& from, std::string_view key, std::vector<std::string>& to);

template <Reflected Policy>
Result<Policy> read_section(const Config& config, std::string_view section) {
    Policy policy;
    Result<void> outcome;
    std::vector<std::string_view> known;
    std::apply(
        [&](const auto&... field) {
            (
                [&] {
                    known.push_back(field.name);
                    const auto setting = config.find(section, field.name);
                    if (!setting || !outcome) return;
                    auto& to = policy.*field.member;
                    if constexpr (std::is_integral_v<std::decay_t<decltype(to)>> &&
                                  !std::is_same_v<std::decay_t<decltype(to)>, bool>) {
                        std::int64_t wide = 0;
                        outcome = read_value(*setting, field.name, wide);
                        if (outcome) {
                            to = static_cast<std::decay_t<decltype(to)>>(wide);
                            if (static_cast<std::int64_t>(to) != wide) {
                                outcome = fail(ErrorKind::invalid, "{}: {} = {} is out of range",
                                               setting->origin, field.name, wide);
                            }
                        }
                    } else {
                        outcome = read_value(*setting, field.name, to);
                    }
                }(),
                ...);
        },
        Policy::fields());
    if (!outcome) return fail(outcome.error());
    TRY(config.refuse_unknown(section, known));
    return policy;
}

}  // namespace berth
