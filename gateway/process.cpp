// SPDX-License-Identifier: Apache-2.0
#include "gateway/process.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/check.hpp"
#include "base/diagnostics.hpp"
#include "base/outside_text.hpp"
#include "base/rng.hpp"
#include "os/files.hpp"

namespace berth::gateway {

namespace {

constexpr Duration look_at_tokens{1'000};
constexpr Duration broker_period{10'000};
constexpr Duration broker_timeout{3'000};
constexpr Duration settle_period{100};
constexpr Duration claim_heard_within{1'000};  // over the caller's wait, for an allocator to be heard
constexpr Duration claim_again{500};      // pause before a claim that met no allocator is asked again
constexpr Duration replay_again{1'000};
constexpr std::size_t heartbeats_max = 10'000;
constexpr std::size_t providers_max = 100;
constexpr std::string_view page_policy =
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::string_view data_policy = "default-src 'none'; frame-ancestors 'none'";

void add_common_headers(HttpAnswer& answer, const std::string& request_id) {
    auto& headers = answer.headers;
    const bool page = answer.type.starts_with("text/html") || answer.type.starts_with("text/javascript");  // a worker's is its script's
    headers.emplace_back("Content-Security-Policy", page ? page_policy : data_policy);
    headers.emplace_back("X-Content-Type-Options", "nosniff");
    headers.emplace_back("Referrer-Policy", "no-referrer");
    headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    headers.emplace_back("Cache-Control", "no-store");
    headers.emplace_back("Request-Id", request_id);
}

// Size and times of the file: another one after each change.
std::string stamp_of(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return {};
    return fmt::format("{}/{}/{}.{}", facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

/// The port of the last time, 0 when there was none: clients and open pages know it, and would not find the gateway
/// again after its restart.
std::uint16_t last_port(const std::string& state) {
    const auto url = first_line_of(state + "/gateway.url");
    const auto colon = url.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string::npos) (void)std::from_chars(url.data() + colon + 1, url.data() + url.size(), port);
    return port;
}

}  // namespace

struct Process::Claiming {
    ClientId client = 0;
    ClaimRequest request;
    Dress dress;
    Turn turn;
    Instant until;                        // then the bus failed us
    Instant again_until;                  // the caller's wait: as long as nobody serves it, it is asked again
    bool answered = false;
};

Process::Process(bus::ZmqLoop& loop, Policies policies, std::string state) : loop_(loop), state_(std::move(state)), boot_(random_hex(4)) {
    picture_.policy = std::move(policies.gateway);
    picture_.compat = std::move(policies.compat);
    picture_.oidc = std::move(policies.oidc);
    picture_.started_at = loop.now();
}

Process::~Process() {
    insides_.reset();                     // first: no more posts
    oidc_.reset();
    reach_.reset();
    server_.reset();
    follower_.reset();
}

Result<std::unique_ptr<Process>> Process::open(bus::ZmqLoop& loop, Policies policies, HostSettings for_hosts, const std::string& state) {
    TRY(check_oidc(policies.oidc));
    const auto front = TRY(Front::open(policies.front));
    std::unique_ptr<Process> made{new Process(loop, std::move(policies), state)};
    auto* process = made.get();
    process->host_settings_ = std::move(for_hosts);
    process->picture_.networks = TRY(read_networks(process->picture_.compat.trusted_networks));
    TRY(keep_operator_token(state, loop.now()));
    process->picture_.tokens = TRY(load_tokens(state));
    process->tokens_stamp_ = stamp_of(state + "/tokens.json");
    process->own_token_stamp_ = stamp_of(state + "/token");
    auto connection = TRY(bus::read_connection(state + "/bus.toml", state + "/keys", {"gateway", Role::gateway}));
    process->endpoint_ = TRY(bus::ZmqEndpoint::open(loop, std::move(connection)));
    ServerHooks hooks;
    hooks.on_request = [process, front](ClientId client, HttpRequest request) {
        request.remote = front.client_of(request);
        process->loop_.post([process, client, request = std::move(request)]() mutable { process->take(client, std::move(request)); });
    };
    hooks.on_drained = [process](ClientId client) {
        process->loop_.post([process, client] { process->streams_->drained(client); });
    };
    hooks.on_gone = [process](ClientId client, bool too_slow) {
        process->loop_.post([process, client, too_slow] { process->gone(client, too_slow); });
    };
    process->reach_ = std::make_unique<ReachWatch>(process->picture_.policy.reach_timeout, [process](HostId host, std::string why) {
        process->loop_.post([process, host = std::move(host), why = std::move(why)]() mutable { process->note_reach(host, std::move(why)); });
    });
    if (!process->picture_.oidc.issuer.empty()) {
        process->oidc_ = std::make_unique<OidcClient>(process->picture_.oidc, [process](std::function<void()> work) { process->loop_.post(std::move(work)); });
    }
    process->server_ = TRY(Server::open(process->picture_.policy, last_port(state), std::move(hooks)));
    TRY(process->write_url());
    process->follow();
    return made;
}

Result<void> Process::write_url() {
    const auto& policy = picture_.policy;
    const auto local = server_->inner_url();
    url_ = policy.public_url.empty() ? local : policy.public_url;
    TRY(os::write_file(state_ + "/gateway.url", local + "\n", os::mode_of_notices));
    const auto for_others = state_ + "/gateway.public_url";
    if (!policy.public_url.empty()) return os::write_file(for_others, policy.public_url + "\n", os::mode_of_notices);
    return os::remove_file(for_others);
}

void Process::follow() {
    Streams::Out out;
    out.push = [this](ClientId client, std::string bytes, Tell tell) { server_->push(client, std::move(bytes), tell); };
    out.end = [this](ClientId client, std::string last) { server_->end_stream(client, std::move(last)); };
    out.read = [this](FactsRequest request, std::function<void(Result<FactsReply>)> done) {
        endpoint_->request(request, picture_.policy.request_timeout, std::move(done));
    };
    out.later = [this](std::function<void()> work) { loop_.after(replay_again, std::move(work)); };
    streams_ = std::make_unique<Streams>(picture_, std::move(out));

    bus::Follower::Handlers handlers;
    handlers.on_view = [this](ViewReply reply) {
        picture_.view = std::move(reply.view);
        picture_.heartbeats.clear();
        for (auto& heartbeat : reply.heartbeats) picture_.heartbeats[heartbeat.host] = std::move(heartbeat);
        picture_.ever_followed = picture_.following = true;
        picture_.head_at = loop_.now();
        ++traffic_.views;
        streams_->on_view();
        cut_off_gone();
        look_at_reach();
        settle_waiting();
    };
    handlers.on_fact = [this](const FactRecord& record) {
        apply(picture_.view, record);
        streams_->on_fact(record);
        if (std::holds_alternative<HostGone>(record.fact)) cut_off_gone();
        if (std::holds_alternative<HostRegistered>(record.fact)) look_at_reach();
        settle_waiting();
        if (!std::holds_alternative<TookOver>(record.fact)) return;
        // Whoever waited at the allocator before it is forgotten there: asked again, by the same key.
        for (const auto& [client, claiming] : std::map(claiming_)) ask_claim(claiming);
    };
    handlers.on_lost = [this](const std::string&) {
        picture_.following = false;
        ++traffic_.gaps;
    };
    handlers.on_head = [this](const LedgerHead& head) {
        picture_.head_at = loop_.now();
        picture_.storage_low = head.storage.has_value();
    };
    follower_ = std::make_unique<bus::Follower>(loop_, *endpoint_, std::move(handlers));
    endpoint_->subscribe("", [this](const bus::Delivery& delivery) {
        const auto* row = find_event_row(delivery.name);
        if (!row || row->kind == MessageKind::fact || delivery.name == event_name<LedgerHead>) return;
        if (delivery.name == event_name<HostHeartbeat>) {
            if (auto heartbeat = delivery.as<HostHeartbeat>(); heartbeat && picture_.heartbeats.size() < heartbeats_max) {
                picture_.heard[heartbeat->host] = loop_.now();
                picture_.heartbeats[heartbeat->host] = std::move(*heartbeat);
            }
        }
        if (delivery.name == event_name<HostActivity>) note_use(delivery);
        if (delivery.name == event_name<ProviderSnapshot>) {
            if (auto snapshot = delivery.as<ProviderSnapshot>(); snapshot && (picture_.providers.contains(snapshot->provider) || picture_.providers.size() < providers_max)) {
                snapshot->instances.clear();
                picture_.providers[snapshot->provider] = std::move(*snapshot);
            }
        }
        streams_->on_delivery(delivery);
    });
}

/// Who asks for a workspace is told the gist of it.
void Process::note_use(const bus::Delivery& delivery) {
    const auto activity = delivery.as<HostActivity>();
    if (!activity || activity->host.value != delivery.stamp.sender) return;
    const auto is_gone = [&](const auto& one) { return !picture_.view.workspaces.contains(one.first); };
    std::erase_if(picture_.uses, is_gone);
    std::erase_if(picture_.tapes, is_gone);
    for (const auto& one : activity->workspaces) {
        const auto at = picture_.view.workspaces.find(one.workspace);
        if (at == picture_.view.workspaces.end() || at->second.host != activity->host) continue;
        auto& seen = picture_.uses[one.workspace] = {one.epoch, activity->read_at, loop_.now(), one.signals};
        add_to_tape(picture_.tapes[one.workspace], seen);
    }
}

void Process::start() {
    loop_.every(look_at_tokens, [this] {
        read_tokens_again();
        end_with_tokens();
    });
    loop_.every(picture_.policy.reach_every, [this] { look_at_reach(); });
    insides_ = std::make_unique<InsideWatch>(state_, picture_.policy.inside_every, [this](std::string text) {
        loop_.post([this, text = std::move(text)]() mutable { inside_text_ = std::move(text); });
    });
    look_at_broker();
    loop_.every(broker_period, [this] { look_at_broker(); });
    loop_.every(settle_period, [this] { settle_waiting(); });
    loop_.every(picture_.policy.stream_heartbeat, [this] { streams_->on_heartbeat(); });
    server_->start();
}

void Process::look_at_broker() {
    endpoint_->request<BrokerStatusRequest>({}, broker_timeout, [this](Result<BrokerStatus> status) {
        picture_.broker = status ? std::optional{std::move(*status)} : std::nullopt;
    });
}

void Process::read_tokens_again() {
    // Another text in <state>/token, or none: the old one ends here and now.
    if (const auto own = stamp_of(state_ + "/token"); own != own_token_stamp_) {
        own_token_stamp_ = own;
        if (const auto kept = keep_operator_token(state_, loop_.now()); !kept) log_warn("token.unusable", {{"why", kept.error().text}});
        own_token_stamp_ = stamp_of(state_ + "/token");
    }
    const auto stamp = stamp_of(state_ + "/tokens.json");
    if (stamp == tokens_stamp_) return;
    auto tokens = load_tokens(state_);
    if (!tokens) return log_warn("tokens.unreadable", {{"why", tokens.error().text}});
    tokens_stamp_ = stamp;
    picture_.tokens = std::move(*tokens);
    log_info("tokens.read", {{"count", picture_.tokens.entries().size()}});
    end_with_tokens();
}

// Whatever stays open for long ends with its token, and its reader is told why.
void Process::end_with_tokens() {
    const auto now = loop_.now();
    streams_->end_without_token(now);
    for (const auto& [client, claiming] : std::map(claiming_)) {
        const auto& caller = claiming->dress.caller;
        const auto why = caller.token_id.empty() ? std::nullopt : picture_.tokens.why_over(caller.token_id, now);
        if (!why) continue;
        claiming->answered = true;
        claiming_.erase(client);
        finish(client, refuse({401, ErrorKind::denied, *why + " while this claim waited. The claim goes on: ask again with its key and a good token",
                               "", Refusal::no_token}, claiming->dress.route->style, claiming->turn.request_id));
    }
}

// ---- requests

void Process::take(ClientId client, HttpRequest request) {
    const Turn turn{loop_.now(), fmt::format("{}-{}", boot_, ++requests_)};
    const auto match = match_route(request.method, request.path);
    Open& open = open_[client];
    open = {.id = turn.request_id, .since = turn.now};
    if (match.route) {
        open.operation = match.route->operation;
        open.style = match.route->style;
        if (match.route->effect == Effect::changes) open.what = fmt::format("{} {}", match.route->method, match.route->path);
    }
    open.cookie = renew_session_of(request, turn);
    auto decided = step(picture_, request, turn);
    std::visit(
        [&](auto& wanted) {
            using T = std::decay_t<decltype(wanted)>;
            if constexpr (std::is_same_v<T, HttpAnswer>) {
                finish(client, std::move(wanted));
            } else if constexpr (std::is_same_v<T, MetricsWish>) {
                traffic_.connections = server_->connections();
                traffic_.streams = streams_->count();
                traffic_.events_sent = streams_->sent();
                auto all = traffic_;
                for (std::size_t i = 0; i < all.refused.size(); ++i) all.refused[i] += server_->refused(static_cast<Refusal>(i));
                finish(client, {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(picture_, all, turn.now) + inside_text_});
            } else {
                carry_out(client, std::move(wanted), turn);
            }
        },
        decided);
}

void Process::carry_out(ClientId client, Ask ask, const Turn& turn) {
    if (auto* claim = std::get_if<ClaimRequest>(&ask.call)) {
        auto claiming = std::make_shared<Claiming>();
        const auto again_until = turn.now + claim->wait_ms.value_or(Duration{0});
        *claiming = {client, std::move(*claim), std::move(ask.dress), turn, turn.now + ask.timeout, again_until, false};
        claiming_[client] = claiming;
        loop_.after(again_until - turn.now + claim_heard_within, [this, claiming] { give_up_unheard(claiming); });
        return ask_claim(claiming);
    }
    std::visit(
        [&](const auto& request) {
            using R = ReplyTo<std::decay_t<decltype(request)>>;
            std::function<void(Result<R>)> done = [this, client, dress = ask.dress, turn](Result<R> reply) {
                if (!reply) return settle(client, dress, fail(reply.error()), turn);
                settle(client, dress, Reply{std::move(*reply)}, turn);
            };
            endpoint_->request(request, ask.timeout, std::move(done));
        },
        ask.call);
}

// The key makes asking twice the same as asking once, so a claim outlives its allocator's death: it is
// asked again when the bus says that nobody serves it, or its host was late with a link, as long as the
// caller waits. What the allocator itself refuses is the answer.
void Process::ask_claim(const std::shared_ptr<Claiming>& claiming) {
    const auto left = claiming->until - loop_.now();
    if (claiming->answered || left <= Duration{0}) return;
    std::function<void(Result<ClaimReply>)> done = [this, claiming](Result<ClaimReply> reply) {
        // Granted, and its host could not give a link in time: the same key asks for another.
        const bool again = !reply && reply.error().kind == ErrorKind::timeout && loop_.now() + claim_again < claiming->again_until;
        if (again && !claiming->answered) {
            loop_.after(claim_again, [this, claiming] { ask_claim(claiming); });
            return;
        }
        if (!reply) return settle_claim(claiming, fail(reply.error()));
        settle_claim(claiming, Reply{std::move(*reply)});
    };
    const auto absent = [this, claiming](const Error& error) {
        if (claiming->answered) return;
        // But a claim that the ledger ended is answered with that end.
        const auto* known = picture_.view.claim_of(*claiming->request.principal, claiming->request.key);
        const bool ended = known && !known->open() && known->state != ClaimState::granted;
        if (ended || loop_.now() + claim_again >= claiming->again_until) return settle_claim(claiming, fail(error));
        loop_.after(claim_again, [this, claiming] { ask_claim(claiming); });
    };
    endpoint_->request(claiming->request, left, std::move(done), {}, absent);
}

void Process::settle_claim(const std::shared_ptr<Claiming>& claiming, Result<Reply> reply) {
    if (std::exchange(claiming->answered, true)) return;
    if (const auto at = claiming_.find(claiming->client); at != claiming_.end() && at->second == claiming) claiming_.erase(at);
    settle(claiming->client, claiming->dress, std::move(reply), claiming->turn);
}

// The caller's wait is over and no allocator was heard: nobody will say more. One that lives answers by itself.
void Process::give_up_unheard(const std::shared_ptr<Claiming>& claiming) {
    if (claiming->answered || !open_.contains(claiming->client)) return;
    const bool heard = picture_.head_at != Instant{} && loop_.now() - picture_.head_at <= head_patience;
    if (heard) return;
    settle_claim(claiming, fail(ErrorKind::unavailable, "berth-allocator was not heard for over {}: whether it took this claim is not known. "
                                "Ask again with the same key; `berth doctor` looks", to_text(head_patience)));
}

void Process::carry_out(ClientId client, TokenChange change, const Turn& turn) {
    Result<MintedToken> minted;
    if (change.mint) {
        minted = mint_token(state_, *change.mint, turn.now);
    } else if (const auto revoked = revoke_token(state_, change.revoke); !revoked) {
        minted = fail(revoked.error());
    }
    read_tokens_again();
    finish(client, answer_token(change, minted, turn));
}

void Process::carry_out(ClientId client, StreamWish wish, const Turn&) {
    if (const auto room = streams_->check_room(wish.caller); !room) {
        auto problem = problem_of(room.error());
        problem.refusal = Refusal::too_many;
        return finish(client, refuse(problem, Style::v1, open_[client].id));
    }
    HttpAnswer head{.type = "text/event-stream"};
    add_common_headers(head, open_[client].id);
    head.headers.emplace_back("X-Accel-Buffering", "no");
    ++traffic_.answers[{Operation::events, 200}];
    open_.erase(client);
    server_->begin_stream(client, std::move(head));
    streams_->open(client, std::move(wish));
}

// ---- answers

void Process::settle(ClientId client, const Dress& dress, Result<Reply> reply, const Turn& turn) {
    if (!reply && reply.error().kind == ErrorKind::timeout) ++traffic_.bus_timeouts;
    const auto said = std::make_shared<const Result<Reply>>(std::move(reply));
    finish_when([this, said] { return shows(picture_, *said); }, client, [this, dress, said, turn] { return answer(picture_, dress, *said, turn); });
}

// Who acts on an answer at once has to find what it says: it is given when our own view has got so far.
void Process::finish_when(std::function<bool()> is_shown, ClientId client, std::function<HttpAnswer()> answer) {
    if (is_shown()) return finish(client, answer());
    waiting_.push_back({client, std::move(is_shown), std::move(answer), loop_.now() + picture_.policy.catch_up});
}

void Process::settle_waiting() {
    const auto now = loop_.now();
    for (std::size_t left = waiting_.size(); left > 0; --left) {
        auto first = std::move(waiting_.front());
        waiting_.pop_front();
        if (first.is_shown() || first.until <= now) {
            finish(first.client, first.answer());
        } else {
            waiting_.push_back(std::move(first));
        }
    }
}

void Process::finish(ClientId client, HttpAnswer answer) {
    const auto at = open_.find(client);
    if (at == open_.end()) return;        // the client left before
    const auto& open = at->second;
    const auto took = loop_.now() - open.since;
    ++traffic_.refused[static_cast<std::size_t>(answer.refusal)];
    if (open.operation) {
        ++traffic_.answers[{*open.operation, answer.status}];
        traffic_.seconds[*open.operation] += static_cast<double>(took.count()) / 1000;
    } else {
        ++traffic_.unmatched[answer.status];
    }
    if (!open.what.empty()) {
        log_info("http", {{"what", open.what}, {"status", answer.status}, {"ms", took.count()}, {"request", open.id}});
    }
    add_common_headers(answer, open.id);
    const auto is_cookie = [](const auto& header) { return header.first == "Set-Cookie"; };
    if (!open.cookie.empty() && std::none_of(answer.headers.begin(), answer.headers.end(), is_cookie)) {
        answer.headers.emplace_back("Set-Cookie", open.cookie);
    }
    open_.erase(at);
    server_->answer(client, std::move(answer));
}

void Process::gone(ClientId client, bool too_slow) {
    if (too_slow) ++traffic_.streams_cut;
    open_.erase(client);
    claiming_.erase(client);              // the claim goes on; its key finds it again
    streams_->close(client);
}

}  // namespace berth::gateway
