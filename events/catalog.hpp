// SPDX-License-Identifier: Apache-2.0
// The one table of all messages: name · kind · struct · who alone may send · who receives · meaning.
// docs/events.md is generated from it, the broker's default-deny policy is made of it (I23), and
// the codec is instantiated for it. A message that is not here does not exist.
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "events/envelope.hpp"
#include "events/ledger.hpp"
#include "events/query.hpp"

namespace berth {

BERTH_ENUM(MessageKind,
           fact,         // stands in the ledger; published by the allocator alone
           observation,  // may be lost, repeated, late
           intent,       // a wish with a deadline, to which others may object
           request)      // has one reply or a deadline

/// Whether the topic of a message ends in a host's id, and whether a host may use only its own.
BERTH_ENUM(Routing, plain, by_host)

class Roles {
public:
    constexpr Roles(std::initializer_list<Role> roles) {
        for (const auto role : roles) bits_ |= 1U << static_cast<unsigned>(role);
    }
    constexpr bool has(Role role) const { return (bits_ >> static_cast<unsigned>(role)) & 1U; }

private:
    unsigned bits_ = 0;
};

struct NoReply {
    BERTH_NO_FIELDS(NoReply)
};

template <class T, class R = NoReply>
struct Entry {
    using Payload = T;
    using Reply = R;
    std::string_view name;      // of a request: "<service>.<verb>"
    MessageKind kind;
    Routing routing;
    Roles senders;
    Roles receivers;            // of an event: who needs it (taps may see all but what goes to one host)
    std::string_view meaning;
};

namespace detail {
constexpr Roles anyone{Role::allocator, Role::scaler, Role::reaper, Role::gateway};
constexpr Roles users{Role::gateway, Role::client};

template <class T>
constexpr Entry<T> fact(std::string_view name, std::string_view meaning) {
    return {name, MessageKind::fact, Routing::plain, {Role::allocator}, anyone, meaning};
}
template <class T, class R>
constexpr Entry<T, R> ask(std::string_view name, Roles senders, std::string_view meaning) {
    return {name, MessageKind::request, Routing::plain, senders, {Role::allocator}, meaning};
}
template <class T, class R>
constexpr Entry<T, R> tell_host(std::string_view name, std::string_view meaning) {
    return {name, MessageKind::request, Routing::by_host, {Role::allocator}, {Role::host}, meaning};
}
}  // namespace detail

inline constexpr std::tuple catalog{
    // ---- facts
    detail::fact<TookOver>("allocator.took_over", "An allocator began its term, which is named by this position and time."),
    detail::fact<LedgerDoubted>("ledger.doubted", "A host has seen more of this ledger than there is: an old copy."),
    detail::fact<LedgerRecovered>("ledger.recovered", "An old copy goes on as another ledger."),
    detail::fact<PoolDefined>("pool.defined", "A pool's policy numbers, when they differ from before."),
    detail::fact<PoolRetired>("pool.retired", "A pool is configured no more: nothing new lands there, its hosts are ended."),
    detail::fact<ClaimAccepted>("claim.accepted", "A claim will have an outcome by its deadline."),
    detail::fact<ClaimGranted>("claim.granted", "The claim's workspace runs and can be opened."),
    detail::fact<ClaimDenied>("claim.denied", "The claim ended denied, failed or expired."),
    detail::fact<LeaseGranted>("lease.granted", "A slot is leased to a workspace, at a new epoch."),
    detail::fact<LeaseExtended>("lease.extended", "The lease's absolute deadline moved, never back."),
    detail::fact<WorkspaceStarted>("workspace.started", "The host reported the environment healthy and bound."),
    detail::fact<WorkspaceRestarted>("workspace.restarted", "Its environment ended by itself; a new one has its lease."),
    detail::fact<WorkspaceIncident>("workspace.incident", "What its user should know though it goes on: paused, out of memory."),
    detail::fact<WorkspaceFailed>("workspace.failed", "The start failed; the lease ends, the slot is wiped."),
    detail::fact<WorkspaceStopping>("workspace.stopping", "The lease ends; the host has to stop and wipe."),
    detail::fact<WorkspaceStopped>("workspace.stopped", "Stopped and wiped: the slot is free."),
    detail::fact<HomeArchived>("home.archived", "Its repository has a whole snapshot of this home."),
    detail::fact<HomeLost>("home.lost", "Its host is gone with what was written since the last archive."),
    detail::fact<HomeChosen>("home.chosen", "The next start brings that archive back."),
    detail::fact<WorkspaceDestroying>("workspace.destroying", "A user asked for the end of workspace and home."),
    detail::fact<WorkspaceDestroyed>("workspace.destroyed", "The home is erased."),
    detail::fact<WorkspaceHeld>("workspace.held", "A user asked not to be stopped for idleness until then."),
    detail::fact<IdleNoted>("workspace.idle_noted", "The reaper's intent to stop was recorded."),
    detail::fact<IdleWithdrawn>("workspace.idle_withdrawn", "By the pool's new policy it is not idle; nothing was stopped."),
    detail::fact<StopObjected>("workspace.stop_objected", "The host saw activity; nothing was stopped."),
    detail::fact<HostRegistered>("host.registered", "A host, in this incarnation, offers slots."),
    detail::fact<HostCordoned>("host.cordoned", "No new lease lands on this host."),
    detail::fact<HostUncordoned>("host.uncordoned", "Leases may land on this host again."),
    detail::fact<HostLeaving>("host.leaving", "It is cordoned, and emptied at that time."),
    detail::fact<HostEnding>("host.ending", "This host will be ended: who wants it, why, and whether its workspaces are stopped for it."),
    detail::fact<HostEndWithdrawn>("host.end_withdrawn", "It is not ended after all."),
    detail::fact<HostSealing>("host.sealing", "Its agent is asked for the seal; the end can not be withdrawn any more."),
    detail::fact<HostDrained>("host.drained", "Sealed and without a lease: the permit to end it."),
    detail::fact<HostImpaired>("host.impaired", "It can start nothing now, and why; or it can again."),
    detail::fact<HostUnknown>("host.unknown", "Silent too long; its leases stay, nothing new lands."),
    detail::fact<HostReturned>("host.returned", "An unknown host was heard again."),
    detail::fact<HostGone>("host.gone", "The provider, or who owns a static host, says that this incarnation ended."),
    detail::fact<InstanceCondemned>("instance.condemned", "Nothing here accounts for that instance: its host is refused, and it may be ended."),
    detail::fact<HostRecovered>("host.recovered", "What a host held when a recovered ledger first met it."),
    detail::fact<SlotQuarantined>("slot.quarantined", "The slot takes no lease until it is cleared."),
    detail::fact<SlotCleared>("slot.cleared", "The slot may take leases again."),
    detail::fact<LaunchStarted>("launch.started", "A host launch is in flight until its deadline."),
    detail::fact<LaunchFailed>("launch.failed", "That launch will bring no host, and why."),
    detail::fact<LaunchMet>("launch.met", "The host of that launch registered without knowing it; the provider's listing says so."),
    detail::fact<HostPriced>("host.priced", "What a host's machine is and costs per hour, from here on."),

    // ---- observations
    Entry<ClaimProgress>{"claim.progress", MessageKind::observation, Routing::plain, {Role::allocator},
                         {Role::gateway, Role::client}, "Where a waiting claim stands."},
    Entry<LedgerHead>{"ledger.head", MessageKind::observation, Routing::plain, {Role::allocator}, detail::anyone,
                      "The newest position, every second."},
    Entry<HostHeartbeat>{"host.heartbeat", MessageKind::observation, Routing::by_host, {Role::host},
                         {Role::reaper, Role::scaler, Role::gateway}, "Inventory and load of a host."},
    Entry<HostActivity>{"host.activity", MessageKind::observation, Routing::by_host, {Role::host},
                        {Role::reaper, Role::gateway}, "Signals of use, per workspace, every 15 s."},
    Entry<HostObjected>{"host.objected", MessageKind::observation, Routing::by_host, {Role::host},
                        {Role::allocator, Role::reaper}, "Activity was seen at the deadline of an intent."},
    Entry<ProviderSnapshot>{"provider.snapshot", MessageKind::observation, Routing::plain, {Role::scaler},
                            {Role::reaper, Role::gateway}, "What a provider lists as ours."},

    // ---- intents
    Entry<ClaimRequest>{"claim.requested", MessageKind::intent, Routing::plain, {Role::gateway, Role::client},
                        {Role::allocator}, "A claim by publishing; the answer is claim.granted or claim.denied."},
    Entry<WorkspaceIdle>{"workspace.idle", MessageKind::intent, Routing::by_host, {Role::reaper},
                         {Role::host, Role::allocator}, "This workspace stops at stop_at unless its host objects; or no longer."},

    // ---- requests to the allocator
    detail::ask<ClaimRequest, ClaimReply>("allocator.claim", detail::users, "Get or make the workspace of (user, project)."),
    detail::ask<ClaimOutcomeRequest, ClaimReply>("allocator.claim_outcome", detail::users, "What became of a key."),
    detail::ask<LinkRequest, ClaimReply>("allocator.link", detail::users, "A fresh one-use link."),
    detail::ask<ReleaseRequest, Done>("allocator.release", detail::users, "Stop the workspace; its home stays."),
    detail::ask<DestroyRequest, Done>("allocator.destroy", detail::users, "Stop the workspace and erase its home."),
    detail::ask<ExtendRequest, Done>("allocator.extend", detail::users, "Move a lease's deadline."),
    detail::ask<HoldRequest, Done>("allocator.hold", detail::users, "Do not stop it for idleness until then."),
    detail::ask<SaveHomeRequest, Done>("allocator.save_home", detail::users, "Archive its home now, while it runs."),
    detail::ask<ChooseHomeRequest, Done>("allocator.choose_home", detail::users, "Bring that archive back at its next start."),
    detail::ask<ViewRequest, ViewReply>("allocator.view", {Role::gateway, Role::client, Role::scaler, Role::reaper, Role::tap},
                                        "The whole picture at its position."),
    detail::ask<FactsRequest, FactsReply>("allocator.facts", {Role::gateway, Role::client, Role::scaler, Role::reaper, Role::tap},
                                          "Facts from a position, or about an id."),
    detail::ask<RegisterRequest, HostOrders>("allocator.register", {Role::host}, "A host offers its slots."),
    detail::ask<HostHeartbeat, HostOrders>("allocator.heartbeat", {Role::host}, "A host's inventory, for its orders."),
    detail::ask<CordonRequest, Done>("allocator.cordon", {Role::scaler, Role::reaper, Role::gateway}, "Place nothing new there."),
    detail::ask<UncordonRequest, Done>("allocator.uncordon", {Role::scaler, Role::gateway}, "Place there again."),
    detail::ask<DrainRequest, Permit>("allocator.drain", {Role::scaler}, "Seal; a permit if nothing is leased."),
    detail::ask<EndHostRequest, EndHostReply>("allocator.end_host", {Role::gateway},
                                              "End this host: cordon, wait or stop, seal, permit, terminate; or undo that."),
    detail::ask<PermitCheckRequest, Done>("allocator.check_permit", {Role::scaler}, "Is this permit still good?"),
    detail::ask<CondemnRequest, Done>("allocator.condemn", {Role::scaler}, "May this orphan be ended?"),
    detail::ask<UnknownRequest, Done>("allocator.host_unknown", {Role::reaper}, "A host has been silent too long."),
    detail::ask<GoneRequest, Done>("allocator.host_gone", {Role::scaler, Role::reaper}, "The provider confirmed its end."),
    detail::ask<LaunchRequest, LaunchReply>("allocator.launch", {Role::scaler}, "May these hosts be launched?"),
    detail::ask<LaunchFailedRequest, Done>("allocator.launch_failed", {Role::scaler}, "A launch brought no host."),
    detail::ask<LaunchMetRequest, Done>("allocator.launch_met", {Role::scaler}, "That launch is that host's."),
    detail::ask<HostPricedRequest, Done>("allocator.host_priced", {Role::scaler}, "The provider says what that host costs."),
    detail::ask<ReapRequest, Done>("allocator.reap", {Role::reaper}, "This lease is over; stop it."),

    // ---- requests to others
    detail::tell_host<BindCommand, BindReply>("host.bind", "Start an environment and give it to this user."),
    detail::tell_host<StopCommand, StopReply>("host.stop", "Remove and wipe the slot; the home stays."),
    detail::tell_host<LinkCommand, LinkReply>("host.link", "Mint a one-use link."),
    detail::tell_host<EraseCommand, EraseReply>("host.erase", "Erase a home that is not in use."),
    detail::tell_host<SealCommand, SealReply>("host.seal", "Promise to take nothing new."),
    Entry<TerminateOrphanRequest, Done>{"scaler.terminate_orphan", MessageKind::request, Routing::plain,
                                        {Role::reaper}, {Role::scaler}, "End an instance that nobody knows."},

    // ---- requests to the broker itself
    Entry<BrokerStatusRequest, BrokerStatus>{"broker.status", MessageKind::request, Routing::plain,
                                             {Role::gateway, Role::client, Role::tap}, {Role::broker},
                                             "Services, workers, counters."},
    Entry<ServeRequest, Done>{"broker.serve", MessageKind::request, Routing::plain,
                              {Role::allocator, Role::scaler, Role::host}, {Role::broker},
                              "This peer serves that service (a host only its own)."},
    Entry<ServeBeat>{"broker.beat", MessageKind::observation, Routing::plain,
                     {Role::broker, Role::allocator, Role::scaler, Role::host}, {Role::broker},
                     "I am here; between broker and worker, both ways."},
    Entry<ServeEnd>{"broker.leave", MessageKind::observation, Routing::plain,
                    {Role::allocator, Role::scaler, Role::host}, {Role::broker}, "This worker takes no more."},
};

/// Calls `use(entry)` for each entry, in order.
template <class Use>
constexpr void for_each_entry(Use&& use) {
    std::apply([&](const auto&... entry) { (use(entry), ...); }, catalog);
}

namespace detail {
template <class T, bool request>
constexpr std::string_view find_name() {
    std::string_view found;
    for_each_entry([&](const auto& entry) {
        if constexpr (std::is_same_v<typename std::decay_t<decltype(entry)>::Payload, T>) {
            if ((entry.kind == MessageKind::request) == request && found.empty()) found = entry.name;
        }
    });
    return found;
}
template <class T>
struct reply_type {
    template <class... E>
    static auto pick(const std::tuple<E...>*) {
        return std::tuple_cat(std::conditional_t<std::is_same_v<typename E::Payload, T> &&
                                                     !std::is_same_v<typename E::Reply, NoReply>,
                                                 std::tuple<typename E::Reply>, std::tuple<>>{}...);
    }
    using type = std::tuple_element_t<0, decltype(pick(static_cast<std::remove_const_t<decltype(catalog)>*>(nullptr)))>;
};
}  // namespace detail

/// The name under which T is published: "claim.granted".
template <class T>
inline constexpr std::string_view event_name = detail::find_name<T, false>();
/// The name under which T is requested: "allocator.claim".
template <class T>
inline constexpr std::string_view request_name = detail::find_name<T, true>();
/// What is answered to a request T.
template <class T>
using ReplyTo = typename detail::reply_type<T>::type;

/// One row without its types, for tables made at run time (policy, docs).
struct CatalogRow {
    std::string_view name;
    MessageKind kind;
    Routing routing;
    Roles senders;
    Roles receivers;
    std::string_view meaning;
};
/// The row of that name, or null.
const CatalogRow* find_event_row(std::string_view name);     // any kind but request
const CatalogRow* find_request_row(std::string_view name);

}  // namespace berth
