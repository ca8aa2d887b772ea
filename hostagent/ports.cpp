// SPDX-License-Identifier: Apache-2.0
#include "hostagent/ports.hpp"

#include "base/check.hpp"
#include "base/hash.hpp"

namespace berth::hostagent {

PortPool make_port_pool(std::uint32_t first, std::uint32_t count, std::string_view host) {
    check(count > 0 && first > 0 && first + count <= 65'536, "the port range lies within 1 to 65535");
    return {first, count, static_cast<std::uint32_t>(hash_of(host) % count)};
}

std::optional<std::uint32_t> take_port(PortPool& pool, const std::set<std::uint32_t>& in_use) {
    for (std::uint32_t tried = 0; tried < pool.count; ++tried) {
        const auto port = pool.first + pool.next;
        pool.next = (pool.next + 1) % pool.count;
        if (!in_use.contains(port)) return port;
    }
    return std::nullopt;
}

}  // namespace berth::hostagent
