// SPDX-License-Identifier: Apache-2.0
// The address by which a browser sees a workspace, when what reaches the proxy may have been rewritten
// on its way: by a front proxy that has a public name and port of its own (field report 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/access.hpp"

namespace berth::proxy {

/// What is configured, and where this process serves.
struct Inward {
    std::string scheme;               // http or https, as browsers use it unless a front proxy says otherwise
    std::string apps_domain;          // in lower case, as public_domain
    std::string public_domain;        // empty: apps_domain
    std::uint32_t public_port = 0;    // 0: the one that the Host field names
};

/// What came with a request.
struct Called {
    std::string_view host;                             // the Host field
    std::optional<std::string_view> origin;
    bool by_front_proxy = false;                       // from a trusted network; else what follows is ignored
    std::vector<std::string_view> forwarded_host;      // values of X-Forwarded-Host
    std::vector<std::string_view> forwarded_scheme;    // of X-Forwarded-Proto
};

struct Outward {
    std::string scheme;
    std::string host;                                  // name and port, as in the browser's address line
    std::optional<WorkspaceId> workspace;
    BERTH_FIELDS(Outward, scheme, host, workspace)
};

/// `malformed` when a front proxy says two things, or what is no scheme. Where a public name or port is
/// configured it is the browser's view, whatever Host was made of it on the way; but not for a page whose
/// Origin shows that it was reached by this very Host.
Judged<Outward> outward_of(const Inward& here, const Called& called);

}  // namespace berth::proxy
