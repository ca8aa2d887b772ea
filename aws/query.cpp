// SPDX-License-Identifier: Apache-2.0
#include "aws/query.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace berth::aws {

namespace {

constexpr std::uint32_t pages_max = 1'000;
constexpr std::size_t actions_kept_max = 10'000;

std::string form_of(const Service& service, const std::string& action, const Parameters& parameters) {
    auto form = fmt::format("Action={}&Version={}", encoded(action), service.version);
    for (const auto& [name, value] : parameters) {
        form += '&';
        form += encoded(name);
        form += '=';
        form += encoded(value);
    }
    return form;
}

Fault broken(const std::string& action, std::string_view what) {
    return {.kind = FaultClass::broken, .text = fmt::format("the answer of {} {}", action, what), .perhaps_done = true};
}

}  // namespace

Called<Answer> Answer::read(const std::string& action, const std::string& body) {
    Answer answer;
    answer.document_ = std::make_unique<pugi::xml_document>();
    const auto read = answer.document_->load_buffer(body.data(), body.size());
    if (!read) return tl::make_unexpected(broken(action, fmt::format("is no XML: {} at byte {} of {}", read.description(), read.offset, body.size())));
    const auto root = answer.document_->document_element();
    if (std::string_view{root.name()} != action + "Response") return tl::make_unexpected(broken(action, fmt::format("is a <{}>", root.name())));
    const auto inner = root.child((action + "Result").c_str());
    answer.result_ = inner ? inner : root;
    return answer;
}

Called<Answer> Client::call(const std::string& action, const Parameters& parameters, Repeat repeat) {
    if (actions_.size() < actions_kept_max && std::find(actions_.begin(), actions_.end(), action) == actions_.end()) actions_.push_back(action);
    std::optional<Answer> read;
    const auto called = exchange_.call({.permission = permission_of(action),
                                        .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                                        .body = form_of(setup().service, action, parameters),
                                        .take = [&](const std::string& body) -> Called<void> {
                                            auto answer = Answer::read(action, body);
                                            if (!answer) return tl::make_unexpected(answer.error());
                                            read = std::move(*answer);
                                            return {};
                                        },
                                        .fault = fault_of}, repeat);
    if (!called) return tl::make_unexpected(called.error());
    return std::move(*read);
}

Called<void> Client::pages(const std::string& action, Parameters parameters, const std::function<void(Node)>& take) {
    std::string token;
    for (std::uint32_t page = 0; page < pages_max; ++page) {
        auto wanted = parameters;
        if (!token.empty()) wanted.emplace_back("NextToken", token);
        const auto answer = call(action, wanted);
        if (!answer) return tl::make_unexpected(answer.error());
        take(answer->result());
        auto next = text_of(answer->result(), "NextToken");
        if (next.empty()) next = text_of(answer->result(), "nextToken");
        if (next.empty()) return {};
        if (next == token) return tl::make_unexpected(broken(action, "names the same next page again"));
        token = std::move(next);
    }
    return tl::make_unexpected(broken(action, fmt::format("has more than {} pages", pages_max)));
}

void add_list(Parameters& to, const std::string& prefix, const std::vector<std::string>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) to.emplace_back(fmt::format("{}.{}", prefix, i + 1), values[i]);
}

}  // namespace berth::aws
