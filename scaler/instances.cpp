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
    for (const auto& instance : listing.instances) {
        if (!may_call(state)) return;
        if (!runs(instance) || instance.protected_from_scale_in || state.protecting.contains(instance.instance)) continue;
        if (!hosts) hosts.emplace(state.view);
        const auto* host = hosts->on(instance);
        if (host && host->admission == Admission::draining) continue;
        state.protecting.insert(instance.instance);
        state.protect_calls[turn.call(provider, ProtectCall{instance.instance, Protection::on})] = instance.instance;
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

void read_listing(Turn& turn, ProviderSnapshot snapshot) {
    auto& state = turn.state;
    if (!snapshot.complete) return;
    const auto provider = snapshot.provider;
    auto& listing = state.listings[provider];
    if (snapshot.read_at <= listing.read_at) return;
    listing = listing_of(std::move(snapshot));
    if (state.view_known) protect_hosts(turn, provider, listing);
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
