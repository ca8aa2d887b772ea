// SPDX-License-Identifier: Apache-2.0
#include "broker/step.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.hpp"
#include "broker/glance.hpp"
#include "events/codec.hpp"

namespace berth::broker {

namespace {

// One message on its way through the table.
struct Passage {
    State& state;
    const Arrival& from;
    const Sender& sender;
    const Glance seen;
    const Instant now;

    Decisions drop(Count why, std::string text) const {
        ++state.count(why);
        return {Dropped{why, sender.name, std::move(text)}};
    }
    /// On the requests channel the sender is told; events have no way back.
    Decisions refuse(Count why, std::string name, Error error) const {
        ++state.count(why);
        Dropped dropped{why, sender.name, error.text};
        if (from.channel == Channel::events) return {std::move(dropped)};
        return {Refusal{from.route, std::string{seen.id}, std::move(name), std::move(error)}, std::move(dropped)};
    }
};

std::string tag_of(const State& state, std::uint64_t number) { return fmt::format("{}-{}", state.boot, number); }

std::optional<std::uint64_t> number_in(const State& state, std::string_view tag) {
    if (!tag.starts_with(state.boot) || tag.size() < state.boot.size() + 2 || tag[state.boot.size()] != '-') {
        return std::nullopt;
    }
    tag.remove_prefix(state.boot.size() + 1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(tag.data(), tag.data() + tag.size(), number);
    if (error != std::errc{} || end != tag.data() + tag.size()) return std::nullopt;
    return number;
}

// Takes a request off every table.
Pending close(State& state, std::uint64_t number) {
    auto taken = state.pending.extract(number);
    check(!taken.empty(), "a request that is closed is pending");
    auto& pending = taken.mapped();
    state.deadlines.erase({pending.deadline, number});
    if (const auto worker = state.workers.find(pending.worker); worker != state.workers.end()) {
        worker->second.pending.erase(number);
    }
    const auto count = state.pending_of.find(pending.caller);
    if (--count->second == 0) state.pending_of.erase(count);
    return std::move(pending);
}

Refusal refusal_of(const Pending& pending, ErrorKind kind, std::string text) {
    return {pending.route, pending.request_id, pending.name, Error{kind, std::move(text)}};
}

Decisions lose_worker(State& state, const std::string& name, const std::string& why) {
    auto taken = state.workers.extract(name);
    if (taken.empty()) return {};
    const auto& worker = taken.mapped();
    state.due.erase({worker.due, name});
    ++state.count(Count::workers_lost);
    const auto service = state.services.find(worker.service);
    std::erase(service->second.workers, name);
    if (service->second.workers.empty() && worker.service.starts_with("host.")) state.services.erase(service);
    Decisions decisions{WorkerLost{name, worker.service, why}};
    for (const auto number : worker.pending) {
        const auto pending = close(state, number);
        decisions.push_back(refusal_of(pending, ErrorKind::unavailable,
                                       fmt::format("{} is gone ({}) and may or may not have done {} {}: ask again with "
                                                   "the same key",
                                                   worker.service, why, pending.name, pending.request_id)));
    }
    return decisions;
}

void append(Decisions& to, Decisions more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

// ---- what a message may be

Decisions take_event(const Passage& passage, const Topic& topic, const CatalogRow& row) {
    auto& state = passage.state;
    const Stamp stamp{passage.sender.role, passage.sender.name, {}};
    Decisions decisions;
    if (goes_to_host(row)) {
        const auto route = state.host_routes.find(topic.key);
        if (route == state.host_routes.end()) {
            ++state.count(Count::unreachable);
            decisions.push_back(Dropped{Count::unreachable, passage.sender.name,
                                        fmt::format("{} for host {}, which is not connected", row.name, topic.key)});
        } else {
            ++state.count(Count::host_events);
            decisions.push_back(ToPeer{route->second, stamp});
        }
    }
    if (goes_to_subscribers(row)) {
        ++state.count(Count::events);
        decisions.push_back(ToSubscribers{stamp});
    }
    return decisions;
}

Decisions take_beat(const Passage& passage) {
    const auto worker = passage.state.workers.find(passage.sender.name);
    if (worker == passage.state.workers.end() || worker->second.route != passage.from.route) {
        return {NotServing{passage.from.route}};
    }
    worker->second.heard = passage.now;
    if (!worker->second.is_answered) return {};
    return {Beat{worker->second.route}};
}

Decisions take_leave(const Passage& passage) {
    const auto worker = passage.state.workers.find(passage.sender.name);
    if (worker == passage.state.workers.end() || worker->second.route != passage.from.route) return {};
    return lose_worker(passage.state, passage.sender.name, "it left");
}

// Whoever is heard meanwhile is looked at too early at most, since `heard` only grows.
void look_later(State& state, const std::string& name, Worker& worker) {
    state.due.erase({worker.due, name});
    const auto end_of_silence = worker.heard + worker.silence_max + Duration{1};
    worker.due = worker.is_beaten() ? std::min(worker.next_beat, end_of_silence) : end_of_silence;
    state.due.emplace(worker.due, name);
}

Decisions take_serve(const Passage& passage) {
    auto& state = passage.state;
    const auto& name = passage.sender.name;
    const auto envelope = decode_envelope(passage.from.envelope);
    const auto wanted = envelope ? decode<ServeRequest>(envelope->data) : Result<ServeRequest>{fail(envelope.error())};
    if (!wanted) return passage.refuse(Count::malformed, "broker.serve", wanted.error());
    const auto service = own_service(passage.sender);
    if (service.empty() || wanted->service != service) {
        return passage.refuse(Count::denied, "broker.serve",
                              {ErrorKind::denied, fmt::format("{} ({}) may not serve '{}'", name,
                                                              to_string(passage.sender.role),
                                                              wanted->service.substr(0, 80))});
    }
    ++state.count(Count::registrations);
    Decisions decisions;
    const auto known = state.workers.find(name);
    if (known != state.workers.end() && known->second.route != passage.from.route) {
        decisions = lose_worker(state, name, "it connected anew");
    }
    auto& worker = state.workers[name];
    const auto& policy = state.policy;
    worker.service = service;
    worker.route = passage.from.route;
    worker.is_answered = passage.sender.role == Role::host;
    worker.silence_max = worker.is_answered ? std::max(policy.worker_silence_max, host_silence_max) : policy.worker_silence_max;
    worker.heard = passage.now;
    worker.next_beat = passage.now + policy.beat_period;
    look_later(state, name, worker);
    auto& workers = state.services[service].workers;
    if (std::find(workers.begin(), workers.end(), name) == workers.end()) workers.push_back(name);
    decisions.push_back(Registered{passage.from.route, std::string{passage.seen.id}, service});
    return decisions;
}

/// By our clock, which may differ from the sender's: what counts is how long it was to wait. Its deadline
/// itself only tells what lay somewhere for long. Nothing when it came too late. Only what hosts ask bears an
/// epoch or a term and so does no harm later; who says "destroy my project" needs a clock that is right.
std::optional<Instant> deadline_of(const Glance& seen, const Policy& policy, Role role, Instant now) {
    if (!seen.deadline) return now + policy.deadline_default;
    const auto skew = role == Role::host ? policy.clock_skew_max : Duration{0};
    const auto wait = *seen.deadline - seen.time.value_or(now);
    if (wait <= Duration{0} || *seen.deadline + skew <= now) return std::nullopt;
    return now + std::min(wait, policy.deadline_max);
}

Decisions take_request(const Passage& passage, const Topic& topic, const CatalogRow& row) {
    auto& state = passage.state;
    const auto& policy = state.policy;
    const auto deadline = deadline_of(passage.seen, policy, passage.sender.role, passage.now);
    if (!deadline) {
        return passage.refuse(Count::expired, topic.name,
                              {ErrorKind::timeout, fmt::format("{} {} came after its deadline; or the clock of {} is wrong", topic.name,
                                                               passage.seen.id, passage.sender.name)});
    }
    const auto service = service_of(row.name, topic.key);
    const auto found = state.services.find(service);
    if (found == state.services.end() || found->second.workers.empty()) {
        return passage.refuse(Count::unserved, topic.name,
                              {ErrorKind::unavailable, fmt::format("nobody serves {} now; is its process running?",
                                                                   service)});
    }
    auto& mine = state.pending_of[passage.sender.name];
    if (mine >= policy.pending_per_peer_max || state.pending.size() >= policy.pending_max) {
        if (mine == 0) state.pending_of.erase(passage.sender.name);
        return passage.refuse(Count::over_limit, topic.name,
                              {ErrorKind::limit, "too many requests wait for their answers: slow down"});
    }
    auto& workers = found->second.workers;
    auto name = std::move(workers.front());
    workers.pop_front();
    workers.push_back(name);
    auto& worker = state.workers.at(name);
    const auto number = state.next_tag++;
    ++mine;
    ++found->second.requests;
    ++state.count(Count::requests);
    worker.pending.insert(number);
    if (worker.is_answered && worker.due > passage.now + policy.beat_period) {   // a connection that ended is found by what is sent on it
        worker.next_beat = passage.now + policy.beat_period;
        look_later(state, name, worker);
    }
    state.deadlines.emplace(*deadline, number);
    state.pending.emplace(number, Pending{passage.sender.name, passage.sender.role, passage.from.route,
                                          std::string{passage.seen.id}, topic.name, std::move(name), worker.route,
                                          *deadline});
    return {ToPeer{worker.route, {passage.sender.role, passage.sender.name, tag_of(state, number)}}};
}

Decisions take_reply(State& state, const Arrival& from, const Sender& sender) {
    const auto drop = [&](Count why, std::string text) {
        ++state.count(why);
        return Decisions{Dropped{why, sender.name, std::move(text)}};
    };
    if (from.channel != Channel::requests || from.frames != 3) return drop(Count::malformed, "a reply has three frames");
    const auto most = sender.role == Role::allocator ? trusted_envelope_bytes_max : envelope_bytes_max;
    if (from.tag.size() > tag_bytes_max) return drop(Count::oversized, "the tag of a reply");
    const auto number = number_in(state, from.tag);
    const auto found = number ? state.pending.find(*number) : state.pending.end();
    if (found == state.pending.end()) return drop(Count::late_replies, "a reply that nobody waits for");
    if (found->second.worker != sender.name || found->second.worker_route != from.route) {
        return drop(Count::denied, "a reply to another worker's request");
    }
    const auto pending = close(state, *number);
    if (from.envelope.size() > (pending.caller_role == Role::host ? envelope_bytes_max : most)) {
        ++state.count(Count::oversized);
        return {refusal_of(pending, ErrorKind::limit,
                           fmt::format("the answer to {} {} is too large: ask for less", pending.name,
                                       pending.request_id))};
    }
    ++state.count(Count::replies);
    return {ToPeer{pending.route, {sender.role, sender.name, pending.request_id}}};
}

}  // namespace

Decisions step(State& state, const Arrival& from, Instant now) {
    const auto drop = [&](Count why, std::string text) {
        ++state.count(why);
        return Decisions{Dropped{why, from.sender ? from.sender->name : std::string{}, std::move(text)}};
    };
    if (!from.sender) return drop(Count::unknown_sender, "a message of someone who is not enrolled");
    const auto& sender = *from.sender;
    if (from.frames < 2 || from.frames > 3) return drop(Count::malformed, "neither two nor three frames");
    if (from.topic.size() > topic_bytes_max) return drop(Count::oversized, "the topic is too long");
    if (sender.role == Role::host && from.channel == Channel::requests) state.host_routes[sender.name] = from.route;
    if (from.topic == reply_topic) return take_reply(state, from, sender);
    if (from.frames != 2) return drop(Count::malformed, "only a reply has three frames");
    if (from.envelope.size() > envelope_bytes_max) return drop(Count::oversized, "the envelope is too large");
    const auto seen = glance(from.envelope);
    if (!seen) return drop(Count::malformed, seen.error().text);

    const Passage passage{state, from, sender, *seen, now};
    const auto topic = parse_topic(from.topic);
    if (!topic) {
        return passage.refuse(Count::malformed, "unknown", {ErrorKind::invalid, "the topic is malformed; see docs/bus.md"});
    }
    const auto deny = [&] {
        return passage.refuse(Count::denied, topic->name,
                              {ErrorKind::denied, fmt::format("{} ({}) may not send {}{}{}", sender.name,
                                                              to_string(sender.role), topic->name,
                                                              topic->key.empty() ? "" : " of ", topic->key)});
    };
    if (const auto* row = may_request(sender, *topic)) {
        if (from.channel != Channel::requests) return deny();
        if (row->name == request_name<ServeRequest>) return take_serve(passage);
        if (row->name == request_name<BrokerStatusRequest>) {
            return {StatusReply{from.route, std::string{seen->id}, status_of(state)}};
        }
        return take_request(passage, *topic, *row);
    }
    const auto* row = may_publish(sender, *topic);
    if (row == nullptr) return deny();
    if (row->name == event_name<ServeBeat> || row->name == event_name<ServeEnd>) {
        if (from.channel != Channel::requests) return deny();
        return row->name == event_name<ServeBeat> ? take_beat(passage) : take_leave(passage);
    }
    if (sender.role == Role::host && from.channel != Channel::requests) return deny();
    return take_event(passage, *topic, *row);
}

Decisions tick(State& state, Instant now) {
    Decisions decisions;
    for (std::size_t i = 0; i < expired_per_tick_max; ++i) {
        if (state.deadlines.empty() || state.deadlines.begin()->first > now) break;
        const auto pending = close(state, state.deadlines.begin()->second);
        ++state.count(Count::expired);
        decisions.push_back(refusal_of(pending, ErrorKind::timeout,
                                       fmt::format("{} did not answer {} {} by its deadline: ask again with the same key",
                                                   pending.worker, pending.name, pending.request_id)));
    }
    for (auto next = state.due.begin(); next != state.due.end() && next->first <= now; next = state.due.begin()) {
        const auto name = next->second;
        auto& worker = state.workers.at(name);
        if (now - worker.heard > worker.silence_max) {
            append(decisions, lose_worker(state, name, "it fell silent"));
            continue;
        }
        if (worker.is_beaten() && now >= worker.next_beat) {
            worker.next_beat = now + state.policy.beat_period;
            decisions.push_back(Beat{worker.route});
        }
        look_later(state, name, worker);
    }
    return decisions;
}

Decisions lose_route(State& state, const std::string& route) {
    ++state.count(Count::unreachable);
    std::erase_if(state.host_routes, [&](const auto& one) { return one.second == route; });
    for (const auto& [name, worker] : state.workers) {
        if (worker.route == route) return lose_worker(state, std::string{name}, "its connection ended");
    }
    return {};
}

Decisions give_back(State& state, const std::string& tag) {
    ++state.count(Count::slow_receiver);
    const auto number = number_in(state, tag);
    if (!number || !state.pending.contains(*number)) return {};
    const auto pending = close(state, *number);
    return {refusal_of(pending, ErrorKind::unavailable,
                       fmt::format("{} does not keep up: ask again later", pending.worker))};
}

Decisions revoke(State& state, const std::string& name) {
    state.host_routes.erase(name);
    std::vector<std::uint64_t> asked;
    for (const auto& [number, pending] : state.pending) {
        if (pending.caller == name) asked.push_back(number);
    }
    for (const auto number : asked) close(state, number);
    return lose_worker(state, name, "its key was revoked");
}

BrokerStatus status_of(const State& state) {
    BrokerStatus status;
    for (const auto& [name, service] : state.services) {
        status.services.push_back({name, static_cast<std::uint32_t>(service.workers.size()), service.requests});
    }
    const auto names = enum_names(Count{});
    for (std::size_t i = 0; i < counts; ++i) status.counters.push_back({std::string{names[i]}, state.counted[i]});
    status.counters.push_back({"pending", state.pending.size()});
    return status;
}

}  // namespace berth::broker
