// SPDX-License-Identifier: Apache-2.0
// What a listing shows: the newest complete one is kept, hosts without scale-in protection get it
// again (I18), and an orphan that the reaper names is ended only if this process agrees (I17).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

constexpr std::size_t instances_per_call_max = 50;     // what Auto Scaling takes
constexpr std::size_t prices_open_max = 20;            // requests at once

bool runs(const Instance& instance) {
    return instance.state == InstanceState::pending || instance.state == InstanceState::running;
}

/// The ledger's hosts by their instance; lives of one instance follow each other.
class Hosts {
public:
    explicit Hosts(const View& view) {
        for (const auto& [id, host] : view.hosts) {
            if (host.liveness != Liveness::gone) hosts_.emplace(instance_of(host), &host);
        }
    }
    const HostView* on(const Instance& instance) const {
        const auto [first, end] = hosts_.equal_range(instance.instance);
        const auto at = std::find_if(first, end, [&](const auto& one) { return is_life_of(instance, one.second->incarnation); });
        return at == end ? nullptr : at->second;
    }

private:
    std::multimap<std::string_view, const HostView*> hosts_;
};

void protect_hosts(Turn& turn, const std::string& provider, const Listing& listing) {
    auto& state = turn.state;
    std::optional<Hosts> hosts;            // made when there is anything to protect
    std::vector<std::string> names;
    for (const auto& instance : listing.instances) {
        if (!may_call(state) || names.size() >= instances_per_call_max) break;
        if (!runs(instance) || instance.protected_from_scale_in || state.protecting.contains(instance.instance)) continue;
        if (!hosts) hosts.emplace(state.view);
        const auto* host = hosts->on(instance);
        if (host && host->admission == Admission::draining) continue;
        state.protecting.insert(instance.instance);
        names.push_back(instance.instance);
    }
    if (!names.empty()) state.protect_calls[turn.call(provider, ProtectCall{names, Protection::on})] = names;
}

// Stopped behind our back, with a host on it that nobody gives back: it is started again, in the same life.
void start_stopped(Turn& turn, const std::string& provider, const Listing& listing) {
    auto& state = turn.state;
    std::optional<Hosts> hosts;
    std::vector<std::string> names;
    std::erase_if(state.starting, [&](const auto& entry) {
        const auto* instance = listing.named(entry.first);
        return !entry.second.open && (!instance || instance->state == InstanceState::running);
    });
    for (const auto& instance : listing.instances) {
        if (!may_call(state) || names.size() >= instances_per_call_max) break;
        if (instance.state != InstanceState::stopped || !may_try(state.starting[instance.instance], turn.now)) continue;
        if (!hosts) hosts.emplace(state.view);
        const auto* host = hosts->on(instance);
        if (!host || host->admission == Admission::draining || host->ending) continue;
        turn.line(LogLevel::warn, "host.start", host->host.value, fmt::format("{} lists its instance {} as stopped, which nobody here did", provider, instance.instance));
        begin_attempt(state.starting[instance.instance]);
        names.push_back(instance.instance);
    }
    if (!names.empty()) state.start_calls[turn.call(provider, StartCall{names})] = names;
}

// What a machine costs is a fact of its host, so that what was spent can be told later.
void tell_prices(Turn& turn, const Listing& listing) {
    auto& state = turn.state;
    std::optional<Hosts> hosts;
    std::erase_if(state.pricing, [&](const auto& entry) { return !entry.second.open && !state.view.hosts.contains(entry.first); });
    for (const auto& instance : listing.instances) {
        if (state.price_asks.size() >= prices_open_max) return;
        if (!instance.price || !runs(instance)) continue;
        if (!hosts) hosts.emplace(state.view);
        const auto* host = hosts->on(instance);
        if (!host || host->price == instance.price) continue;
        auto& attempts = state.pricing[host->host];
        if (!may_try(attempts, turn.now)) continue;
        begin_attempt(attempts);
        state.price_asks[turn.ask(HostPricedRequest{{host->host, host->incarnation}, *instance.price})] = host->host;
    }
}

// What an audit finds is said once, and again when it changes.
void tell_advice(Turn& turn, const std::vector<PoolAdvice>& before, const std::vector<PoolAdvice>& now) {
    for (const auto& advice : now) {
        if (std::find(before.begin(), before.end(), advice) == before.end()) turn.line(LogLevel::warn, "pool.advice", advice.pool.value, advice.text);
    }
}

}  // namespace

const Instance* Listing::named(const std::string& name) const {
    const auto after = std::upper_bound(instances.begin(), instances.end(), name, [](const auto& wanted, const auto& one) { return wanted < one.instance; });
    return after == instances.begin() || std::prev(after)->instance != name ? nullptr : &*std::prev(after);
}

const Instance* Listing::of_launch(const LaunchId& launch) const {
    const auto after = std::upper_bound(launched.begin(), launched.end(), launch,
                                        [&](const auto& wanted, auto index) { return wanted < *instances[index].launch; });
    return after == launched.begin() || *instances[*std::prev(after)].launch != launch ? nullptr : &instances[*std::prev(after)];
}

