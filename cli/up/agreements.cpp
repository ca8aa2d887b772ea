// SPDX-License-Identifier: Apache-2.0
#include "cli/up/agreements.hpp"

#include "base/hash.hpp"

namespace berth::cli {

std::vector<std::string> image_changes() {
    return {"USER 1000", "ENTRYPOINT [\"/usr/local/bin/berth-workspace\"]"};
}

std::string cluster_of(const std::string& state) { return "berth-" + to_hex(hash_of(state)).substr(0, 8); }

std::string container_label(const std::string& cluster) { return "berth.cluster=" + cluster; }

}  // namespace berth::cli
