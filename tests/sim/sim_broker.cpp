// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_broker.hpp"

#include <fmt/format.h>

#include "events/topic.hpp"

namespace berth::sim {

namespace {

constexpr Duration reconnect_least{100};  // as ZMQ_RECONNECT_IVL and its MAX (docs/bus.md)
constexpr Duration reconnect_most{2'000};
constexpr Duration down_most{3'000};
constexpr Duration half_open_max{6'000};  // ZMQ_HEARTBEAT_TTL
constexpr Duration event_patience{10'000};

std::uint64_t number_of(const std::string& text) {
    std::uint64_t number = 0;
    for (const char digit : text) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    return number;
}

}  // namespace

SimBroker::SimBroker(World& world) : world_(world), rng_(world.stream("bus")) {}

// ---- the process

void SimBroker::begin() {
    up_ = true;
    const auto life = ++life_;
    state_ = {};
    state_.boot = fmt::format("b{}", life);
    for (const auto& [process, endpoint] : endpoints_) endpoint->broker_began();
    tick(life);
}

void SimBroker::crash() {
    if (!up_) return;
    world_.mark(state_.pending.empty() ? "broker died" : "broker died with requests under way");
    up_ = false;
    ++life_;
    routes_.clear();
    tell({.kind = CarriedKind::forgot});
    for (const auto& [process, endpoint] : endpoints_) endpoint->broker_died();
    world_.after({}, Duration{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(down_most.count())))}, [this] { begin(); });
}

void SimBroker::tick(std::uint64_t life) {
    if (life != life_) return;
    carry_out(broker::tick(state_, world_.now), nullptr);
    world_.after({}, broker::tick_period, [this, life] { tick(life); });
}

// ---- connections

void SimBroker::connect(const std::string& process, const std::string& address, Actor& actor) {
    auto& endpoint = endpoints_[process];
    if (endpoint == nullptr) endpoint = std::make_unique<SimConnection>(world_, *this, process, address);
    if (endpoint->up()) disconnect(process, true);
    endpoint->begin(actor);
}

// What was on its way still arrives, and until then the broker does not know.
void SimBroker::disconnect(const std::string& process, bool noticed) {
    auto* endpoint = endpoint_of(process);
    if (endpoint == nullptr || !endpoint->up()) return;
    const auto route = endpoint->route();
    noticed = noticed && !world_.is_cut(endpoint->address(), "broker");
    endpoint->end();
    if (!routes_.contains(route)) return;
    routes_[route] = nullptr;
    world_.after({}, noticed ? world_.faults.delay_max : half_open_max, [this, route] { routes_.erase(route); });
}

std::string SimBroker::accept(SimConnection& endpoint) {
    if (!up_) return {};
    auto route = fmt::format("c{}", ++connections_);
    routes_[route] = &endpoint;
    return route;
}

Duration SimBroker::pause_to_reconnect() {
    return reconnect_least + Duration{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>((reconnect_most - reconnect_least).count())))};
}

void SimBroker::refused(const Parcel& parcel, const Stamp& stamp, const std::string& receiver) {
    tell({.kind = CarriedKind::refused, .from = stamp.sender, .to = receiver, .topic = parcel.topic});
}

SimConnection* SimBroker::endpoint_of(const std::string& process) {
    const auto found = endpoints_.find(process);
    return found == endpoints_.end() ? nullptr : found->second.get();
}

// ---- what processes send

void SimBroker::request(const std::string& process, Letter letter) {
    auto* endpoint = endpoint_of(process);
    if (endpoint == nullptr) return;
    // Whose clock is behind, a host's far behind, is refused whatever it asks; here the cores are to be tried with it.
    const auto least = endpoint->sender().role == Role::host ? -state_.policy.clock_skew_max : Duration{0};
    const auto skew = std::max(world_.now_of(process) - world_.now, least);
    endpoint->send({.parcel = pack(letter, {}, world_.now, skew), .until = letter.deadline, .request = true});
}

void SimBroker::publish(const std::string& process, Letter letter, const std::string& host) {
    auto* endpoint = endpoint_of(process);
    if (endpoint == nullptr) return;
    const bool dealer = endpoint->sender().role == Role::host || letter.name.starts_with("broker.");
    endpoint->send({.parcel = pack(letter, host, world_.now), .channel = dealer ? broker::Channel::requests : broker::Channel::events,
                    .until = world_.now + event_patience});
}

void SimBroker::reply(Letter letter) {
    auto* endpoint = endpoint_of(letter.process);
    if (endpoint != nullptr) endpoint->send({.parcel = pack(letter, {}, world_.now), .until = world_.now + event_patience});
}

void SimBroker::serve(const std::string& process) {
    if (auto* endpoint = endpoint_of(process)) endpoint->serve();
}

// Well-formed, and by an enrolled key: only the table of roles stands between it and the others.
void SimBroker::forge(const std::string& process, const std::string& host) {
    auto* endpoint = endpoint_of(process);
    if (endpoint == nullptr || !endpoint->up()) return;
    const bool of_host = endpoint->sender().role == Role::host;
    const auto way = rng_.below(3);
    Letter lie{.from = endpoint->address(), .id = 1'000'000'000 + ++forged_, .deadline = world_.now + event_patience};
    const auto say = [&](LetterKind kind, std::string_view name, Bytes data) {
        lie.kind = kind;
        lie.name = name;
        lie.data = std::make_shared<const Bytes>(std::move(data));
    };
    if (way == 0) say(LetterKind::event, event_name<WorkspaceIdle>, encode(WorkspaceIdle{.host = {host}}));
    else if (way == 1) say(LetterKind::request, of_host ? request_name<ReleaseRequest> : request_name<StopCommand>, encode(StopCommand{}));
    else if (of_host) say(LetterKind::event, event_name<HostHeartbeat>, encode(HostHeartbeat{.host = {"h-x"}}));
    else say(LetterKind::event, event_name<LedgerHead>, encode(LedgerHead{{"L"}, {}, {}}));
    const auto key = of_host && way == 2 ? std::string{"h-x"} : host;
    endpoint->send({.parcel = pack(lie, key, world_.now), .until = lie.deadline});
}

// ---- what comes in

void SimBroker::arrive(const std::string& route, const broker::Sender& sender, broker::Channel channel, const Parcel& parcel) {
    if (!routes_.contains(route)) return;    // its connection ended, or this broker never knew it
    const bool reply = parcel.topic == reply_topic;
    const broker::Arrival arrival{.channel = channel, .sender = sender, .route = channel == broker::Channel::requests ? route : std::string{},
                                  .frames = reply ? 3U : 2U, .topic = parcel.topic, .envelope = *parcel.envelope, .tag = parcel.tag};
    const auto topic = parse_topic(parcel.topic);
    if (topic && topic->name.starts_with("broker.")) {
        tell({.kind = CarriedKind::heard, .from = sender.name, .topic = parcel.topic, .route = route});
    } else if (topic && find_request_row(topic->name) != nullptr) {
        tell({.kind = CarriedKind::asked, .from = sender.name, .topic = parcel.topic, .route = route, .id = parcel.id, .deadline = parcel.deadline, .wait = parcel.wait});
    }
    carry_out(broker::step(state_, arrival, world_.now), &parcel);
}

// ---- what the core decided

void SimBroker::carry_out(broker::Decisions decisions, const Parcel* parcel) {
    for (const auto& decision : decisions) {
        if (const auto* subscribers = std::get_if<broker::ToSubscribers>(&decision)) {
            to_subscribers(*parcel, subscribers->stamp);
        } else if (const auto* peer = std::get_if<broker::ToPeer>(&decision)) {
            to_peer(peer->route, *parcel, peer->stamp);
        } else if (const auto* refusal = std::get_if<broker::Refusal>(&decision)) {
            answer(refusal->route, refusal->request_id, refusal->name, fail(refusal->error));
        } else if (const auto* registered = std::get_if<broker::Registered>(&decision)) {
            answer(registered->route, registered->request_id, "broker.serve", encode(Done{.count = 1}));
        } else if (const auto* beat = std::get_if<broker::Beat>(&decision)) {
            say(beat->route, std::string{event_name<ServeBeat>}, encode(ServeBeat{}));
        } else if (const auto* stranger = std::get_if<broker::NotServing>(&decision)) {
            say(stranger->route, std::string{event_name<ServeEnd>}, encode(ServeEnd{}));
        } else if (const auto* lost = std::get_if<broker::WorkerLost>(&decision)) {
            world_.mark("broker: worker lost, " + lost->why);
            if (world_.tracing) world_.note(fmt::format("broker lost {}: {}", lost->worker, lost->why));
        } else if (const auto* dropped = std::get_if<broker::Dropped>(&decision)) {
            world_.mark(fmt::format("broker dropped: {}", to_string(dropped->why)));
            if (world_.tracing) world_.note(fmt::format("broker dropped {} of {}: {}", to_string(dropped->why), dropped->sender, dropped->text));
        }
    }
}

void SimBroker::to_peer(const std::string& route, const Parcel& parcel, const Stamp& stamp) {
    const auto to = routes_.find(route);
    const bool open = to != routes_.end();
    const auto topic = parse_topic(parcel.topic);
    const bool request = topic && find_request_row(topic->name) != nullptr;
    const auto kind = parcel.topic == reply_topic ? CarriedKind::answered : request ? CarriedKind::given : CarriedKind::told;
    const bool somebody = open && to->second != nullptr;
    if (open || !request) {
        tell({.kind = kind, .from = stamp.sender, .to = somebody ? std::string_view{to->second->address()} : std::string_view{},
              .topic = parcel.topic, .route = route, .id = parcel.id});
    }
    if (!open) return carry_out(broker::lose_route(state_, route), nullptr);
    if (somebody) deliver(*to->second, parcel, stamp);
}

// Of several that share an address, each has its own socket.
void SimBroker::to_subscribers(const Parcel& parcel, const Stamp& stamp) {
    const auto topic = parse_topic(parcel.topic);
    const auto& listeners = world_.listeners_of(topic->name);
    for (const auto& [process, endpoint] : endpoints_) {
        if (endpoint->route().empty() || !listeners.contains(endpoint->address())) continue;
        tell({.kind = CarriedKind::told, .from = stamp.sender, .to = endpoint->address(), .topic = parcel.topic});
        deliver(*endpoint, parcel, stamp);
    }
}

void SimBroker::deliver(SimConnection& to, const Parcel& parcel, const Stamp& stamp) {
    const Hop hop{.from = "broker", .to = to.address(), .hops = 2, .once = parcel.topic.starts_with("broker.") || stamp.role == Role::broker};
    world_.travel(hop, [&to, parcel, stamp] { to.take(parcel, stamp); });
}

// ---- what it says itself

Parcel SimBroker::own_parcel(const std::string& topic, Envelope envelope) {
    envelope.id = fmt::format("{}-{}", state_.boot, ++own_ids_);
    envelope.source = "/berth/broker/" + state_.boot;
    envelope.time = world_.now;
    return {topic, std::make_shared<const Bytes>(encode_envelope(envelope)), {}, 0};
}

void SimBroker::answer(const std::string& route, const std::string& request_id, const std::string& name, const Result<Bytes>& body) {
    Envelope envelope{.type = type_attribute(name + ".reply"), .correlation_id = request_id};
    if (body) envelope.data = *body;
    else envelope.error = body.error();
    const auto to = routes_.find(route);
    if (name != request_name<ServeRequest> && find_request_row(name) != nullptr) {
        tell({.kind = CarriedKind::answered, .from = "broker", .topic = reply_topic, .route = route, .id = number_of(request_id)});
    }
    if (to == routes_.end()) return carry_out(broker::lose_route(state_, route), nullptr);
    if (to->second != nullptr) deliver(*to->second, own_parcel(std::string{reply_topic}, std::move(envelope)), {Role::broker, "broker", request_id});
}

void SimBroker::say(const std::string& route, const std::string& name, const Bytes& data) {
    const auto to = routes_.find(route);
    if (to == routes_.end()) return carry_out(broker::lose_route(state_, route), nullptr);
    if (to->second == nullptr) return;
    deliver(*to->second, own_parcel(topic_of(name), Envelope{.type = type_attribute(name), .data = data}), {Role::broker, "broker", {}});
}

void SimBroker::tell(Carried what) {
    what.at = world_.now;
    if (on_carry) on_carry(what);
}

}  // namespace berth::sim
