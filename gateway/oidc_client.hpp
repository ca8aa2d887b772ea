// SPDX-License-Identifier: Apache-2.0
// Speaks with the issuer, on threads of its own: what it says of itself, its keys, and codes for tokens. What is right
// among that, oidc.* decides.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "gateway/oidc.hpp"

namespace berth::gateway {

class OidcClient {
public:
    /// `post` runs what it is given where the answers are wanted.
    using Post = std::function<void(std::function<void()>)>;
    OidcClient(OidcPolicy policy, Post post);
    ~OidcClient();
    OidcClient(const OidcClient&) = delete;
    OidcClient& operator=(const OidcClient&) = delete;

    /// Both answer `limit` when too many wait, `timeout` or `unavailable` when the issuer does not answer.
    void discover(std::function<void(Result<Discovery>)> done);
    void finish(Attempt attempt, Returned returned, std::function<void(Result<Person>)> done);

private:
    using Job = std::function<void()>;
    void add(Job job, const std::function<void(Error)>& refused);
    void run();
    Result<Discovery> discovery();
    Result<std::vector<PublicKey>> keys(const Discovery& discovery, bool again);
    Result<Person> finish_now(const Attempt& attempt, const Returned& returned);
    Result<std::string> get(const std::string& url, const std::string& bearer = {}) const;

    const OidcPolicy policy_;
    const Post post_;
    std::mutex guard_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;                             // all below under guard_
    bool ending_ = false;
    std::optional<Discovery> discovery_;
    Instant discovered_at_;
    std::vector<PublicKey> keys_;
    Instant keys_at_;
    std::vector<std::thread> threads_;
};

}  // namespace berth::gateway
