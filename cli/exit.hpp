// SPDX-License-Identifier: Apache-2.0
// What `berth` says to the shell that called it: base/exit.hpp, and what an HTTP answer means there.
#pragma once

#include "base/exit.hpp"

namespace berth::cli {

/// What the gateway's HTTP status means here, when its body does not name a kind.
constexpr ErrorKind kind_of_status(long status) {
    switch (status) {
        case 400:
        case 413:
        case 415:
        case 422: return ErrorKind::invalid;
        case 401:
        case 403: return ErrorKind::denied;
        case 404:
        case 410: return ErrorKind::not_found;
        case 409:
        case 412: return ErrorKind::conflict;
        case 408:
        case 504: return ErrorKind::timeout;
        case 429: return ErrorKind::limit;
        case 502:
        case 503: return ErrorKind::unavailable;
        default: return ErrorKind::internal;
    }
}

}  // namespace berth::cli
