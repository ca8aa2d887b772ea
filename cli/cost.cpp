// SPDX-License-Identifier: Apache-2.0
// berth cost: what was spent on hosts.
#include "cli/cost.hpp"

#include <algorithm>
#include <map>

#include "base/clock.hpp"
#include "cli/command.hpp"
#include "cli/gateway_client.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

struct Life {
    HostCost cost;
    std::string incarnation;
    Instant from;                         // what is counted up to
    bool priced = false;
};

aws::Microdollars cost_of(Duration length, aws::Microdollars per_hour) { return static_cast<aws::Microdollars>(length.count()) * per_hour / 3'600'000; }

class Meter {
public:
    Meter(Instant since, Instant now) : since_(since), now_(now) {}

    void take(const Json& fact) {
        const auto at = from_rfc3339(text_at(fact, "at"));
        const auto* data = find(fact, "data");
        if (!at || data == nullptr) return;
        const auto type = text_at(fact, "type");
        if (type == "host.registered") return begin(*data, *at);
        const auto* host = find(*data, "host");
        if (host == nullptr || !host->is_object()) return;
        const auto life = lives_.find(text_at(*host, "host"));
        if (life == lives_.end() || life->second.incarnation != text_at(*host, "incarnation")) return;
        if (type == "host.priced") price(life->second, *data, *at);
        if (type == "host.gone") end(life->second, *at);
    }
    std::vector<HostCost> result() {
        std::vector<HostCost> all = std::move(over_);
        for (auto& [name, life] : lives_) {
            if (life.cost.there) count(life, now_);
            if (life.cost.there || life.cost.ran > Duration{0}) all.push_back(life.cost);
        }
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.host < b.host; });
        return all;
    }

private:
    void begin(const Json& data, Instant at) {
        const auto name = text_at(data, "host");
        auto& life = lives_[name];
        if (life.incarnation == text_at(data, "incarnation") && life.cost.there && !life.incarnation.empty()) {
            life.cost.pool = text_at(data, "pool");
            return;
        }
        if (!life.incarnation.empty()) {
            if (life.cost.there) end(life, at);
            if (life.cost.ran > Duration{0}) over_.push_back(life.cost);
        }
        life = Life{.cost = {.host = name, .pool = text_at(data, "pool"), .type = {}}, .incarnation = text_at(data, "incarnation"), .from = at};
    }
    void price(Life& life, const Json& data, Instant at) {
        const auto* price = find(data, "price");
        if (price == nullptr || !life.cost.there) return;
        if (life.priced) count(life, at);
        life.priced = true;
        life.cost.type = text_at(*price, "machine_type");
        life.cost.spot = text_at(*price, "spot") == "true";
        const auto* amount = find(*price, "microdollars_per_hour");
        life.cost.per_hour = amount != nullptr && amount->is_number_unsigned() ? amount->get<aws::Microdollars>() : 0;
    }
    void end(Life& life, Instant at) {
        count(life, at);
        life.cost.there = false;
    }
    void count(Life& life, Instant until) {
        const auto from = std::max(life.from, since_);
        if (until > from) {
            life.cost.ran += until - from;
            life.cost.cost += cost_of(until - from, life.cost.per_hour);
        }
        life.from = until;
    }

    Instant since_, now_;
    std::map<std::string, Life> lives_;
    std::vector<HostCost> over_;
};

// Who has which slots: beside the meter of hosts, and by its prices.
class UseMeter {
public:
    UseMeter(Instant since, Instant now) : since_(since), now_(now) {}

