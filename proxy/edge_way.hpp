// SPDX-License-Identifier: Apache-2.0
// Where the front door sends a browser: by the name that it asked for, and by what the ledger says now. Pure.
// It is a way and no permission: the host's own proxy judges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/reflect.hpp"
#include "events/view.hpp"

namespace berth::proxy {

struct EdgeTarget {
    std::string address;
    std::uint16_t port = 0;
    HostId host;
    BERTH_FIELDS(EdgeTarget, address, port, host)
};

/// Why there is none, as a status and a sentence for a person.
struct NoWay {
    unsigned status = 404;
    std::string text;
    BERTH_FIELDS(NoWay, status, text)
};

using EdgeWay = std::variant<EdgeTarget, NoWay>;

/// To the host of its lease; of a stopped one to its last host, whose proxy says what became of it.
EdgeWay way_to(const View& view, const WorkspaceId& workspace);

/// The value of the one Host field; nullopt when there is none, or more than one, or the head is no HTTP/1.1.
std::optional<std::string> host_in_head(std::string_view head);

/// "PROXY TCP4 192.0.2.7 198.18.0.1 51000 443\r\n" (version 1).
std::string proxy_line(const std::string& from, std::uint16_t from_port, const std::string& at, std::uint16_t at_port);

/// What a person reads when there is no way, with its head; the connection ends after it.
std::string answer_of(const NoWay& why);
std::string health_answer();

}  // namespace berth::proxy
