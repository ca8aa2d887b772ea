// SPDX-License-Identifier: Apache-2.0
#include "aws/account.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace berth::aws {

Account::Account(const Clock& clock, AccountSetup setup)
    : clock_(clock), setup_(std::move(setup)), chain_(clock, {.environment = setup_.environment, .profile = setup_.profile, .region = setup_.region}) {}

Called<std::string> Account::region_of(const std::string& wanted) {
    if (!wanted.empty()) return wanted;
    if (!setup_.region.empty()) return setup_.region;
    auto found = chain_.find_region();
    if (!found) return refused(found.error());
    return setup_.region = std::move(*found);
}

Called<Client*> Account::client(const Service& service, const std::string& region) {
    auto& made = clients_[fmt::format("{} {}", service.name, region)];
    if (made) return made.get();
    auto endpoint = endpoint_of(service, region, setup_.environment);
    if (!endpoint) return refused(endpoint.error());
    made = std::make_unique<Client>(clock_, &chain_,
                                    Setup{.service = service, .region = region, .endpoint = std::move(*endpoint), .deadline = setup_.call_deadline, .pause = setup_.pause});
    return made.get();
}

std::vector<std::string> Account::actions() const {
    std::set<std::string> all;
    for (const auto& [name, client] : clients_) {
        if (!client) continue;
        for (const auto& action : client->actions()) all.insert(client->permission_of(action));
    }
    return {all.begin(), all.end()};
}

}  // namespace berth::aws