    void take(const Json& fact) {
        const auto at = from_rfc3339(text_at(fact, "at"));
        const auto* data = find(fact, "data");
        if (!at || data == nullptr) return;
        const auto type = text_at(fact, "type");
        if (type == "host.registered") {
            const auto* slots = find(*data, "slots");
            const auto many = slots != nullptr && slots->is_number_unsigned() ? slots->get<aws::Microdollars>() : 1;
            rates_[text_at(*data, "host")].slots = std::max<aws::Microdollars>(1, many);
        } else if (type == "host.priced") {
            const auto* host = find(*data, "host");
            const auto* price = find(*data, "price");
            const auto* amount = price == nullptr ? nullptr : find(*price, "microdollars_per_hour");
            if (host == nullptr || amount == nullptr || !amount->is_number_unsigned()) return;
            const auto name = text_at(*host, "host");
            for (auto& [workspace, lease] : leases_) {
                if (lease.host == name && rates_[name].priced) count(lease, *at);
            }
            rates_[name].per_hour = amount->get<aws::Microdollars>();
            rates_[name].priced = true;
        } else if (type == "lease.granted") {
            leases_[text_at(*data, "workspace")] = {text_at(*data, "user"), text_at(*data, "project"), text_at(*data, "host"), *at};
        } else if (type == "workspace.stopped" || type == "workspace.failed") {
            end(text_at(*data, "workspace"), *at);
        } else if (type == "host.gone") {
            const auto* host = find(*data, "host");
            const auto name = host == nullptr ? std::string{} : text_at(*host, "host");
            for (auto lease = leases_.begin(); lease != leases_.end();) {
                if (lease->second.host != name) { ++lease; continue; }
                count(lease->second, *at);
                lease = leases_.erase(lease);
            }
            rates_.erase(name);
        }
    }
    std::map<std::pair<std::string, std::string>, UseCost> result() {
        for (auto& [workspace, lease] : leases_) count(lease, now_);
        return std::move(sums_);
    }

private:
    struct Rate {
        aws::Microdollars per_hour = 0, slots = 1;
        bool priced = false;
    };
    struct Lease {
        std::string user, project, host;
        Instant from;
    };
    void end(const std::string& workspace, Instant at) {
        const auto lease = leases_.find(workspace);
        if (lease == leases_.end()) return;
        count(lease->second, at);
        leases_.erase(lease);
    }
    void count(Lease& lease, Instant until) {
        const auto from = std::max(lease.from, since_);
        lease.from = until;
        if (until <= from) return;
        auto& sum = sums_[{lease.user, lease.project}];
        sum.user = lease.user;
        sum.project = lease.project;
        sum.leased += until - from;
        sum.cost += cost_of(until - from, rates_[lease.host].per_hour) / rates_[lease.host].slots;
    }

    Instant since_, now_;
    std::map<std::string, Rate> rates_;
    std::map<std::string, Lease> leases_;
    std::map<std::pair<std::string, std::string>, UseCost> sums_;
};

std::vector<Column> use_columns(bool with_project) {
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    std::vector<Column> columns{{"USER", text("user")}};
    if (with_project) columns.push_back({"PROJECT", text("project")});
    columns.push_back({"LEASED", [](const Json& row) { return short_duration(Duration{find(row, "leased_ms")->get<Duration::rep>()}); }, Shown::always, Align::right});
    columns.push_back({"COST", [](const Json& row) { return aws::dollars(find(row, "microdollars")->get<aws::Microdollars>()); }, Shown::always, Align::right});
    return columns;
}

Result<Exit> show_uses(const Json& facts, Instant since, Instant now, bool with_project, const Look& look) {
    std::map<std::pair<std::string, std::string>, UseCost> merged;
    aws::Microdollars sum = 0;
    for (const auto& one : use_costs_of(facts, since, now)) {
        auto& to = merged[{one.user, with_project ? one.project : ""}];
        to.user = one.user;
        to.project = with_project ? one.project : "";
        to.leased += one.leased;
        to.cost += one.cost;
        sum += one.cost;
    }
    std::vector<Json> rows;
    for (const auto& [key, one] : merged) {
        Json row = {{"user", one.user.empty() ? "(nobody)" : one.user}, {"leased_ms", one.leased.count()}, {"microdollars", one.cost}};
        if (with_project) row["project"] = one.project;
        rows.push_back(std::move(row));
    }
    print(TRY(render_rows(use_columns(with_project), rows, "user", look)));
    if (look.format == Format::table || look.format == Format::wide) remark(fmt::format("{} since {}", aws::dollars(sum), to_rfc3339(since)));
    return Exit::ok;
}

