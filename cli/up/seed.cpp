// SPDX-License-Identifier: Apache-2.0
#include "cli/up/seed.hpp"

#include <charconv>

#include "base/config.hpp"

namespace berth::cli {

namespace {

constexpr std::uint32_t port_max = 65'535, hosts_max = 1'000;

Result<std::string> number(const char* name, const std::string& text, std::uint32_t most) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most) {
        return fail(ErrorKind::invalid, "{}='{}' of the environment is no number of 0 to {}; unset it, or mend it in the .env that it came from", name, text, most);
    }
    return fmt::format("{}", value);
}

}  // namespace

Result<std::vector<Setting>> seed_settings(const std::function<std::string(const char*)>& environment, std::string_view user_toml) {
    const auto read = Config::parse(user_toml, "berth.toml");
    if (!read) return std::vector<Setting>{};          // whoever reads the file for good says where it is wrong
    const auto& file = *read;
    const auto group = environment("ASG_NAME");
    const auto provider = file.find("pool.default", "provider");
    std::vector<Setting> settings;
    if (group.empty() || (provider && provider->value != "aws-asg")) return settings;
    const auto add = [&](const char* section, const char* key, std::string value, const char* from) {
        if (!file.find(section, key)) settings.push_back({section, key, std::move(value), from});
    };
    // A machine of theirs was one person's.
    add("pool.default", "provider", "aws-asg", "ASG_NAME");
    add("pool.default.template", "group", fmt::format("\"{}\"", group), "ASG_NAME");
    add("pool.default", "slots_per_host", "1", "ASG_NAME");
    add("pool.default", "buffer_unit", "hosts", "ASG_NAME");
    if (const auto text = environment("TARGET_AVAILABLE"); !text.empty()) add("pool.default", "buffer", TRY(number("TARGET_AVAILABLE", text, hosts_max)), "TARGET_AVAILABLE");
    if (const auto text = environment("TABLE_NAME"); !text.empty()) add("projector", "dynamodb", fmt::format("\"{}\"", text), "TABLE_NAME");   // who runs berth-projector keeps it
    if (const auto text = environment("PORT"); !text.empty()) add("gateway", "port", TRY(number("PORT", text, port_max)), "PORT");
    return settings;
}

}  // namespace berth::cli
