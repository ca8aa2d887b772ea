// SPDX-License-Identifier: Apache-2.0
// ~/.aws/config and ~/.aws/credentials, as the AWS command line reads them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "aws/place.hpp"
#include "base/result.hpp"

namespace berth::aws {

using Section = std::map<std::string, std::string, std::less<>>;

struct Profiles {
    std::map<std::string, Section, std::less<>> profiles;
    std::map<std::string, Section, std::less<>> sso_sessions;
    std::string config_file;              // where they were read from, for errors
    std::string credentials_file;
};

/// "[profile x]" and "[default]" of a config file, "[sso-session x]"; "[x]" of a credentials file, whose keys go
/// before those of the other. What it does not know it passes over; a line that is none is an error.
enum class ProfileFile { config, credentials };
Result<void> parse_profiles(std::string_view text, ProfileFile kind, const std::string& name, Profiles& to);

/// AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, or those in $HOME/.aws. A file that is not there is empty.
Result<Profiles> read_profiles(const Environment& environment);

/// The value of a key; empty when it is not there.
std::string value_of(const Section& section, std::string_view key);

}  // namespace berth::aws
