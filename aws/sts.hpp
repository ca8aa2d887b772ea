// SPDX-License-Identifier: Apache-2.0
// Roles: another identity for an hour.
#pragma once

#include <string>

#include "aws/query.hpp"

namespace berth::aws {

struct Role {
    std::string arn;
    std::string session = "berth";
    std::string external_id;              // empty: none
    std::chrono::seconds lasts{3600};
};

Called<Credentials> assume_role(Client& service, const Role& role);
/// By a token that another party vouches for; the client needs no identity.
Called<Credentials> assume_role(Client& service, const Role& role, const std::string& web_identity_token);

}  // namespace berth::aws
