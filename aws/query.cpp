// SPDX-License-Identifier: Apache-2.0
#include "aws/query.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <thread>

namespace berth::aws {

namespace {

constexpr std::size_t answer_bytes_max = 32 * 1024 * 1024;
constexpr std::uint32_t pages_max = 1'000;
constexpr Duration skew_borne{300'000};   // what Amazon bears, too
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

bool is_about_keys(const std::string& code) {
    return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "InvalidClientTokenId" || code == "AuthFailure" ||
           code == "UnrecognizedClientException" || code == "RequestExpired";
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

Client::Client(const Clock& clock, Identity* identity, Setup setup)
    : clock_(clock), identity_(identity), setup_(std::move(setup)), retries_(setup_.retry, Rng(std::stoull(random_hex(8), nullptr, 16))) {
    if (!setup_.pause) setup_.pause = [](Duration wait) { std::this_thread::sleep_for(wait); };
}

Called<Answer> Client::call(const std::string& action, const Parameters& parameters, Repeat repeat) {
    if (actions_.size() < actions_kept_max && std::find(actions_.begin(), actions_.end(), action) == actions_.end()) actions_.push_back(action);
    const auto form = form_of(setup_.service, action, parameters);
    bool new_keys = false, new_clock = false;
    for (std::uint32_t tries = 1;; ++tries) {
        auto answer = try_once(action, form);
        if (answer) {
            retries_.worked();
            return answer;
        }
        // Each of these two may help once, and costs nothing.
        if (clock_corrected_ && !new_clock) {
            new_clock = true;
            continue;
        }
        if (identity_ != nullptr && !new_keys && is_about_keys(answer.error().code)) {
            new_keys = true;
            identity_->refused();
            continue;
        }
        const auto wait = retries_.after(answer.error(), tries, repeat);
        if (!wait) return answer;
        setup_.pause(*wait);
    }
}

Called<Answer> Client::try_once(const std::string& action, const std::string& form) {
    clock_corrected_ = false;
    const auto permission = permission_of(action);
    const Signable signable{.host = host_of_url(setup_.endpoint),
                            .path = path_of_url(setup_.endpoint),
                            .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                            .body = form};
    http::Request request{.method = "POST",
                          .url = setup_.endpoint,
                          .content_type = signable.headers.front().second,
                          .body = form,
                          .deadline = setup_.deadline,
                          .body_bytes_max = answer_bytes_max};
    if (identity_ != nullptr) {
        const auto who = identity_->credentials();
        if (!who) {
            return tl::make_unexpected(Fault{.kind = FaultClass::permission, .text = fmt::format("{} was not tried: {}", permission, who.error().text)});
        }
        for (const auto& [name, value] : sign(signable, {setup_.region, setup_.service.name, clock_.now() + skew_}, *who)) {
            request.headers.push_back(name + ": " + value);
        }
    }
    const auto answer = http_.ask(std::move(request));
    if (!answer) {
        const bool nothing_sent = answer.error().kind == ErrorKind::invalid || answer.error().kind == ErrorKind::denied;
        return tl::make_unexpected(Fault{.kind = FaultClass::unreachable,
                                         .text = fmt::format("{} got no answer: {}; {}", permission, answer.error().text,
                                                             way_out(FaultClass::unreachable, permission, "")),
                                         .perhaps_done = !nothing_sent});
    }
    if (answer->status / 100 == 2) return Answer::read(action, answer->body);
    auto fault = fault_of(permission, answer->status, answer->body);
    if (fault.kind == FaultClass::skew) {
        clock_corrected_ = correct_clock(*answer);
        fault.text += fmt::format(" (it differs from Amazon's by {} s)", skew_.count() / 1000);
    }
    return tl::make_unexpected(std::move(fault));
}

bool Client::correct_clock(const http::Answer& answer) {
    const auto date = answer.headers.find("date");
    if (date == answer.headers.end()) return false;
    const auto theirs = from_http_date(date->second);
    if (!theirs) return false;
    const auto skew = std::chrono::duration_cast<Duration>(*theirs - clock_.now());
    const bool news = std::chrono::abs(skew - skew_) > skew_borne / 2;
    if (news) skew_ = skew;
    return news;
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

std::optional<Instant> from_http_date(const std::string& text) {
    std::tm parts = {};
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::seconds{::timegm(&parts)})};
}

}  // namespace berth::aws
