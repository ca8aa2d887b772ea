// SPDX-License-Identifier: Apache-2.0
// What `berth up` and berth-hostagent must say alike, each written here once for this side.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// Of [docker] when the configuration names no other; tests compare them with the host's own.
inline constexpr std::string_view default_image = "berth/workspace:4";
inline constexpr std::string_view default_docker_socket = "/var/run/docker.sock";

/// Dockerfile lines for the root file system that script/image makes.
std::vector<std::string> image_changes();

/// The name by which the containers of this state folder's hosts are told from all others on the
/// same engine, when [docker] cluster names none.
std::string cluster_of(const std::string& state);
/// The label that they bear, as "key=value".
std::string container_label(const std::string& cluster);

}  // namespace berth::cli
