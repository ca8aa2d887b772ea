// SPDX-License-Identifier: Apache-2.0
#include "scaler/process.hpp"

#include <utility>

#include "base/diagnostics.hpp"

namespace berth::scaler {

namespace {

struct SubjectOf {
    std::string operator()(const LaunchRequest& request) const { return request.pool.value; }
    std::string operator()(const LaunchFailedRequest& request) const { return request.launch.value; }
    std::string operator()(const LaunchMetRequest& request) const { return request.launch.value; }
    std::string operator()(const PermitCheckRequest& request) const { return request.permit.host.host.value; }
    std::string operator()(const CondemnRequest& request) const { return request.instance; }
    template <class T>
    std::string operator()(const T& request) const { return request.host.host.value; }
};

}  // namespace

Process::Process(bus::Loop& of_loop, bus::Endpoint& of_endpoint, Policy policy, Rng rng, const Providers& providers)
    : Shell(of_loop, of_endpoint, make_state(std::move(policy), rng)) {
    follow<ViewLost>();
    for (const auto& [name, open] : providers) {
        providers_[name] = open({[this](ProviderSnapshot snapshot) { hear_listing(std::move(snapshot)); },
                                 [this](ProviderReport report) { feed(std::move(report)); },
                                 [this](CallAnswered answered) { feed(std::move(answered)); }});
        providers_[name]->list();
    }
    serve<TerminateOrphanRequest>([](CallerId caller, TerminateOrphanRequest body, const bus::Delivery&) { return OrphanAsked{caller, std::move(body)}; });
    tick(state().policy.tick, [this] {
        look_at_providers();
        return Tick{};
    });
    loop().every(state().policy.list_every, [this] {
        for (auto& [name, provider] : providers_) provider->list();
    });
}

bool Process::stop(Duration wait) {
    bool all = true;
    for (auto& [name, provider] : providers_) all = provider->stop(wait) && all;
    return all;
}

void Process::hear_listing(ProviderSnapshot snapshot) {
    endpoint().publish(snapshot);
    feed(std::move(snapshot));
}

void Process::look_at_providers() {
    for (const auto& [name, provider] : providers_) {
        const auto busy = provider->busy_for();
        if (busy <= state().policy.call_max || failed()) continue;
        log_error("provider.hangs", {{"provider", name}, {"since", to_text(busy)}});
        fail_with({ErrorKind::timeout, fmt::format("provider {} is silent since {}; this process ends, so that the next one "
                                                   "begins with a new thread ([scaler] call_max)", name, to_text(busy))});
    }
}

void Process::out(const Ask& wanted) {
    std::visit(
        [&]<class T>(const T& body) {
            ask(body, state().policy.ask_timeout, {.subject = std::visit(SubjectOf{}, wanted.body)}, [id = wanted.id](Result<ReplyTo<T>> outcome) {
                Answered answer{.ask = id, .outcome = Done{}};
                if (outcome) {
                    answer.outcome = std::move(*outcome);
                } else {
                    answer.outcome = fail(std::move(outcome.error()));
                }
                return answer;
            });
        },
        wanted.body);
}

void Process::out(const Call& wanted) {
    const auto at = providers_.find(wanted.provider);
    if (at == providers_.end()) {
        ProviderError error{LaunchFailure::configuration, fmt::format("there is no provider '{}'", wanted.provider)};
        return loop().post([this, id = wanted.id, error = std::move(error)] { feed(CallAnswered{.call = id, .error = error}); });
    }
    at->second->call(wanted);
    if (!std::holds_alternative<ProtectCall>(wanted.body)) at->second->list();   // behind the call, so that its effect is seen soon
}

}  // namespace berth::scaler
