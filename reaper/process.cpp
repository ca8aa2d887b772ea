// SPDX-License-Identifier: Apache-2.0
#include "reaper/process.hpp"

#include <type_traits>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::reaper {

namespace {

// How this message is named in a log line: by what it is about.
std::string subject_of(const AskBody& body) {
    struct Name {
        std::string operator()(const ReapRequest& request) const { return request.workspace.value; }
        std::string operator()(const UnknownRequest& request) const { return request.host.host.value; }
        std::string operator()(const GoneRequest& request) const { return request.host.host.value; }
        std::string operator()(const TerminateOrphanRequest& request) const { return request.instance; }
    };
    return std::visit(Name{}, body);
}

Result<void> read_default(const Config& config, const char* key, const char* section, const char* its_key, Duration& to) {
    if (config.find("reaper", key)) return {};
    if (const auto setting = config.find(section, its_key)) TRY(read_value(*setting, its_key, to));
    return {};
}

}  // namespace

Result<Policy> read_policy(const Config& config) {
    auto policy = TRY(read_section<Policy>(config, "reaper"));
    TRY(read_default(config, "heartbeat", "allocator", "heartbeat", policy.heartbeat));
    TRY(read_default(config, "activity", "hostagent", "activity_every", policy.activity));
    if (policy.tick.count() <= 0) return fail(ErrorKind::invalid, "[reaper] tick must be above 0");
    if (policy.periods_max < 1) return fail(ErrorKind::invalid, "[reaper] periods_max must be at least 1");
    return policy;
}

Process::Process(bus::Loop& of_loop, bus::Endpoint& of_endpoint, Policy policy)
    : Shell(of_loop, of_endpoint, make_state(std::move(policy), of_loop.now())) {
    follow<ViewLost>();
    hear_host<HostHeartbeat>();
    hear_host<HostActivity>();
    hear_host<HostObjected>();
    hear<ProviderSnapshot>([](ProviderSnapshot snapshot, const bus::Delivery&) { return snapshot; });
    tick(state().policy.tick, [] { return Tick{}; });
}

// The broker lets a host use its own topic only; the body must say the same.
template <class T>
void Process::hear_host() {
    hear<T>([](T body, const bus::Delivery& delivery) -> std::optional<Input> {
        if (body.host.value != delivery.stamp.sender) {
            log_warn("message.of_another", {{"name", delivery.name}, {"sender", delivery.stamp.sender}, {"host", body.host}});
            return std::nullopt;
        }
        if constexpr (std::is_same_v<T, HostHeartbeat>) {
            return HostHeard{std::move(body.host), std::move(body.incarnation)};
        } else {
            return body;
        }
    });
}

void Process::out(const Intent& intent) {
    endpoint().publish(intent.idle, {.key = intent.idle.host.value, .subject = intent.idle.workspace.value, .reason = intent.reason});
}

void Process::out(const Ask& wanted) {
    std::visit(
        [&](const auto& body) {
            ask(body, state().policy.ask_timeout, {.subject = subject_of(wanted.body)},
                [id = wanted.id](Result<Done> outcome) { return Answered{id, std::move(outcome)}; });
        },
        wanted.body);
}

}  // namespace berth::reaper
