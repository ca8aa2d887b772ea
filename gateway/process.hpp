// SPDX-License-Identifier: Apache-2.0
// The shell of the gateway. Two threads that share nothing: the server's has the sockets, the
// loop's has the bus, the picture and every decision; whole requests and answers are posted between
// them.
//
//   clients ◄─► Server (own thread) ◄──posts──► Process (loop) ◄─► Endpoint ◄─► broker
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "bus/zmq_endpoint.hpp"
#include "bus/follower.hpp"
#include "gateway/enrolment.hpp"
#include "gateway/foreign.hpp"
#include "gateway/front.hpp"
#include "gateway/inside_watch.hpp"
#include "gateway/metrics.hpp"
#include "gateway/oidc_client.hpp"
#include "gateway/reach.hpp"
#include "gateway/server.hpp"
#include "gateway/streams.hpp"
#include "gateway/tokens.hpp"

namespace berth::gateway {

struct Policies {
    Policy gateway;
    CompatPolicy compat;
    OidcPolicy oidc;
    FrontPolicy front;
};

class Process {
public:
    /// Connects, listens and writes <state>/gateway.url (this machine's way to it); serves from start() on.
    /// `for_hosts` is what a machine that enrols is told of the configuration.
    static Result<std::unique_ptr<Process>> open(bus::ZmqLoop& loop, Policies policies, HostSettings for_hosts, const std::string& state);
    ~Process();

    void start();
    const std::string& url() const { return url_; }
    std::uint16_t port() const { return server_->port(); }

private:
    struct Open {                          // a request that has no answer yet
        std::optional<Operation> operation;
        Style style = Style::v1;
        std::string id;
        std::string what;                  // "POST /v1/claims", for the log
        Instant since;
        std::string cookie = {};           // Set-Cookie of a session that ends later from now on
    };
    struct Waiting {                       // an answer that waits for the facts it caused
        ClientId client;
        std::function<bool()> is_shown;
        std::function<HttpAnswer()> answer;
        Instant until;
    };
    struct Claiming;                       // a claim on its way, asked again if its allocator dies

    Process(bus::ZmqLoop& loop, Policies policies, std::string state);
    Result<void> write_url();
    void follow();
    void read_tokens_again();
    void end_with_tokens();
    void look_at_broker();
    void note_use(const bus::Delivery& delivery);

    void take(ClientId client, HttpRequest request);
    void carry_out(ClientId client, Ask ask, const Turn& turn);
    void carry_out(ClientId client, TokenChange change, const Turn& turn);
    void carry_out(ClientId client, StreamWish wish, const Turn& turn);
    void carry_out(ClientId client, EnrolWish wish, const Turn& turn);
    void carry_out(ClientId client, ForeignWish wish, const Turn& turn);
    void carry_out(ClientId client, SessionWish wish, const Turn& turn);
    void carry_out(ClientId client, OidcBegin wish, const Turn& turn);
    void carry_out(ClientId client, OidcEnd wish, const Turn& turn);
    void carry_out(ClientId client, LoginWish wish, const Turn& turn);
    Result<LoginOutcome> change_logins(const LoginWish& wish, Instant now);
    Result<SessionOutcome> change_sessions(const SessionWish& wish, Instant now);
    std::string renew_session_of(const HttpRequest& request, const Turn& turn);
    Result<ForeignAgent*> foreign_agent(const ForeignWish& wish);
    void cut_off_gone();
    void look_at_reach();
    void note_reach(const HostId& host, std::string why);
    void ask_claim(const std::shared_ptr<Claiming>& claiming);
    void settle_claim(const std::shared_ptr<Claiming>& claiming, Result<Reply> reply);
    void give_up_unheard(const std::shared_ptr<Claiming>& claiming);
    void settle(ClientId client, const Dress& dress, Result<Reply> reply, const Turn& turn);
    void finish_when(std::function<bool()> is_shown, ClientId client, std::function<HttpAnswer()> answer);
    void settle_waiting();
    void finish(ClientId client, HttpAnswer answer);
    void gone(ClientId client, bool too_slow);

    bus::ZmqLoop& loop_;
    std::string state_;
    HostSettings host_settings_;
    std::string url_;
    std::string boot_;
    std::uint64_t requests_ = 0;
    Picture picture_;
    Traffic traffic_;
    std::map<ClientId, Open> open_;
    std::deque<Waiting> waiting_;
    std::map<ClientId, std::shared_ptr<Claiming>> claiming_;
    std::string tokens_stamp_;
    std::string own_token_stamp_;
    std::unique_ptr<bus::Endpoint> endpoint_;
    std::map<HostId, std::unique_ptr<ForeignAgent>> foreign_;
    std::unique_ptr<bus::Follower> follower_;
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<ReachWatch> reach_;
    std::unique_ptr<InsideWatch> insides_;
    std::string inside_text_;              // of the other processes' metrics
    Attempts attempts_;
    std::unique_ptr<OidcClient> oidc_;     // null: people sign in by links and tokens alone
};

}  // namespace berth::gateway
