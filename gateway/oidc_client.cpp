// SPDX-License-Identifier: Apache-2.0
#include "gateway/oidc_client.hpp"

#include <utility>

#include "base/clock.hpp"
#include "base/outside_text.hpp"
#include "http/client.hpp"
#include "os/files.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t threads_count = 4;               // a slow issuer keeps that many people waiting, and the loop never
constexpr std::size_t jobs_max = 64;
constexpr Duration discovery_age_max{3'600'000};
constexpr Duration keys_age_max{3'600'000};
constexpr Duration keys_again_after{10'000};           // for a key that is not known; so nobody makes us ask for ever
constexpr std::size_t document_bytes_max = 512 * 1024;

}  // namespace

OidcClient::OidcClient(OidcPolicy policy, Post post) : policy_(std::move(policy)), post_(std::move(post)) {
    for (std::size_t i = 0; i < threads_count; ++i) threads_.emplace_back([this] { run(); });
}

OidcClient::~OidcClient() {
    {
        const std::lock_guard lock(guard_);
        ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void OidcClient::run() {
    for (;;) {
        Job job;
        {
            std::unique_lock lock(guard_);
            changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
            if (ending_) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
}

void OidcClient::add(Job job, const std::function<void(Error)>& refused) {
    bool full = false;
    {
        const std::lock_guard lock(guard_);
        full = jobs_.size() >= jobs_max;
        if (!full) jobs_.push_back(std::move(job));
    }
    if (full) return refused({ErrorKind::limit, "too many people sign in at this moment, or the issuer is slow; try again"});
    changed_.notify_one();
}

void OidcClient::discover(std::function<void(Result<Discovery>)> done) {
    add([this, done] { post_([done, found = discovery()] { done(found); }); }, [done](Error error) { done(fail(std::move(error))); });
}

void OidcClient::finish(Attempt attempt, Returned returned, std::function<void(Result<Person>)> done) {
    add([this, done, attempt = std::move(attempt), returned = std::move(returned)] { post_([done, found = finish_now(attempt, returned)] { done(found); }); },
        [done](Error error) { done(fail(std::move(error))); });
}

Result<std::string> OidcClient::get(const std::string& url, const std::string& bearer) const {
    const auto answer = http::ask({.url = url, .bearer = bearer, .ca_file = policy_.ca_file, .deadline = policy_.timeout, .connect_deadline = policy_.timeout,
                                   .body_bytes_max = document_bytes_max});
    if (!answer) return fail(answer.error().kind, "the sign-in's issuer does not answer: {}", answer.error().text);
    if (answer->status != 200) return fail(ErrorKind::unavailable, "the sign-in's issuer answered {} at {}", answer->status, url);
    return answer->body;
}

Result<Discovery> OidcClient::discovery() {
    const auto now = RealClock{}.now();
    {
        const std::lock_guard lock(guard_);
        if (discovery_ && now - discovered_at_ < discovery_age_max && now >= discovered_at_) return *discovery_;
    }
    auto found = read_discovery(policy_, TRY(get(discovery_url(policy_))));
    if (!found) return found;
    const std::lock_guard lock(guard_);
    discovery_ = *found;
    discovered_at_ = now;
    return found;
}

Result<std::vector<PublicKey>> OidcClient::keys(const Discovery& discovery, bool again) {
    const auto now = RealClock{}.now();
    {
        const std::lock_guard lock(guard_);
        const auto age = now - keys_at_;
        if (!keys_.empty() && age >= Duration{0} && age < (again ? keys_again_after : keys_age_max)) return keys_;
    }
    auto found = read_jwks(TRY(get(discovery.jwks_uri)));
    if (!found) return fail(ErrorKind::unavailable, "the keys of {}: {}", policy_.issuer, found.error().text);
    const std::lock_guard lock(guard_);
    keys_ = *found;
    keys_at_ = now;
    return found;
}

Result<Person> OidcClient::finish_now(const Attempt& attempt, const Returned& returned) {
    const auto issuer = TRY(discovery());
    if (auto why = why_not_returned(policy_, issuer, attempt, returned)) return fail(std::move(*why));
    std::string secret;
    if (!policy_.client_secret_file.empty()) secret = trimmed_outside(TRY(os::read_file(policy_.client_secret_file)));
    const auto exchange = exchange_of(policy_, issuer, attempt, returned.code, secret);
    http::Request request{.method = "POST", .url = issuer.token_endpoint, .content_type = "application/x-www-form-urlencoded", .body = exchange.body,
                          .headers = {"Accept: application/json"}, .ca_file = policy_.ca_file, .deadline = policy_.timeout, .connect_deadline = policy_.timeout,
                          .body_bytes_max = document_bytes_max};
    if (!exchange.authorization.empty()) request.headers.push_back(exchange.authorization);
    const auto answer = http::ask(std::move(request));
    if (!answer) return fail(answer.error().kind, "the sign-in's issuer does not answer: {}", answer.error().text);
    const auto tokens = TRY(tokens_of(answer->body));
    auto claims = claims_of(policy_, tokens.id, TRY(keys(issuer, false)), attempt, RealClock{}.now());
    // A key that nobody knew an hour ago: the issuer has changed it.
    if (!claims && claims.error().kind == ErrorKind::not_found) claims = claims_of(policy_, tokens.id, TRY(keys(issuer, true)), attempt, RealClock{}.now());
    if (!claims) return fail(ErrorKind::denied, "{}", claims.error().text);
    std::string more;
    if (lacks_claims(policy_, *claims) && !issuer.userinfo_endpoint.empty() && !tokens.access.empty()) more = TRY(get(issuer.userinfo_endpoint, tokens.access));
    return person_of(policy_, *claims, more);
}

}  // namespace berth::gateway
