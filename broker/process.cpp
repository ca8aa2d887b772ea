// SPDX-License-Identifier: Apache-2.0
#include "broker/process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "base/check.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "events/codec.hpp"
#include "os/files.hpp"

namespace berth::broker {

namespace {

constexpr Duration note_period{1'000};
constexpr std::size_t noted_max = 1'024;
constexpr std::size_t batching_max = 65'536;       // routes; the oldest of more get each message alone
constexpr int io_threads = 1;

std::string bus_file(const std::string& state_dir) { return state_dir + "/bus.toml"; }

// "tcp://127.0.0.1:*" becomes the port of the last start, so that peers find the broker again.
std::string with_kept_port(const std::string& wanted, const std::string& kept) {
    if (!wanted.ends_with(":*")) return wanted;
    const auto port = kept.rfind(':');
    if (port == std::string::npos) return wanted;
    return wanted.substr(0, wanted.size() - 1) + kept.substr(port + 1);
}

// What is bound to loopback is for this machine, under no other name.
std::string advertised(const std::string& bound, const std::string& host) {
    if (host.empty() || bound.empty() || bound.starts_with("tcp://127.")) return bound;
    return fmt::format("tcp://{}{}", host, bound.substr(bound.rfind(':')));
}

std::string_view events_beat() { return event_name<ServeBeat>; }

}  // namespace

Process::Process(bus::ZmqLoop& loop, Policy policy, std::string state_dir)
    : loop_(loop), state_dir_(std::move(state_dir)), context_(io_threads) {
    state_.policy = std::move(policy);
    state_.boot = random_hex(8);
    source_ = fmt::format("/berth/broker/{}", state_.boot);
}

Process::~Process() {
    loop_.forget_waits_of(this);
    for (auto* socket : {&events_in_, &events_out_, &requests_}) {
        if (*socket) loop_.unwatch_socket(socket->handle());
    }
}

Result<std::unique_ptr<Process>> Process::open(bus::ZmqLoop& loop, Policy policy, const std::string& state_dir) {
    std::unique_ptr<Process> process{new Process(loop, std::move(policy), state_dir)};
    const auto keys = state_dir + "/keys";
    process->own_ = TRY(bus::load_key(keys, "broker"));
    process->book_ = TRY(PeerBook::open(keys));
    process->peers_ = process->book_->peers();
    process->zap_ = std::make_unique<Zap>(process->context_, *process->book_);
    TRY(process->bind_all());
    process->start();
    TRY(process->write_addresses());
    return process;
}

Result<void> Process::bind_all() {
    const auto& policy = state_.policy;
    Addresses kept;
    if (::access(bus_file(state_dir_).c_str(), F_OK) == 0) {
        const auto file = TRY(Config::load(bus_file(state_dir_)));
        const auto read = [&](std::string_view key) {
            const auto setting = file.find("bus", key);
            return setting ? setting->value : std::string{};
        };
        kept = {read("events_in"), read("events_out"), read("requests"), read("requests_allocator"), read("requests_hosts")};
    }
    using bus::Listener;
    auto in = TRY(bind_one(zmq::socket_type::xsub,
                           {Listener{with_kept_port(policy.events_in, kept.events_in), std::string{events_domain}}}));
    auto out = TRY(bind_one(zmq::socket_type::xpub,
                            {Listener{with_kept_port(policy.events_out, kept.events_out), std::string{events_domain},
                                      bus::subscription_max}}));
    std::vector<Listener> doors{{with_kept_port(policy.requests, kept.requests), std::string{requests_domain}},
                                {with_kept_port(policy.requests_allocator, kept.requests_allocator), std::string{allocator_domain},
                                 bus::trusted_frame_max}};
    if (!policy.requests_hosts.empty()) {
        doors.push_back({with_kept_port(policy.requests_hosts, kept.requests_hosts), std::string{hosts_domain}});
    }
    auto requests = TRY(bind_one(zmq::socket_type::router, doors));
    events_in_ = std::move(in.socket);
    events_out_ = std::move(out.socket);
    requests_ = std::move(requests.socket);
    addresses_ = {in.addresses[0], out.addresses[0], requests.addresses[0], requests.addresses[1],
                  doors.size() > 2 ? requests.addresses[2] : ""};
    return {};
}

Result<bus::Bound> Process::bind_one(zmq::socket_type type, const std::vector<bus::Listener>& listeners) {
    const auto give_up = loop_.now() + bind_patience;
    for (;;) {
        auto bound = bus::open_server(context_, {.type = type}, own_, listeners);
        if (bound || bound.error().kind != ErrorKind::conflict || loop_.now() >= give_up) {
            if (bound || bound.error().kind != ErrorKind::conflict) return bound;
            return fail(ErrorKind::conflict,
                        "{}; is another broker running on this state? If not, another program took the port that {} "
                        "remembers: end it, or remove that file and restart every process",
                        bound.error().text, bus_file(state_dir_));
        }
        std::this_thread::sleep_for(bind_pause);
    }
}

Result<void> Process::write_addresses() const {
    const auto path = bus_file(state_dir_);
    const auto& host = state_.policy.advertise_host;
    std::string text = "# Where this installation's broker listens; kept over restarts. Written by berth-broker.\n[bus]\n";
    std::apply(
        [&](const auto&... field) {
            ((text += fmt::format("{} = \"{}\"\n", field.name, advertised(addresses_.*field.member, host))), ...);
        },
        Addresses::fields());
    return os::write_file(path, text, os::mode_of_notices);
}

void Process::start() {
    // Takes everything: what is not wanted is dropped by the XPUB.
    zmq::message_t everything("\1", 1);
    check(bus::send_all(events_in_, std::array{&everything}) == bus::Sent::yes, "an XSUB takes a subscription");
    const int verbose = 1;
    check(zmq_setsockopt(events_out_.handle(), ZMQ_XPUB_VERBOSE, &verbose, sizeof verbose) == 0, "XPUB_VERBOSE is known");
    loop_.watch_socket(events_in_.handle(), [this] { return drain_events(); });
    loop_.watch_socket(events_out_.handle(), [this] { return drain_subscriptions(); });
    loop_.watch_socket(requests_.handle(), [this] { return drain_requests(); });
    loop_.before_each_wait(this, [this] { leave_together(); });
    loop_.every(tick_period, [this] { carry_out(tick(state_, loop_.now()), nullptr); });
    loop_.every(peers_period, [this] { look_after_peers(); });
    loop_.every(state_.policy.beat_period, [this] { publish_beat(); });
}

// ---- in

Arrival Process::arrival_of(const bus::Frames& frames, Channel channel) {
    const std::size_t topic_at = channel == Channel::requests ? 1 : 0;
    Arrival arrival{.channel = channel};
    auto found = peers_->find(bus::user_id(frames));
    if (found == peers_->end()) {  // the ZAP thread admitted it, and knows it since a moment
        peers_ = book_->peers();
        found = peers_->find(bus::user_id(frames));
    }
    if (found != peers_->end()) arrival.sender = Sender{found->second.name, found->second.role};
    if (topic_at == 1 && frames.count > 0) arrival.route = std::string{frames.text(0)};
    arrival.frames = frames.overflow || frames.count < topic_at ? 0 : frames.count - topic_at;
    if (arrival.frames > 0) arrival.topic = frames.text(topic_at);
    if (arrival.frames > 1) arrival.envelope = frames.text(topic_at + 1);
    if (arrival.frames > 2) arrival.tag = frames.text(topic_at + 2);
    return arrival;
}

bool Process::drain_events() {
    bus::Frames frames;
    for (std::size_t i = 0; i < bus::drain_max;) {
        if (!bus::receive(events_in_, frames)) return false;
        i += take(frames, arrival_of(frames, Channel::events));
    }
    return true;
}

std::size_t Process::take(const bus::Frames& frames, const Arrival& arrival) {
    if (arrival.topic == bus::batch_topic && arrival.frames == 2 && arrival.sender) return take_batch(arrival);
    const Passing passing{arrival, &frames, arrival.channel == Channel::requests ? 1U : 0U};
    carry_out(step(state_, arrival, loop_.now()), &passing);
    return 1;
}

// Who sends batches reads them too; an empty one only says so. One that is torn is refused as a whole.
std::size_t Process::take_batch(const Arrival& whole) {
    if (whole.envelope.empty() && whole.channel == Channel::requests) {
        note_batching(whole.route);
        return 1;
    }
    if (whole.envelope.empty() || !bus::is_batch(whole.envelope)) {
        ++state_.count(Count::malformed);
        note(Count::malformed, whole.sender->name, "a batch that is none; see docs/bus.md");
        return 1;
    }
    std::size_t count = 0;
    auto body = whole.envelope;
    auto arrival = whole;
    while (const auto parts = bus::next_of_batch(body)) {
        arrival.frames = parts->count;
        arrival.topic = parts->frames[0];
        arrival.envelope = parts->frames[1];
        arrival.tag = parts->frames[2];
        const Passing passing{arrival};
        carry_out(step(state_, arrival, loop_.now()), &passing);
        ++count;
    }
    return count;
}

void Process::note_batching(const std::string& route) {
    if (batching_.insert(route).second) batching_since_.push_back(route);
    if (batching_.size() > batching_max) {
        batching_.erase(batching_since_.front());
        batching_since_.pop_front();
    }
    zmq::message_t to(route);
    zmq::message_t topic(bus::batch_topic);
    zmq::message_t nothing;
    if (bus::send_all(requests_, std::array{&to, &topic, &nothing}) != bus::Sent::yes) ++state_.count(Count::unreachable);
}

bool Process::drain_requests() {
    bus::Frames frames;
    for (std::size_t i = 0; i < bus::drain_max;) {
        if (!bus::receive(requests_, frames)) return false;
        const auto arrival = arrival_of(frames, Channel::requests);
        // libzmq's own routing ids begin with a zero byte and are never used twice; a chosen one may be
        // taken over by someone else, so nothing is ever sent to it.
        if (!arrival.route.starts_with('\0')) {
            ++state_.count(Count::chosen_route);
            note(Count::chosen_route, arrival.sender ? arrival.sender->name : "", "do not set ZMQ_ROUTING_ID");
            ++i;
            continue;
        }
        i += take(frames, arrival);
    }
    return true;
}

bool Process::drain_subscriptions() {
    bus::Frames frames;
    bool asked = false;
    bool more = true;
    const auto beat_topic = topic_of(events_beat());
    for (std::size_t i = 0; i < bus::drain_max; ++i) {
        if (!bus::receive(events_out_, frames)) {
            more = false;
            break;
        }
        asked = asked || frames.text(0) == "\1" + beat_topic;
        known_wanted_.clear();
        if (frames.text(0).starts_with('\1')) wanted_.emplace(frames.text(0).substr(1));
        else if (frames.text(0).starts_with('\0')) wanted_.erase(std::string{frames.text(0).substr(1)});
        if (frames.text(0).starts_with('\1') && floods_.note(bus::user_id(frames), loop_.now())) {
            stop_flood(bus::user_id(frames));
            return false;
        }
    }
    // Whoever subscribes to the beat last knows by it that all its subscriptions are in force.
    if (asked) publish_beat();
    return more;
}

void Process::look_after_peers() {
    const auto gone = book_->refresh();
    if (!gone) {
        log_error("peers.unreadable", {{"why", gone.error().text}});
        return;
    }
    peers_ = book_->peers();
    bool listening = false;
    for (const auto& peer : *gone) {
        log_info("peer.revoked", {{"peer", peer.name}, {"role", peer.role}});
        listening = listening || peer.role != Role::host;
        carry_out(revoke(state_, peer.name), nullptr);
    }
    if (listening) restart_events_out();
}

// The subscriptions of one peer can be taken back with the socket alone: its own are not let in again.
void Process::stop_flood(const std::string& key) {
    const auto peer = book_->find(key);
    ++state_.count(Count::subscription_floods);
    log_warn("listener.barred", {{"peer", peer ? peer->name : ""}, {"minutes", barred_for.count() / 60'000},
                                 {"why", "it subscribed to more than any program needs"}});
    book_->bar(key, loop_.now() + barred_for);
    floods_.forget(key);
    restart_events_out();
}

// A subscriber is asked for its key at the handshake only: the one way to cut it off is to close the
// socket. Everyone else connects again and, by the sequences, notices what it missed.
void Process::restart_events_out() {
    loop_.unwatch_socket(events_out_.handle());
    wanted_.clear();
    known_wanted_.clear();
    events_out_.set(zmq::sockopt::linger, 0);
    events_out_.close();
    auto bound = bind_one(zmq::socket_type::xpub,
                          {bus::Listener{addresses_.events_out, std::string{events_domain}, bus::subscription_max}});
    if (!bound) {
        log_error("events_out.lost", {{"why", bound.error().text}});
        return loop_.stop();
    }
    events_out_ = std::move(bound->socket);
    const int verbose = 1;
    zmq_setsockopt(events_out_.handle(), ZMQ_XPUB_VERBOSE, &verbose, sizeof verbose);
    loop_.watch_socket(events_out_.handle(), [this] { return drain_subscriptions(); });
}

// ---- out

void Process::carry_out(Decisions decisions, const Passing* passing) {
    // Failed sends add decisions of their own: each of them ends a worker or a request, so this ends.
    for (const auto& decision : decisions) {
        if (const auto* subscribers = std::get_if<ToSubscribers>(&decision)) {
            send_to_subscribers(*subscribers, *passing);
        } else if (const auto* peer = std::get_if<ToPeer>(&decision)) {
            send_to_peer(*peer, *passing);
        } else if (const auto* refusal = std::get_if<Refusal>(&decision)) {
            auto envelope = own_envelope(refusal->name + ".reply");
            envelope.correlation_id = refusal->request_id;
            envelope.error = refusal->error;
            send_own(refusal->route, std::string{reply_topic}, envelope, refusal->request_id);
        } else if (const auto* registered = std::get_if<Registered>(&decision)) {
            log_info("worker.registered", {{"service", registered->service}});
            auto envelope = own_envelope("broker.serve.reply");
            envelope.correlation_id = registered->request_id;
            envelope.data = encode(Done{.count = 1});
            send_own(registered->route, std::string{reply_topic}, envelope, registered->request_id);
        } else if (const auto* status = std::get_if<StatusReply>(&decision)) {
            auto envelope = own_envelope("broker.status.reply");
            envelope.correlation_id = status->request_id;
            auto answer = status->status;
            answer.counters.push_back({"handshakes_refused", zap_->refused()});
            envelope.data = encode(answer);
            send_own(status->route, std::string{reply_topic}, envelope, status->request_id);
        } else if (const auto* beat = std::get_if<Beat>(&decision)) {
            auto envelope = own_envelope(events_beat());
            envelope.data = encode(ServeBeat{});
            send_own(beat->route, topic_of(events_beat()), envelope, {});
        } else if (const auto* stranger = std::get_if<NotServing>(&decision)) {
            auto envelope = own_envelope(event_name<ServeEnd>);
            envelope.data = encode(ServeEnd{});
            send_own(stranger->route, topic_of(event_name<ServeEnd>), envelope, {});
        } else if (const auto* lost = std::get_if<WorkerLost>(&decision)) {
            log_warn("worker.lost", {{"worker", lost->worker}, {"service", lost->service}, {"why", lost->why}});
        } else if (const auto* dropped = std::get_if<Dropped>(&decision)) {
            note(dropped->why, dropped->sender, dropped->text);
        }
    }
}

Envelope Process::own_envelope(std::string_view name) {
    return Envelope{.id = fmt::format("{}-{}", state_.boot, ++ids_), .source = source_, .type = type_attribute(name),
                    .time = loop_.now()};
}

void Process::publish_beat() {
    auto envelope = own_envelope(events_beat());
    envelope.sequence = ++beats_;
    envelope.data = encode(ServeBeat{});
    zmq::message_t topic(topic_of(events_beat()));
    zmq::message_t body(encode_envelope(envelope));
    zmq::message_t stamp(encode(Stamp{Role::broker, "broker", {}}));
    bus::send_all(events_out_, std::array{&topic, &body, &stamp});
}

// One line a second for each kind and sender; the counters have them all.
void Process::note(Count why, const std::string& sender, const std::string& text) {
    if (why == Count::late_replies) return;
    const auto now = loop_.now();
    if (noted_.size() >= noted_max) noted_.clear();
    auto& last = noted_[{why, sender}];
    if (last != Instant{} && now - last < note_period) return;
    last = now;
    log_warn("message.refused", {{"why", why}, {"sender", sender}, {"text", text.substr(0, 300)}});
}

}  // namespace berth::broker
