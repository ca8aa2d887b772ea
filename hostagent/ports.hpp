// SPDX-License-Identifier: Apache-2.0
// Which port on 127.0.0.1 the next environment gets: round and round a fixed range, so that a port
// comes back as late as possible. Hosts of one machine begin at different places of the same range.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

namespace berth::hostagent {

struct PortPool {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t next = 0;               // offset from `first`
};

PortPool make_port_pool(std::uint32_t first, std::uint32_t count, std::string_view host);

/// Nothing when all are in use.
std::optional<std::uint32_t> take_port(PortPool& pool, const std::set<std::uint32_t>& in_use);

}  // namespace berth::hostagent
