// SPDX-License-Identifier: Apache-2.0
// The Query protocols of EC2, Auto Scaling and STS: one form-encoded POST per call, XML back. A client is
// of one service in one region, and of one thread; a call blocks, and is tried again as retry.hpp says.
// A clock that is wrong by more than five minutes is corrected by the answer's own date.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aws/exchange.hpp"
#include "aws/xml.hpp"

namespace berth::aws {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// An answer's XML, which its nodes live in.
class Answer {
public:
    static Called<Answer> read(const std::string& action, const std::string& body);
    /// What the call is about: the <…Result> of Query, the whole of EC2's.
    Node result() const { return result_; }

private:
    std::unique_ptr<pugi::xml_document> document_;
    Node result_;
};

class Client {
public:
    /// `identity` may be null: calls that need none. Clock and identity outlive it.
    Client(const Clock& clock, Identity* identity, Setup setup) : exchange_(clock, identity, std::move(setup)) {}

    /// `harmful`: the call must not be done twice, so that a lost answer is not tried again.
    Called<Answer> call(const std::string& action, const Parameters& parameters, Repeat repeat = Repeat::harmless);
    /// All pages of a listing, each handed to `take`.
    Called<void> pages(const std::string& action, Parameters parameters, const std::function<void(Node)>& take);

    /// "autoscaling:SetDesiredCapacity".
    std::string permission_of(const std::string& action) const { return std::string{setup().service.name} + ":" + action; }
    /// How far Amazon's clock is ahead of ours, as far as that had to be found out.
    Duration skew() const { return exchange_.skew(); }
    const Setup& setup() const { return exchange_.setup(); }
    /// For tests of that: all actions that were called.
    const std::vector<std::string>& actions() const { return actions_; }

private:
    Exchange exchange_;
    std::vector<std::string> actions_;
};

/// "Prefix.1=a&Prefix.2=b" (EC2) or "Prefix.member.1=…" (Auto Scaling), as the prefix says.
void add_list(Parameters& to, const std::string& prefix, const std::vector<std::string>& values);

}  // namespace berth::aws
