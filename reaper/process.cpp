// SPDX-License-Identifier: Apache-2.0
#include "reaper/process.hpp"

#include <type_traits>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::reaper {

namespace {

LogLevel level_of(Weight weight) {
    switch (weight) {
        case Weight::debug: return LogLevel::debug;
        case Weight::info: return LogLevel::info;
        case Weight::warn: return LogLevel::warn;
        case Weight::error: return LogLevel::error;
    }
    return LogLevel::error;
}

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

Process::Process(bus::Loop& loop, bus::Endpoint& endpoint, Policy policy)
    : loop_(loop),
      endpoint_(endpoint),
      state_(make_state(std::move(policy), loop.now())),
      follower_(loop, endpoint,
                {.on_view = [this](ViewReply reply) { take(std::move(reply)); },
                 .on_fact = [this](const FactRecord& record) { take(record); },
                 .on_lost =
                     [this](const std::string& why) {
                         log_warn("view.lost", {{"why", why}});
                         take(ViewLost{});
                     },
                 .on_head = [this](const LedgerHead& head) { take(head); }}) {
    listen_to<HostHeartbeat>();
    listen_to<HostActivity>();
    listen_to<HostObjected>();
    listen_to<ProviderSnapshot>();
    loop_.every(state_.policy.tick, [this] { take(Tick{}); });
}

template <class T>
void Process::listen_to() {
    endpoint_.subscribe(event_name<T>, [this](const bus::Delivery& delivery) {
        auto body = delivery.as<T>();
        if (!body) {
            return log_warn("message.unreadable", {{"name", delivery.name}, {"sender", delivery.stamp.sender}, {"why", body.error().text}});
        }
        if constexpr (requires { body->host.value; }) {
            // The broker lets a host use its own topic only; the body must say the same.
            if (body->host.value != delivery.stamp.sender) {
                return log_warn("message.of_another", {{"name", delivery.name}, {"sender", delivery.stamp.sender}, {"host", body->host}});
            }
        }
        if constexpr (std::is_same_v<T, HostHeartbeat>) {
            take(HostHeard{std::move(body->host), std::move(body->incarnation)});
        } else {
            take(std::move(*body));
        }
    });
}

void Process::take(Input input) {
    auto decisions = step(state_, std::move(input), loop_.now());
    for (const auto& line : decisions.lines) say(line);
    for (auto& intent : decisions.intents) {
        bus::Note note{.key = intent.idle.host.value, .subject = intent.idle.workspace.value, .reason = std::move(intent.reason)};
        endpoint_.publish(intent.idle, note);
    }
    for (auto& wanted : decisions.asks) ask(std::move(wanted));
}

void Process::say(const Line& line) {
    log_line(level_of(line.weight), line.event, {{"subject", line.subject}, {"why", line.why}});
}

void Process::ask(Ask wanted) {
    const bus::Note note{.subject = subject_of(wanted.body)};
    std::visit(
        [&]<class T>(const T& body) {
            std::function<void(Result<Done>)> answered = [this, id = wanted.id](Result<Done> outcome) {
                take(Answered{id, std::move(outcome)});
            };
            endpoint_.request<T>(body, state_.policy.ask_timeout, std::move(answered), note);
        },
        wanted.body);
}

}  // namespace berth::reaper
