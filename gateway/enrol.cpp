// SPDX-License-Identifier: Apache-2.0
// Machines that want in: who may, under which name, into which pool. A token bounds how many come and
// until when; a name belongs to the key that it enrolled with until the ledger has seen that host's end (I23).
#include <fmt/format.h>

#include <algorithm>

#include "base/about.hpp"
#include "gateway/asked.hpp"
#include "gateway/shapes.hpp"

namespace berth::gateway {

namespace {

constexpr Duration host_token_ttl{3'600'000};
constexpr std::size_t label_max = 64;

bool is_label(std::string_view name) {
    return !name.empty() && name.size() <= label_max && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-';
    });
}

// Processes of the control plane have keys of these names, and the local provider's hosts are h-….
bool is_taken_by_berth(const std::string& name) { return enum_from<Role>(name).has_value() || name == "cli" || name.starts_with("h-"); }

// "gateway.example.org" of "gateway.example.org:9092"; "[::1]" of "[::1]:9092".
std::string without_port(std::string_view host) {
    const auto colon = host.rfind(':');
    const auto bracket = host.rfind(']');
    const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    return std::string{host.substr(0, has_port ? colon : host.size())};
}

// The pool named, else the only one, else 'default'.
PoolName pool_named(const View& view, const std::optional<std::string>& name) {
    if (name) return PoolName{*name};
    const auto usable = [&](const auto& entry) { return !view.is_retired(entry.first); };
    if (std::count_if(view.pools.begin(), view.pools.end(), usable) == 1) return std::find_if(view.pools.begin(), view.pools.end(), usable)->first;
    return PoolName{"default"};
}

std::optional<Error> why_not_pool(const View& view, const PoolName& pool) {
    if (!view.pools.contains(pool)) {
        return Error{ErrorKind::not_found, fmt::format("there is no pool '{}': write [pool.{}] into the configuration, with provider = \"static\" "
                                                       "when all its machines enrol by hand", pool.value, pool.value)};
    }
    if (view.is_retired(pool)) return Error{ErrorKind::conflict, fmt::format("pool '{}' is retired: nothing new lands there", pool.value)};
    return std::nullopt;
}

std::optional<Error> why_not_clock(const Policy& policy, Instant theirs, Instant ours) {
    const auto off = theirs > ours ? theirs - ours : ours - theirs;
    if (off <= policy.host_clock_off_max) return std::nullopt;
    return Error{ErrorKind::invalid, fmt::format("the clock of this machine is {} {} that of the gateway, more than {}: set it (timedatectl set-ntp true), "
                                                 "then join again", about(off), theirs > ours ? "ahead of" : "behind", to_text(policy.host_clock_off_max))};
}

std::optional<Error> why_not_token(const TokenEntry& entry, const Machine* known, const std::string& host, Instant now) {
    if (known && known->token_id == entry.id) return std::nullopt;   // it is the same machine again
    const auto another = fmt::format("ask for another with `berth host-token --pool {}`", entry.grant->pool.value);
    if (entry.expires_at && *entry.expires_at <= now) {
        return Error{ErrorKind::denied, fmt::format("the token is over since {}: {}", to_rfc3339(*entry.expires_at), another)};
    }
    if (entry.grant->used >= entry.grant->uses_max) {
        return Error{ErrorKind::denied, fmt::format("the token is spent: it was for {} machine{}, and {} is one more; {}", entry.grant->uses_max,
                                                    entry.grant->uses_max == 1 ? "" : "s", host, another)};
    }
    return std::nullopt;
}

std::optional<Error> why_not_name(const View& view, const Machine& machine) {
    const auto& name = machine.host.value;
    if (is_taken_by_berth(name)) return Error{ErrorKind::conflict, fmt::format("'{}' is a name of berth's own; give another with --name", name)};
    const auto at = view.hosts.find(machine.host);
    if (at == view.hosts.end()) return std::nullopt;
    const auto& host = at->second;
    if (host.provider && !host.is_static()) {
        return Error{ErrorKind::conflict, fmt::format("{} is a host of provider '{}'; give another name with --name", name, *host.provider)};
    }
    if (host.liveness == Liveness::gone && host.incarnation == machine.incarnation) {
        return Error{ErrorKind::fenced, fmt::format("this life of {} was ended by an operator: remove its folder (--state) and join anew", name)};
    }
    return std::nullopt;
}

}  // namespace

