// SPDX-License-Identifier: Apache-2.0
// Why a decision was made, on what evidence, by whom, under which policy. There is no fact and no
// intent without one (I33), so there is no Reason without words: no default constructor.
#pragma once

#include <string>
#include <vector>

#include "base/reflect.hpp"

namespace berth {

class Reason {
public:
    /// `why` is a sentence for a person; `actor` names a process or principal; `policy` its version.
    Reason(std::string why, std::string actor, std::string policy, std::vector<std::string> evidence = {});

    const std::string& why() const { return why_; }
    const std::string& actor() const { return actor_; }
    const std::string& policy() const { return policy_; }
    const std::vector<std::string>& evidence() const { return evidence_; }

    friend bool operator==(const Reason&, const Reason&) = default;

private:
    std::string why_;
    std::string actor_;
    std::string policy_;
    std::vector<std::string> evidence_;
};

}  // namespace berth
