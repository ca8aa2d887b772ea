// SPDX-License-Identifier: Apache-2.0
#include "aws/exchange.hpp"

#include <chrono>
#include <ctime>
#include <thread>

namespace berth::aws {

namespace {

constexpr std::size_t answer_bytes_max = 32 * 1024 * 1024;
constexpr Duration skew_borne{300'000};   // what Amazon bears, too

bool is_about_keys(const std::string& code) {
    return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "InvalidClientTokenId" || code == "AuthFailure" ||
           code == "UnrecognizedClientException" || code == "RequestExpired";
}

}  // namespace

Exchange::Exchange(const Clock& clock, Identity* identity, Setup setup)
    : clock_(clock), identity_(identity), setup_(std::move(setup)), retries_(setup_.retry, Rng(std::stoull(random_hex(8), nullptr, 16))) {
    if (!setup_.pause) setup_.pause = [](Duration wait) { std::this_thread::sleep_for(wait); };
}

Called<void> Exchange::call(const Posting& posting, Repeat repeat) {
    const auto began = std::chrono::steady_clock::now();
    bool new_keys = false, new_clock = false;
    for (std::uint32_t tries = 1;; ++tries) {
        auto answer = try_once(posting);
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
        if (setup_.give_up.count() > 0 && std::chrono::steady_clock::now() + *wait - began >= setup_.give_up) return answer;
        setup_.pause(*wait);
    }
}

Called<void> Exchange::try_once(const Posting& posting) {
    clock_corrected_ = false;
    const auto& permission = posting.permission;
    const Signable signable{.host = host_of_url(setup_.endpoint), .path = path_of_url(setup_.endpoint), .headers = posting.headers, .body = posting.body};
    http::Request request{.method = "POST",
                          .url = setup_.endpoint,
                          .content_type = signable.headers.front().second,
                          .body = posting.body,
                          .deadline = setup_.deadline,
                          .body_bytes_max = answer_bytes_max};
    for (std::size_t i = 1; i < posting.headers.size(); ++i) request.headers.push_back(posting.headers[i].first + ": " + posting.headers[i].second);
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
    if (answer->status / 100 == 2) return posting.take(answer->body);
    auto fault = posting.fault(permission, answer->status, answer->body);
    if (fault.kind == FaultClass::skew) {
        clock_corrected_ = correct_clock(*answer);
        fault.text += fmt::format(" (it differs from Amazon's by {} s)", skew_.count() / 1000);
    }
    return tl::make_unexpected(std::move(fault));
}

bool Exchange::correct_clock(const http::Answer& answer) {
    const auto date = answer.headers.find("date");
    if (date == answer.headers.end()) return false;
    const auto theirs = from_http_date(date->second);
    if (!theirs) return false;
    const auto skew = std::chrono::duration_cast<Duration>(*theirs - clock_.now());
    const bool news = std::chrono::abs(skew - skew_) > skew_borne / 2;
    if (news) skew_ = skew;
    return news;
}

std::optional<Instant> from_http_date(const std::string& text) {
    std::tm parts = {};
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return Instant{std::chrono::duration_cast<Duration>(std::chrono::seconds{::timegm(&parts)})};
}

}  // namespace berth::aws
