// SPDX-License-Identifier: Apache-2.0
#include "gateway/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <vector>

#include "gateway/routes.hpp"

namespace berth::gateway {

namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Families {
public:
    void begin(std::string name, std::string help, prometheus::MetricType type) {
        all_.push_back({std::move(name), std::move(help), type, {}});
    }
    void add(double value, const Labels& labels = {}) {
        prometheus::ClientMetric metric;
        for (const auto& [key, text] : labels) metric.label.push_back({key, text});
        if (all_.back().type == prometheus::MetricType::Counter) {
            metric.counter.value = value;
        } else {
            metric.gauge.value = value;
        }
        all_.back().metric.push_back(std::move(metric));
    }
    void gauge(std::string name, std::string help, double value) {
        begin(std::move(name), std::move(help), prometheus::MetricType::Gauge);
        add(value);
    }
    void counter(std::string name, std::string help, double value) {
        begin(std::move(name), std::move(help), prometheus::MetricType::Counter);
        add(value);
    }
    std::string text() const { return prometheus::TextSerializer{}.Serialize(all_); }

private:
    std::vector<prometheus::MetricFamily> all_;
};

constexpr auto as_gauge = prometheus::MetricType::Gauge;
constexpr auto as_counter = prometheus::MetricType::Counter;

std::string path_of(Operation operation) {
    for (const auto& route : routes()) {
        if (route.operation == operation) return std::string{route.path};
    }
    return {};
}
std::string method_of(Operation operation) {
    for (const auto& route : routes()) {
        if (route.operation == operation) return std::string{route.method};
    }
    return {};
}

template <class State>
std::string word(State state) {
    return std::string{to_string(state)};
}

void add_fleet(Families& out, const View& view) {
    std::map<std::pair<std::string, std::string>, int> hosts, slots, workspaces, claims;
    std::map<std::string, int> launches;
    for (const auto& [name, pool] : view.pools) {
        launches[name.value] = 0;
        for (const auto use : enum_names(SlotUse{})) slots[{name.value, std::string{use}}] = 0;
        claims[{name.value, word(ClaimState::waiting)}] = 0;
    }
    for (const auto& [id, host] : view.hosts) {
        const auto state = host.liveness == Liveness::live ? word(host.admission) : word(host.liveness);
        ++hosts[{host.pool.value, state}];
        if (host.liveness == Liveness::gone) continue;
        for (const auto& slot : host.slots) ++slots[{host.pool.value, word(slot.use)}];
    }
    for (const auto& [id, workspace] : view.workspaces) ++workspaces[{workspace.pool.value, word(workspace.state)}];
    for (const auto& [id, claim] : view.claims) ++claims[{claim.asked.pool.value, word(claim.state)}];
    for (const auto& [id, launch] : view.launches) ++launches[launch.pool.value];
    const auto put = [&](const char* name, const char* help, const char* label, const auto& counts) {
        out.begin(name, help, as_gauge);
        for (const auto& [key, count] : counts) out.add(count, {{"pool", key.first}, {label, key.second}});
    };
    put("berth_hosts", "Hosts by pool and state.", "state", hosts);
    put("berth_slots", "Slots of hosts that are not gone, by pool and use.", "use", slots);
    put("berth_workspaces", "Workspaces by pool and state.", "state", workspaces);
    put("berth_claims", "Claims of the last two days by pool and state.", "state", claims);
    out.begin("berth_launches_in_flight", "Host launches in flight by pool.", as_gauge);
    for (const auto& [pool, count] : launches) out.add(count, {{"pool", pool}});
    out.begin("berth_pool_buffer", "Ready slots or idle hosts to keep, by pool.", as_gauge);
    for (const auto& [name, pool] : view.pools) out.add(pool.buffer, {{"pool", name.value}, {"unit", word(pool.buffer_unit)}});
    out.begin("berth_pool_hosts_max", "Most hosts of a pool.", as_gauge);
    for (const auto& [name, pool] : view.pools) out.add(pool.hosts_max, {{"pool", name.value}});
    std::map<std::string, double> spent;
    for (const auto& [name, pool] : view.pools) spent[name.value] = 0;
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness != Liveness::gone && host.price) spent[host.pool.value] += static_cast<double>(host.price->microdollars_per_hour) / 1e6;
    }
    out.begin("berth_pool_dollars_per_hour", "What the hosts of a pool cost, by their provider's prices; 0 where nobody says any.", as_gauge);
    for (const auto& [pool, dollars] : spent) out.add(dollars, {{"pool", pool}});
}

