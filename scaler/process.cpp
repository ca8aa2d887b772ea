// SPDX-License-Identifier: Apache-2.0
#include "scaler/process.hpp"

#include <utility>

#include "base/diagnostics.hpp"

namespace berth::scaler {

namespace {

constexpr Duration tend_period{1'000};
constexpr std::size_t callers_max = 256;

LogLevel level_of(Weight weight) {
    switch (weight) {
        case Weight::debug: return LogLevel::debug;
        case Weight::info: return LogLevel::info;
        case Weight::warn: return LogLevel::warn;
        case Weight::error: return LogLevel::error;
    }
    return LogLevel::error;
}

struct SubjectOf {
    std::string operator()(const LaunchRequest& request) const { return request.pool.value; }
    std::string operator()(const LaunchFailedRequest& request) const { return request.launch.value; }
    std::string operator()(const PermitCheckRequest& request) const { return request.permit.host.host.value; }
    template <class T>
    std::string operator()(const T& request) const { return request.host.host.value; }
};

}  // namespace

Process::Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy, Rng rng, Providers providers)
    : loop_(loop),
      endpoint_(endpoint),
      state_(make_state(std::move(policy), rng)),
      follower_(loop, endpoint,
                {.on_view = [this](ViewReply reply) { take(std::move(reply)); },
                 .on_fact = [this](const FactRecord& record) { take(record); },
                 .on_lost =
                     [this](const std::string& why) {
                         log_warn("view.lost", {{"why", why}});
                         take(ViewLost{});
                     },
                 .on_head = [this](const LedgerHead& head) { take(head); }}) {
    for (auto& [name, provider] : providers) {
        Worker::Handlers handlers{[this](ProviderSnapshot snapshot) { take_listing(std::move(snapshot)); },
                                  [this](CallAnswered answered) { take(std::move(answered)); }};
        workers_[name] = std::make_unique<Worker>(loop, std::move(provider), std::move(handlers), tend_period);
        workers_[name]->list();
    }
    endpoint_.serve<TerminateOrphanRequest>([this](TerminateOrphanRequest body, const bus::Delivery&, bus::Responder to) {
        if (callers_.size() >= callers_max) return to.refuse({ErrorKind::limit, "too many orphans are being ended; ask later"});
        const auto caller = next_caller_++;
        callers_.emplace(caller, std::move(to));
        take(OrphanAsked{caller, std::move(body)});
    });
    loop_.every(state_.policy.tick, [this] {
        take(Tick{});
        look_at_workers();
    });
    loop_.every(state_.policy.list_every, [this] {
        for (auto& [name, worker] : workers_) worker->list();
    });
}

bool Process::stop(Duration wait) {
    bool all = true;
    for (auto& [name, worker] : workers_) all = worker->stop(wait) && all;
    return all;
}

void Process::take(Input input) {
    auto decisions = step(state_, std::move(input), loop_.now());
    for (const auto& line : decisions.lines) say(line);
    for (auto& answer : decisions.replies) reply(std::move(answer));
    for (auto& wanted : decisions.asks) ask(std::move(wanted));
    for (auto& wanted : decisions.calls) call(std::move(wanted));
}

void Process::take_listing(ProviderSnapshot snapshot) {
    endpoint_.publish(snapshot);
    take(std::move(snapshot));
}

void Process::look_at_workers() {
    if (failure_) return;
    for (const auto& [name, worker] : workers_) {
        const auto busy = worker->busy_for();
        if (busy <= state_.policy.call_max) continue;
        failure_ = Error{ErrorKind::timeout, fmt::format("provider {} is silent since {}; this process ends, so that the next one "
                                                         "begins with a new thread ([scaler] call_max)", name, to_text(busy))};
        log_error("provider.hangs", {{"provider", name}, {"since", to_text(busy)}});
        loop_.stop();
        return;
    }
}

void Process::say(const Line& line) {
    log_line(level_of(line.weight), line.event, {{"subject", line.subject}, {"why", line.why}});
}

void Process::ask(Ask wanted) {
    const bus::Note note{.subject = std::visit(SubjectOf{}, wanted.body)};
    std::visit(
        [&]<class T>(const T& body) {
            std::function<void(Result<ReplyTo<T>>)> answered = [this, id = wanted.id](Result<ReplyTo<T>> outcome) {
                Answered answer{.ask = id, .outcome = Done{}};
                if (outcome) {
                    answer.outcome = std::move(*outcome);
                } else {
                    answer.outcome = fail(std::move(outcome.error()));
                }
                take(std::move(answer));
            };
            endpoint_.request<T>(body, state_.policy.ask_timeout, std::move(answered), note);
        },
        wanted.body);
}

void Process::call(Call wanted) {
    const auto at = workers_.find(wanted.provider);
    if (at == workers_.end()) {
        ProviderError error{LaunchFailure::configuration, fmt::format("there is no provider '{}'", wanted.provider)};
        return loop_.post([this, id = wanted.id, error = std::move(error)] { take(CallAnswered{id, {}, error}); });
    }
    const bool changes_listing = !std::holds_alternative<ProtectCall>(wanted.body);
    at->second->call(std::move(wanted));
    if (changes_listing) at->second->list();  // behind the call, so that its effect is seen soon
}

void Process::reply(Reply answer) {
    if (const auto caller = callers_.extract(answer.caller)) caller.mapped().answer(answer.body);
}

}  // namespace berth::scaler
