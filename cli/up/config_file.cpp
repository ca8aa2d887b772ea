// SPDX-License-Identifier: Apache-2.0
#include "cli/up/config_file.hpp"

#include <filesystem>

#include "base/outside_text.hpp"

namespace berth::cli {

std::string config_file(const std::string& flag) {
    if (!flag.empty()) return flag;
    const auto from = environment_text;
    if (const auto named = from("BERTH_CONFIG"); !named.empty()) return named;
    const auto home = from("XDG_CONFIG_HOME").empty() ? from("HOME") + "/.config" : from("XDG_CONFIG_HOME");
    std::error_code error;
    for (const auto& usual : {home + "/berth/berth.toml", std::string{"/etc/berth/berth.toml"}}) {
        if (std::filesystem::exists(usual, error)) return usual;
    }
    return {};
}

}  // namespace berth::cli