/// By family of service: "host" stands for all hosts.
void add_broker(Families& out, const std::optional<BrokerStatus>& broker) {
    out.gauge("berth_broker_answers", "1 while the broker tells of itself.", broker ? 1 : 0);
    if (!broker) return;
    out.begin("berth_broker_messages_total", "What the broker passed on, and what it did not, by outcome; since its start.", as_counter);
    for (const auto& counter : broker->counters) out.add(static_cast<double>(counter.value), {{"outcome", counter.name}});
    std::map<std::string, double> workers;
    for (const auto& service : broker->services) workers[service.service.substr(0, service.service.find('.'))] += service.workers;
    out.begin("berth_broker_workers", "Processes that serve requests, by service.", as_gauge);
    for (const auto& [service, count] : workers) out.add(count, {{"service", service}});
}

void add_traffic(Families& out, const Traffic& traffic) {
    out.begin("berth_http_requests_total", "Answers by method, route and status.", as_counter);
    for (const auto& [key, count] : traffic.answers) {
        out.add(static_cast<double>(count), {{"method", method_of(key.first)}, {"route", path_of(key.first)}, {"status", std::to_string(key.second)}});
    }
    for (const auto& [status, count] : traffic.unmatched) {
        out.add(static_cast<double>(count), {{"method", ""}, {"route", "none"}, {"status", std::to_string(status)}});
    }
    out.begin("berth_http_refused_total", "Requests turned away before anything was done, by reason.", as_counter);
    constexpr auto reasons = enum_names(Refusal{});
    for (std::size_t i = 1; i < reasons.size(); ++i) {   // 0: was not refused
        out.add(static_cast<double>(traffic.refused[i]), {{"reason", std::string{reasons[i]}}});
    }
    out.begin("berth_http_request_seconds_total", "Time from request to answer, by route; a claim's includes its wait.", as_counter);
    for (const auto& [operation, seconds] : traffic.seconds) {
        out.add(seconds, {{"method", method_of(operation)}, {"route", path_of(operation)}});
    }
    out.gauge("berth_http_connections", "Open connections.", static_cast<double>(traffic.connections));
    out.gauge("berth_event_streams", "Open event streams.", static_cast<double>(traffic.streams));
    out.counter("berth_event_streams_cut_total", "Streams cut because their reader was too slow.", static_cast<double>(traffic.streams_cut));
    out.counter("berth_events_sent_total", "Events written to streams.", static_cast<double>(traffic.events_sent));
    out.counter("berth_bus_timeouts_total", "Bus requests of the gateway that met their deadline.", static_cast<double>(traffic.bus_timeouts));
    out.counter("berth_ledger_views_total", "Times the whole picture was read: at start and after a gap.", static_cast<double>(traffic.views));
    out.counter("berth_ledger_gaps_total", "Times facts were missed and read again.", static_cast<double>(traffic.gaps));
}

}  // namespace

std::string metrics_text(const Picture& picture, const Traffic& traffic, Instant now) {
    Families out;
    out.begin("berth_build_info", "1, with the version as label.", as_gauge);
    out.add(1, {{"version", BERTH_VERSION}, {"process", "berth-gateway"}});
    out.gauge("berth_gateway_uptime_seconds", "Since this process started.",
              static_cast<double>((now - picture.started_at).count()) / 1000);
    out.gauge("berth_ledger_position", "Position of the last fact known here.", static_cast<double>(picture.view.position.value));
    out.gauge("berth_ledger_following", "1 while no fact is known to be missing.", picture.following ? 1 : 0);
    out.gauge("berth_allocator_silence_seconds", "Since the allocator's beacon was heard; -1 when never.",
              picture.head_at == Instant{} ? -1 : static_cast<double>((now - picture.head_at).count()) / 1000);
    add_fleet(out, picture.view);
    add_broker(out, picture.broker);
    add_traffic(out, traffic);
    return out.text();
}

}  // namespace berth::gateway