std::string url_of(const Asked& asked) {
    auto url = asked.picture.policy.public_url.empty() ? fmt::format("http://{}", asked.request.header("host")) : asked.picture.policy.public_url;
    while (url.ends_with('/')) url.pop_back();
    return url;
}

Step mint_host_token(const Asked& asked) {
    const auto pool = pool_named(asked.picture.view, asked.body.text("pool"));
    if (const auto why = why_not_pool(asked.picture.view, pool)) return asked.refused(problem_of(*why));
    const auto uses = asked.body.number("uses").value_or(1);
    if (uses == 0 || uses > host_token_uses_max) return asked.bad_field("uses", fmt::format("is 1 to {}", host_token_uses_max));
    const auto ttl = asked.body.duration("ttl_ms").value_or(host_token_ttl);
    if (ttl <= Duration{0}) return asked.bad_field("ttl_ms", "is over at once");
    TokenWish wish{.role = TokenRole::host, .note = asked.body.text("note").value_or(""), .ttl = ttl,
                   .grant = HostGrant{pool, static_cast<std::uint32_t>(uses), 0}};
    TokenChange change{std::move(wish), "", asked.dress()};
    change.dress.subject = url_of(asked);
    return change;
}

Step enrol(const Asked& asked) {
    const auto& picture = asked.picture;
    const auto* entry = picture.tokens.of_id(asked.caller.token_id);
    const auto name = *asked.body.text("name");
    if (!is_label(name)) return asked.bad_field("name", fmt::format("a host's id is 1 to {} of a-z A-Z 0-9 and '-'", label_max));
    const Machine machine{HostId{name}, HostIncarnation{*asked.body.text("incarnation")}, entry->id};
    const auto refused = [&](const std::optional<Error>& why) { return asked.refused(problem_of(*why)); };
    const auto& pool = entry->grant->pool;
    const auto wanted = asked.body.text("pool");
    if (wanted && *wanted != pool.value) return asked.not_allowed(fmt::format("this token is for pool '{}', not for '{}'", pool.value, *wanted));
    if (const auto why = why_not_token(*entry, picture.tokens.machine(machine.host), name, asked.turn.now)) return refused(why);
    if (const auto why = why_not_clock(picture.policy, *asked.body.instant("clock"), asked.turn.now)) return refused(why);
    if (const auto why = why_not_pool(picture.view, pool)) return refused(why);
    if (const auto why = why_not_name(picture.view, machine)) return refused(why);
    return EnrolWish{machine, *asked.body.text("public_key"), pool, picture.view.pools.at(pool).slots_per_host,
                     without_port(asked.request.header("host")), url_of(asked), asked.dress()};
}

HttpAnswer enrolment(const Asked& asked) {
    const HostId id{asked.parameter};
    const auto* machine = asked.picture.tokens.machine(id);
    if (!machine || machine->token_id != asked.caller.token_id) {
        return asked.refused(ErrorKind::not_found, fmt::format("no machine {} enrolled with this token", asked.parameter));
    }
    const auto at = asked.picture.view.hosts.find(id);
    const bool registered = at != asked.picture.view.hosts.end() && at->second.incarnation == machine->incarnation;
    Json shape = {{"host", id.value}, {"registered", registered}};
    if (!registered) return json_answer(shape);
    shape["pool"] = at->second.pool.value;
    shape["liveness"] = to_string(at->second.liveness);
    if (const auto reached = asked.picture.reached.find(id); reached != asked.picture.reached.end()) shape["reach"] = reach_shape(reached->second);
    return json_answer(shape);
}

// ---- machines whose agents speak HTTP alone

namespace {

// An instance's id, as far as a host's may look so.
HostId host_of_instance(const std::string& instance) {
    HostId host{instance.substr(0, label_max)};
    for (auto& c : host.value) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
    return host;
}

// For a gateway that starts again: what the machine holds, or that it was used and not recycled.
SlotReport slot_known(const View& view, const Machine& machine) {
    const auto at = view.hosts.find(machine.host);
    if (at == view.hosts.end() || at->second.incarnation != machine.incarnation || at->second.slots.empty()) return {};
    const auto& slot = at->second.slots.front();
    if (slot.use == SlotUse::quarantined) return {.slot = 0, .phase = SlotPhase::broken, .epoch = slot.epoch, .text = std::string{not_recycled}};
    // What is leased is taken over from the orders, by its epoch.
    const bool held = slot.use == SlotUse::leased || slot.use == SlotUse::stopping;
    return {.slot = 0, .epoch = Epoch{held && slot.epoch.value > 0 ? slot.epoch.value - 1 : slot.epoch.value}};
}

}  // namespace

