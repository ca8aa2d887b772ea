// SPDX-License-Identifier: Apache-2.0
// The gateway as the commands see it: where it is, with which token, and each call of its /v1/ API
// as a function. The only file that knows the routes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/sse.hpp"
#include "http/client.hpp"

namespace berth::cli {

struct ClaimOrder {
    std::string user;
    std::string project;
    std::string pool;                     // empty: the gateway's choice
    std::string key;
    std::optional<Duration> ttl;
    std::optional<Duration> wait;         // 0: answer at once
};

/// What `tap` and the waiting `claim` follow.
struct StreamOrder {
    std::string types;                    // "claim.,workspace.": prefixes; empty for all
    std::string subject;
    std::string from;                     // position or event id; empty: from now on
    std::function<void()> opened = {};    // called when bytes of it come
};

/// Whether the gateway itself said how it ended, or what leads there broke: then asking again by the key helps.
enum class Link { held, cut, cut_behind_a_proxy };
bool is_cut(const Result<http::Answer>& answer);
/// For who only looks and can look again: the gateway, or what it needs, does not answer now.
bool may_pass(const Error& error);


class GatewayClient {
public:
    /// URL: --url, $BERTH_URL, that of `berth login` unless a state folder is named, <state>/gateway.url. Token: --token-file,
    /// $BERTH_TOKEN, that of `berth login` at this URL, <state>/token. CA: --ca-file, $BERTH_CA_FILE, $SSL_CERT_FILE.
    static Result<GatewayClient> find(const Shared& shared);

    Result<Json> workspaces();
    Result<Json> workspace(const std::string& id);
    Result<Json> claims();
    Result<Json> hosts();
    Result<Json> host(const std::string& id);
    Result<Json> cordon(const std::string& host, const std::string& why);
    Result<Json> uncordon(const std::string& host, const std::string& why);
    Result<Json> drain(const std::string& host, const std::string& why, std::optional<Instant> by);
    Result<Json> save_home(const std::string& id);
    Result<Json> restore_home(const std::string& id, const Json& archive);
    Result<Json> end_host(const std::string& host, const std::string& mode, const std::string& why);
    Result<Json> tokens();
    Result<Json> mint_host_token(const Json& wanted);
    Result<Json> mint_token(const Json& wanted);
    Result<Json> me();
    Result<Json> begin_login(const std::string& machine);
    Result<Json> take_login(const std::string& login, const std::string& secret);
    Result<Json> end_own_token();
    Result<Json> users();
    Result<Json> invite_user(const std::string& user, const Json& wanted);
    Result<Json> end_user(const std::string& user);
    Result<Json> revoke_token(const std::string& id);
    Result<Json> pools();
    Result<Json> status();
    Result<Json> totals();                // of /v1/status: counts, and whether the ledger can be trusted
    Result<Json> health();
    Result<Json> facts(const std::string& subject);
    Result<Json> all_facts();

    Result<Json> release(const std::string& id, const std::string& why);
    Result<Json> stop(const std::string& id, const std::string& why);
    Result<Json> start(const std::string& id);
    Result<Json> destroy(const std::string& id, const std::string& why);
    Result<Json> extend(const std::string& id, Instant until);
    Result<Json> hold(const std::string& id, Instant until, const std::string& why);
    Result<Json> link(const std::string& id);

    using OnClaimed = std::function<void(Result<Json>, Link)>;
    /// Both give what http().cancel() takes; `done` and `use` are not called after that.
    std::uint64_t start_claim(const ClaimOrder& order, OnClaimed done);

    /// Follows the event stream: `use` for each event, `end` when the stream ends (its error says why).
    using OnEvent = std::function<void(const SseEvent&)>;
    using OnEnd = std::function<void(Error)>;
    std::uint64_t start_events(const StreamOrder& order, OnEvent use, OnEnd end);

    http::Client& http() { return *http_; }
    const std::string& url() const { return url_; }
    /// The whole id for a workspace's id, its unique beginning, or a project of `user`.
    Result<std::string> resolve(const std::string& name, const std::string& user);

private:
    GatewayClient(std::string url, std::string token, std::string ca_file);
    http::Request request(const std::string& method, const std::string& path, const Json* body = nullptr) const;
    Result<Json> get(const std::string& path);
    Result<Json> get_all(const std::string& path, const std::string& items);
    Result<Json> post(const std::string& path, const Json& body);

    std::string url_;
    std::string token_;
    std::string ca_file_;
    std::shared_ptr<http::Client> http_;
};

/// The gateway's answer as a value or an Error; `where` is for its text.
Result<Json> read_answer(const Result<http::Answer>& answer, const std::string& where);

}  // namespace berth::cli