std::vector<Column> cost_columns() {
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    const auto money = [](const char* key) {
        return [key](const Json& row) { return text_at(row, "type").empty() ? std::string{"?"} : aws::dollars(find(row, key)->get<aws::Microdollars>()); };
    };
    return {{"HOST", text("host")},
            {"POOL", text("pool")},
            {"TYPE", text("type")},
            {"SPOT", text("spot"), Shown::wide},
            {"RAN", [](const Json& row) { return short_duration(Duration{find(row, "ran_ms")->get<Duration::rep>()}); }, Shown::always, Align::right},
            {"$/HOUR", money("microdollars_per_hour"), Shown::always, Align::right},
            {"COST", money("microdollars"), Shown::always, Align::right},
            {"THERE", text("there"), Shown::wide}};
}

Result<Instant> since_of(const std::string& text, Instant now) {
    if (const auto at = from_rfc3339(text)) return *at;
    return now - TRY(duration_flag("--since", text));
}

struct Flags {
    std::string since = "720h";
    std::string by = "host";
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    const auto now = RealClock{}.now();
    const auto since = TRY(since_of(flags.since, now));
    auto gateway = TRY(GatewayClient::find(shared));
    const auto facts = TRY(gateway.all_facts());
    if (flags.by != "host") return show_uses(facts, since, now, flags.by == "project", look);
    std::vector<Json> rows;
    std::map<std::string, aws::Microdollars> of_pool;
    aws::Microdollars sum = 0;
    std::size_t unknown = 0;
    for (const auto& one : costs_of(facts, since, now)) {
        rows.push_back({{"host", one.host}, {"pool", one.pool}, {"type", one.type}, {"spot", one.spot}, {"ran_ms", one.ran.count()},
                        {"microdollars_per_hour", one.per_hour}, {"microdollars", one.cost}, {"there", one.there}});
        of_pool[one.pool] += one.cost;
        sum += one.cost;
        unknown += one.type.empty() ? 1 : 0;
    }
    print(TRY(render_rows(cost_columns(), rows, "host", look)));
    if (look.format != Format::table && look.format != Format::wide) return Exit::ok;
    for (const auto& [pool, cost] : of_pool) remark(fmt::format("pool {}: {}", printable(pool), aws::dollars(cost)));
    remark(fmt::format("{} since {}{}", aws::dollars(sum), to_rfc3339(since), unknown == 0 ? "" : fmt::format(", without {} hosts whose price nobody said", unknown)));
    return Exit::ok;
}

}  // namespace

std::vector<HostCost> costs_of(const Json& facts, Instant since, Instant now) {
    Meter meter(since, now);
    for (const auto& fact : facts) meter.take(fact);
    return meter.result();
}

std::vector<UseCost> use_costs_of(const Json& facts, Instant since, Instant now) {
    UseMeter uses(since, now);
    for (const auto& fact : facts) uses.take(fact);
    std::vector<UseCost> all;
    aws::Microdollars of_hosts = 0, of_users = 0;
    for (const auto& one : costs_of(facts, since, now)) of_hosts += one.cost;
    for (auto& [key, one] : uses.result()) {
        of_users += one.cost;
        all.push_back(std::move(one));
    }
    if (of_hosts > of_users) all.insert(all.begin(), UseCost{.user = {}, .project = {}, .cost = of_hosts - of_users});
    return all;
}

void add_cost(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("cost", "Machines", "What hosts cost, by the ledger", "berth cost --since 24h");
    command->add_option("--by", flags->by, "host, user or project: whose money it was")->check(CLI::IsMember({"host", "user", "project"}))->capture_default_str();
    command->add_option("--since", flags->since, "so long ago, or an instant, as 2026-11-01T00:00:00Z")->capture_default_str();
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
