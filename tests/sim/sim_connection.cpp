// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_connection.hpp"

#include <fmt/format.h>

#include "tests/sim/sim_broker.hpp"

namespace berth::sim {

namespace {

// As in bus/zmq_endpoint_serving.cpp, bus/zmq_endpoint_out.cpp and bus/outbox.hpp.
constexpr Duration broker_silence_max{3'000};
constexpr Duration beat_every{1'000};
constexpr Duration host_broker_silence_max{15'000};
constexpr Duration host_beat_every{5'000};
constexpr Duration serve_timeout{1'000};
constexpr Duration serve_pause{500};
constexpr Duration cut_pause{50};
constexpr std::size_t waiting_max = 16'384;

constexpr std::uint64_t unknown_verb = 2'000'000'000;          // the id of what no one waits for

bool is_of_serving(const std::string& topic) { return topic.starts_with("broker."); }

}  // namespace

SimConnection::SimConnection(World& world, SimBroker& broker, std::string process, std::string address)
    : world_(world), broker_(broker), process_(std::move(process)), address_(std::move(address)),
      sender_{address_, role_of(address_)}, service_(broker::own_service(sender_)), rng_(world.stream("endpoint " + process_)) {}

void SimConnection::begin(Actor& actor) {
    if (up()) end();
    actor_ = &actor;
    ++life_;
    choose_version();
    connect();
}

void SimConnection::serve() {
    if (!up() || registration_ != Registration::none || serving_) return;
    serving_ = true;
    register_service(life_);
    beat(life_);
}

void SimConnection::end() {
    actor_ = nullptr;
    ++life_;
    route_.clear();
    waiting_.clear();
    asked_.clear();
    registration_ = Registration::none;
    serving_ = false;
}

void SimConnection::choose_version() {
    const auto& faults = world_.faults;
    version_ = rng_.chance(faults.version_newer) ? Version::newer : rng_.chance(faults.version_older) ? Version::older : Version::current;
    if (version_ == Version::current) return;
    world_.mark(fmt::format("version {}", to_string(version_)));
    if (version_ == Version::older) return;
    Letter unknown{.from = address_, .name = "allocator.foretell", .kind = LetterKind::request, .id = unknown_verb, .deadline = world_.now + serve_timeout};
    send({.parcel = pack(unknown, {}, world_.now), .until = unknown.deadline});
    unknown.name = "claim.painted";
    unknown.kind = LetterKind::event;
    send({.parcel = pack(unknown, {}, world_.now), .until = unknown.deadline});
}

// ---- the connection

void SimConnection::connect() {
    if (!up() || !route_.empty()) return;
    route_ = broker_.accept(*this);
    if (route_.empty()) return;
    for (auto waiting = std::move(waiting_); const auto& message : waiting) {
        if (message.until > world_.now) transmit(message);
    }
    waiting_.clear();
}

void SimConnection::broker_began() {
    if (!up()) return;
    world_.after(process_, broker_.pause_to_reconnect(), [this, life = life_] {
        if (life == life_) connect();
    });
}

// What was on the connection may or may not have been done, and nobody will say any more.
void SimConnection::broker_died() {
    route_.clear();
    if (!up()) return;
    world_.after(process_, cut_pause, [this, life = life_, asked = std::exchange(asked_, {})] {
        if (life != life_) return;
        for (const auto id : asked) {
            world_.answer(process_, id, fail(ErrorKind::unavailable, "{}the connection to the broker ended", error_of_bus));
        }
        if (registration_ == Registration::registered) register_service(life);
    });
}

// ---- out

void SimConnection::send(Outgoing message) {
    if (!up()) return;
    message.parcel = restate(std::move(message.parcel), version_);
    if (!route_.empty()) return transmit(message);
    if (waiting_.size() < waiting_max) waiting_.push_back(std::move(message));
}

void SimConnection::transmit(const Outgoing& message) {
    if (message.request) asked_.insert(message.parcel.id);
    const Hop hop{.from = address_, .to = "broker", .hops = 2, .once = is_of_serving(message.parcel.topic)};
    world_.travel(hop, [this, route = route_, channel = message.channel, parcel = message.parcel] {
        broker_.arrive(route, sender_, channel, parcel);
    });
}

// ---- in

void SimConnection::take(const Parcel& parcel, const Stamp& stamp) {
    if (!up()) return;
    if (stamp.role == Role::broker) broker_heard_ = world_.now;
    auto letter = unpack(parcel, stamp, address_);
    if (!letter) return broker_.refused(parcel, stamp, address_);
    if (world_.tracing) {
        world_.note(fmt::format("{} → {} {} {} {}", letter->from, address_, parcel.topic, letter->id, letter->error ? letter->error->text : ""));
    }
    letter->process = process_;
    if (letter->kind == LetterKind::reply) {
        asked_.erase(letter->id);
        if (letter->id == unknown_verb) {
            check(letter->error.has_value(), "a verb that nobody knows is refused");
            return world_.mark("an unknown verb was refused");
        }
        if (letter->error && stamp.role == Role::broker) letter->error->text.insert(0, error_of_bus);
        const auto id = letter->id;
        const auto refused = std::move(letter->error);
        const bool awaited = refused ? world_.answer(process_, id, fail(*refused)) : world_.answer(process_, id, *letter);
        if (!awaited) world_.mark("endpoint: a reply that nobody waits for");
        return;
    }
    if (stamp.role == Role::broker) {
        const bool forgotten = letter->name == event_name<ServeEnd> && registration_ == Registration::registered;
        if (forgotten) register_service(life_);
        return;
    }
    // The connection holds nothing back for so long: an old "destroy my project" does not reach the project's next
    // life. What processes ask each other is fenced, and here comes at any time.
    if (letter->kind == LetterKind::request && stamp.role == Role::client && world_.now > letter->deadline) {
        ++world_.counted["late"];
        return;
    }
    actor_->receive(std::make_shared<const Letter>(std::move(*letter)));
}

// ---- serving

void SimConnection::register_service(std::uint64_t life) {
    registration_ = Registration::asking;
    world_.request(process_, address_, "broker", ServeRequest{service_}, serve_timeout, [this, life](const Result<Letter>& reply) {
        if (life != life_) return;
        if (reply) {
            registration_ = Registration::registered;
            broker_heard_ = world_.now;
            return;
        }
        registration_ = Registration::none;
        world_.after(process_, reply.error().kind == ErrorKind::timeout ? Duration{0} : serve_pause, [this, life] {
            if (life == life_ && registration_ == Registration::none) register_service(life);
        });
    });
}

void SimConnection::beat(std::uint64_t life) {
    if (life != life_) return;
    const bool is_host = sender_.role == Role::host;
    world_.after(process_, is_host ? host_beat_every : beat_every, [this, life] { beat(life); });
    if (registration_ != Registration::registered) return;
    if (world_.now - broker_heard_ > (is_host ? host_broker_silence_max : broker_silence_max)) return register_service(life);
    if (!route_.empty()) world_.publish(process_, ServeBeat{});
}

}  // namespace berth::sim