Step foreign_agent(const Asked& asked) {
    const auto& view = asked.picture.view;
    const auto* entry = asked.picture.tokens.of_id(asked.caller.token_id);
    const auto instance = *asked.body.text("instanceId");
    const auto host = host_of_instance(instance);
    const auto* known = asked.picture.tokens.machine(host);
    const auto at = view.hosts.find(host);
    const bool is_known = at != view.hosts.end() && at->second.liveness != Liveness::gone;
    const bool ours = known && known->token_id == entry->id && (!is_known || at->second.instance == instance || !known->foreign);
    if (is_known && !ours) {
        return asked.refused(ErrorKind::conflict, fmt::format("{} is a host already, and did not come with this token", host.value));
    }
    if (ours && !known->foreign) {   // its agent is on the bus, and says there what it has to say
        return json_answer({{"status", "ok"}, {"instanceId", instance}, {"host", host.value}, {"state", is_known ? to_string(at->second.liveness) : "enrolled"}});
    }
    ForeignWish wish{.machine = ours ? *known : Machine{host, HostIncarnation{"http-" + asked.turn.request_id}, entry->id, true},
                     .said = {instance, asked.body.text("publicIp").value_or(""), asked.body.text("privateIp").value_or("")},
                     .pool = entry->grant->pool, .dress = asked.dress()};
    wish.slot = slot_known(view, wish.machine);
    if (asked.route.operation == Operation::compat_heartbeat) {
        if (!ours || !is_known) return asked.refused(ErrorKind::not_found, fmt::format("instance {} is not registered: POST /register first", instance));
        wish.said = {instance, at->second.public_ip, at->second.private_ip};
        return wish;
    }
    wish.act = ForeignAct::registers;
    if (wish.said.public_ip.empty()) wish.said.public_ip = wish.said.private_ip.empty() ? asked.request.remote : wish.said.private_ip;
    if (const auto why = why_not_token(*entry, known, host.value, asked.turn.now)) return asked.refused(problem_of(*why));
    if (const auto why = why_not_pool(view, wish.pool)) return asked.refused(problem_of(*why));
    if (const auto why = why_not_name(view, wish.machine)) return asked.refused(problem_of(*why));
    return wish;
}

bool shows(const Picture& picture, const ForeignWish& wish, const Result<void>& outcome) {
    if (!outcome || !picture.following) return true;
    const auto at = picture.view.hosts.find(wish.machine.host);
    return at != picture.view.hosts.end() && at->second.incarnation == wish.machine.incarnation;
}

HttpAnswer answer_foreign(const Picture& picture, const ForeignWish& wish, const Result<void>& outcome, const Turn& turn) {
    if (!outcome) return refuse(problem_of(outcome.error()), wish.dress.route->style, turn.request_id);
    const auto at = picture.view.hosts.find(wish.machine.host);
    const auto state = at == picture.view.hosts.end() ? Liveness::live : at->second.liveness;
    return json_answer({{"status", "ok"}, {"instanceId", wish.said.instance}, {"host", wish.machine.host.value}, {"state", to_string(state)}});
}

HttpAnswer answer_enrol(const EnrolWish& wish, const Result<EnrolAnswer>& outcome, const Turn& turn) {
    if (!outcome) return refuse(problem_of(outcome.error()), wish.dress.route->style, turn.request_id);
    Json shape = {{"host", wish.machine.host.value}, {"pool", wish.pool.value}, {"slots", wish.slots}, {"fresh", outcome->fresh},
                  {"broker", {{"requests", outcome->requests}, {"public_key", outcome->broker_key}}}};
    auto& sections = shape["settings"] = Json::object();
    for (const auto& [section, settings] : outcome->settings) {
        auto& to = sections[section] = Json::object();
        for (const auto& [key, value] : settings) to[key] = value;
    }
    return json_answer(shape, outcome->fresh ? 201 : 200);
}

}  // namespace berth::gateway
