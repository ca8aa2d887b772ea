// SPDX-License-Identifier: Apache-2.0
// Who may say what (I23): made of the catalog alone, and what is not in it is denied. A host may
// speak of itself only. Asked for every message, so that a changed table holds at once.
#pragma once

#include <string>

#include "events/catalog.hpp"
#include "events/topic.hpp"

namespace berth::broker {

struct Sender {
    std::string name;
    Role role = Role::client;
};

/// The row when this sender may publish that topic, else null.
const CatalogRow* may_publish(const Sender& sender, const Topic& topic);
/// The row when this sender may ask that, else null.
const CatalogRow* may_request(const Sender& sender, const Topic& topic);
/// The one service that this sender may serve; empty when none.
std::string own_service(const Sender& sender);

/// Where an allowed event goes: to subscribers when anyone but a host needs it, and to the host that
/// its key names when hosts need it.
bool goes_to_subscribers(const CatalogRow& row);
bool goes_to_host(const CatalogRow& row);

}  // namespace berth::broker
