// SPDX-License-Identifier: Apache-2.0
#include "projector/process.hpp"

#include <utility>

namespace berth::projector {

Result<Policy> read_policy(const Config& config) {
    auto policy = TRY(read_section<Policy>(config, "projector"));
    if (policy.write_every.count() <= 0) return fail(ErrorKind::invalid, "[projector] write_every must be above 0");
    if (policy.changes_max < 1 || policy.dynamodb_changes_per_s < 1) return fail(ErrorKind::invalid, "[projector] changes_max and dynamodb_changes_per_s must be at least 1");
    if (policy.lifetime < policy.write_every * 10) return fail(ErrorKind::invalid, "[projector] lifetime must be at least ten times write_every, or entries end before they are renewed");
    return policy;
}

Worker::~Worker() {
    *alive_ = false;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Worker::call(Call wanted, std::function<void(Input)> done) {
    const std::lock_guard lock(mutex_);
    check(!next_, "a place is asked for one thing at a time");
    next_.emplace(std::move(wanted), std::move(done));
    changed_.notify_all();
}

void Worker::run() {
    for (std::unique_lock lock(mutex_);;) {
        changed_.wait(lock, [this] { return stopping_ || next_; });
        if (stopping_) return;
        auto [wanted, done] = std::move(*next_);
        next_.reset();
        lock.unlock();
        auto came = std::make_shared<Input>(do_call(wanted));
        loop_.post([alive = alive_, came, done = std::move(done)] {
            if (*alive) done(std::move(*came));
        });
        lock.lock();
    }
}

Input Worker::do_call(const Call& wanted) {
    if (const auto* list = std::get_if<List>(&wanted)) return Listed{list->place, sink_->keys()};
    const auto& write = std::get<Write>(wanted);
    return Written{write.place, sink_->write(write)};
}

Process::Process(bus::Loop& of_loop, bus::Endpoint& of_endpoint, Policy policy, Sinks sinks)
    : Shell(of_loop, of_endpoint, make_state(std::move(policy))) {
    for (auto& [kind, sink] : sinks) workers_[kind] = std::make_unique<Worker>(of_loop, std::move(sink));
    follow<ViewLost>();
    hear<HostHeartbeat>([](HostHeartbeat beat, const bus::Delivery& delivery) -> std::optional<Input> {
        if (beat.host.value == delivery.stamp.sender) return beat;
        log_warn("message.of_another", {{"name", delivery.name}, {"sender", delivery.stamp.sender}, {"host", beat.host}});
        return std::nullopt;
    });
    tick(state().policy.write_every, [] { return Tick{}; });
}

std::vector<shell::Figure> Process::figures(Instant now) const {
    std::vector<shell::Figure> figures{{.name = "head_position", .help = "Last position of the ledger that it heard of.", .value = static_cast<double>(state().head.value)},
                                       {.name = "following", .help = "1: it knows the ledger's state.", .value = state().view ? 1.0 : 0.0}};
    const auto add = [&](const char* name, const char* help, auto value) {
        for (const auto& place : state().places) {
            figures.push_back({.name = name, .help = help, .value = static_cast<double>(value(place)), .labels = {{"place", std::string{to_string(place.kind)}}}});
        }
    };
    add("position", "Up to here the picture is whole.", [](const auto& place) { return place.position.value; });
    add("lag_seconds", "How old the oldest change is that is not shown yet.", [&](const auto& place) { return static_cast<double>(lag_of(place, now).count()) / 1'000; });
    add("entries", "Entries that stand there.", [](const auto& place) { return place.shown ? place.shown->size() : 0; });
    add("changes_total", "Entries that were written or removed.", [](const auto& place) { return place.changes; });
    add("failures_total", "Calls that failed.", [](const auto& place) { return place.failures; });
    return figures;
}

void Process::out(Call wanted) {
    const auto kind = std::visit([](const auto& call) { return call.place; }, wanted);
    workers_.at(kind)->call(std::move(wanted), [this](Input came) { feed(std::move(came)); });
}

}  // namespace berth::projector