Listing listing_of(ProviderSnapshot snapshot) {
    Listing listing{.read_at = snapshot.read_at, .instances = std::move(snapshot.instances)};
    auto& all = listing.instances;
    const auto by_name = [](const auto& a, const auto& b) { return a.instance < b.instance; };
    if (!std::is_sorted(all.begin(), all.end(), by_name)) std::stable_sort(all.begin(), all.end(), by_name);
    for (std::uint32_t index = 0; index < all.size(); ++index) {
        if (all[index].launch) listing.launched.push_back(index);
    }
    std::stable_sort(listing.launched.begin(), listing.launched.end(), [&](auto a, auto b) { return *all[a].launch < *all[b].launch; });
    return listing;
}

// It comes right before its listing, which the launches are judged by.
void read_report(Turn& turn, ProviderReport report) {
    auto& known = turn.state.reports[report.provider];
    tell_advice(turn, known.advice, report.advice);
    known = std::move(report);
}

void read_listing(Turn& turn, ProviderSnapshot snapshot) {
    auto& state = turn.state;
    if (!snapshot.complete) return;
    const auto provider = snapshot.provider;
    auto& listing = state.listings[provider];
    if (snapshot.read_at <= listing.read_at) return;
    listing = listing_of(std::move(snapshot));
    if (state.view_known) protect_hosts(turn, provider, listing);
    if (state.view_known) start_stopped(turn, provider, listing);
    if (state.view_known) tell_prices(turn, listing);
}

void answer_protect_call(Turn& turn, const std::vector<std::string>& instances, const CallAnswered& answered) {
    for (const auto& name : instances) turn.state.protecting.erase(name);
    if (answered.error) turn.line(LogLevel::warn, "host.protect_failed", fmt::format("{}", fmt::join(instances, " ")), answered.error->text);
    for (const auto& [name, error] : answered.instances) {
        if (error) turn.line(LogLevel::warn, "host.protect_failed", name, error->text);
    }
}

void answer_start_call(Turn& turn, const std::vector<std::string>& instances, const CallAnswered& answered) {
    for (const auto& name : instances) end_attempt(turn.state.policy, turn.state.starting[name], turn.now);
    if (answered.error) turn.line(LogLevel::warn, "host.start_failed", fmt::format("{}", fmt::join(instances, " ")), answered.error->text);
    for (const auto& [name, error] : answered.instances) {
        if (error) turn.line(LogLevel::warn, "host.start_failed", name, error->text);
    }
}

void answer_price(Turn& turn, const HostId& host, const Answer& answer) {
    end_attempt(turn.state.policy, turn.state.pricing[host], turn.now);
    if (answer) turn.state.pricing.erase(host);
    else turn.line(LogLevel::warn, "ask.refused", host.value, answer.error().text);
}

void end_orphan(Turn& turn, const OrphanAsked& asked) {
    auto& state = turn.state;
    const auto& [name, incarnation, evidence] = asked.body;
    const auto refuse = [&](ErrorKind kind, std::string text) {
        turn.line(LogLevel::warn, "orphan.refused", name, text);
        turn.out.replies.push_back({asked.caller, fail(Error{kind, std::move(text)})});
    };
    if (!state.view_known) return refuse(ErrorKind::unavailable, "the scaler has no view of the ledger just now; ask again");
    if (state.view.doubted_by) {
        return refuse(ErrorKind::unavailable, fmt::format("the ledger is an old copy: {} may be a host of its lost part", name));
    }
    for (const auto& [provider, listing] : state.listings) {
        const auto* instance = listing.named(name);
        if (!instance || instance->incarnation != incarnation) continue;
        if (Hosts(state.view).on(*instance) || (instance->launch && state.view.launches.contains(*instance->launch))) {
            return refuse(ErrorKind::conflict, fmt::format("instance {} is accounted for by the ledger", name));
        }
        if (state.ending_orphans.contains(name) || !may_call(state)) {
            return refuse(ErrorKind::limit, fmt::format("instance {} is being ended, or too many calls wait; ask later", name));
        }
        const auto id = turn.ask(CondemnRequest{name, incarnation, instance->launch, evidence});
        state.ending_orphans.insert(name);
        state.orphan_asks[id] = {asked.caller, provider, name, incarnation};
        return;
    }
    refuse(ErrorKind::not_found, fmt::format("no provider lists an instance {} in that incarnation", name));
}

// The ledger agreed, and takes no host on it any more: now it is safe to end it.
void answer_orphan(Turn& turn, Orphan orphan, const Answer& answer) {
    auto& state = turn.state;
    if (!answer) {
        turn.line(LogLevel::warn, "orphan.refused", orphan.instance, answer.error().text);
        state.ending_orphans.erase(orphan.instance);
        turn.out.replies.push_back({orphan.caller, fail(answer.error())});
        return;
    }
    turn.line(LogLevel::warn, "orphan.end", orphan.instance, "no host and no launch account for it, and the ledger takes none on it any more");
    const auto id = turn.call(orphan.provider, TerminateCall{orphan.instance, orphan.incarnation});
    state.orphan_calls[id] = std::move(orphan);
}

void answer_orphan_call(Turn& turn, const Orphan& orphan, const CallAnswered& answered) {
    turn.state.ending_orphans.erase(orphan.instance);
    Result<Done> outcome = Done{.count = 1};
    if (answered.error) outcome = fail(Error{ErrorKind::unavailable, answered.error->text});
    turn.out.replies.push_back({orphan.caller, std::move(outcome)});
}

}  // namespace berth::scaler
