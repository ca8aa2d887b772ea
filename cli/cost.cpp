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
            life.cost.cost += static_cast<aws::Microdollars>((until - from).count() / 1'000) * life.cost.per_hour / 3'600;
        }
        life.from = until;
    }

    Instant since_, now_;
    std::map<std::string, Life> lives_;
    std::vector<HostCost> over_;
};

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

Result<Exit> run(const Shared& shared, const std::string& since_text) {
    const auto look = TRY(shared.look());
    const auto now = RealClock{}.now();
    const auto since = TRY(since_of(since_text, now));
    auto gateway = TRY(GatewayClient::find(shared));
    const auto facts = TRY(gateway.all_facts());
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

void add_cost(Commands& commands) {
    auto since = std::make_shared<std::string>("720h");
    auto* command = commands.add("cost", "Machines", "What hosts cost, by the ledger", "berth cost --since 24h");
    command->add_option("--since", *since, "so long ago, or an instant, as 2026-11-01T00:00:00Z")->capture_default_str();
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, since] { return run(commands.shared(), *since); });
}

}  // namespace berth::cli
