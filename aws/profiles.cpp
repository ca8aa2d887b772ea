// SPDX-License-Identifier: Apache-2.0
#include "aws/profiles.hpp"

#include <cctype>

#include "base/outside_text.hpp"
#include "os/files.hpp"

namespace berth::aws {

namespace {

constexpr std::size_t file_bytes_max = 4 * 1024 * 1024;

// The section that a header names; null for kinds that nobody here reads.
Section* section_of(std::string_view header, ProfileFile kind, Profiles& to) {
    const auto after = [&](std::string_view prefix) { return trimmed_outside(header.substr(prefix.size())); };
    if (kind == ProfileFile::credentials) return &to.profiles[std::string{header}];
    if (header == "default") return &to.profiles["default"];
    if (header.starts_with("profile ") || header.starts_with("profile\t")) return &to.profiles[after("profile ")];
    if (header.starts_with("sso-session ")) return &to.sso_sessions[after("sso-session ")];
    return nullptr;
}

std::string home_file(const Environment& environment, const char* variable, const char* name) {
    auto path = environment(variable);
    const auto home = environment("HOME");
    if (path.empty()) path = home + "/.aws/" + name;
    if (path.starts_with("~/")) path = home + path.substr(1);
    return path;
}

}  // namespace

Result<void> parse_profiles(std::string_view text, ProfileFile kind, const std::string& name, Profiles& to) {
    Section* section = nullptr;
    std::size_t number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto raw = text.substr(0, end);
        text = end == std::string_view::npos ? "" : text.substr(end + 1);
        ++number;
        const auto line = trimmed_outside(raw);
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        const bool nested = std::isspace(static_cast<unsigned char>(raw.front())) != 0;
        if (line.front() == '[') {
            const auto close = line.find(']');
            if (close == std::string::npos) return fail(ErrorKind::invalid, "{}:{}: a section's ']' is missing", name, number);
            section = section_of(trimmed_outside(line.substr(1, close - 1)), kind, to);
            continue;
        }
        if (nested) continue;                    // of a key with settings of its own ("s3 ="), which nobody here reads
        const auto equals = line.find('=');
        if (equals == std::string::npos) return fail(ErrorKind::invalid, "{}:{}: neither a section nor key = value", name, number);
        auto value = trimmed_outside(line.substr(equals + 1));
        if (const auto comment = value.find(" #"); comment != std::string::npos) value = trimmed_outside(value.substr(0, comment));
        if (section) (*section)[trimmed_outside(line.substr(0, equals))] = std::move(value);
    }
    return {};
}

Result<Profiles> read_profiles(const Environment& environment) {
    Profiles profiles;
    profiles.config_file = home_file(environment, "AWS_CONFIG_FILE", "config");
    profiles.credentials_file = home_file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
    for (const auto& [path, kind] : {std::pair{profiles.config_file, ProfileFile::config}, std::pair{profiles.credentials_file, ProfileFile::credentials}}) {
        const auto text = os::read_file(path, file_bytes_max);
        if (!text && text.error().kind == ErrorKind::not_found) continue;
        if (!text) return fail(text.error());
        TRY(parse_profiles(*text, kind, path, profiles));
    }
    return profiles;
}

std::string value_of(const Section& section, std::string_view key) {
    const auto at = section.find(key);
    return at == section.end() ? std::string{} : at->second;
}

}  // namespace berth::aws
