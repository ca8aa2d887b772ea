// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/local/local.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/diagnostics.hpp"
#include "base/hash.hpp"
#include "base/rng.hpp"
#include "bus/keys.hpp"
#include "os/files.hpp"
#include "os/mounts.hpp"
#include "os/ports.hpp"
#include "os/program.hpp"

namespace berth::scaler {

namespace {

namespace fs = std::filesystem;

constexpr Duration lock_patience{5'000};
constexpr std::size_t label_bytes_max = 64;
constexpr std::uint32_t address_tries_max = 10'000;

LaunchFailure failure_of(const Error& error) {
    switch (error.kind) {
        case ErrorKind::no_capacity:
        case ErrorKind::limit: return LaunchFailure::capacity;
        case ErrorKind::denied: return LaunchFailure::permission;
        case ErrorKind::not_found:
        case ErrorKind::invalid:
        case ErrorKind::corrupt:
        case ErrorKind::conflict: return LaunchFailure::configuration;
        default: return LaunchFailure::lost;
    }
}

tl::unexpected<ProviderError> provider_error(const Error& error) {
    return tl::make_unexpected(ProviderError{failure_of(error), error.text});
}

Result<void> make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    const auto kind = errno == ENOSPC ? ErrorKind::no_capacity : errno == EACCES ? ErrorKind::denied : ErrorKind::unavailable;
    return fail(kind, "cannot make the folder {}: {}", path, std::strerror(errno));
}

// Names become paths: nothing else may.
bool is_host_name(const std::string& name) {
    return name.starts_with("h-") && host_of(LaunchId{name.substr(2)}) == Result<std::string>{name};
}

}  // namespace

Result<std::string> host_of(const LaunchId& launch) {
    const auto& id = launch.value;
    const auto host = "h-" + (id.starts_with("l-") ? id.substr(2) : id);
    const auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; };
    if (id.empty() || host.size() > label_bytes_max || !std::all_of(host.begin(), host.end(), good)) {
        return fail(ErrorKind::invalid, "launch id '{}' makes no name of a host", id);
    }
    return host;
}

std::optional<os::RunningProcess> find_program(const std::string& pid_file, const std::string& folder) {
    const auto mark = os::read_mark(pid_file);
    auto program = mark ? os::RunningProcess::find(mark->pid) : std::nullopt;
    if (!program) return std::nullopt;
    // In this order: what is looked at now is what the hold is on, or that one has ended.
    const auto arguments = os::arguments_of(program->pid());
    const auto names_it = [&](const std::string& word) { return word == folder || word.starts_with(folder + "/"); };
    if (std::none_of(arguments.begin(), arguments.end(), names_it) || program->ended_within(Duration{0})) return std::nullopt;
    return program;
}

// ---- open, list

LocalProvider::LocalProvider(const Clock& clock, LocalPolicy policy, LocalSetup setup, os::Lock lock)
    : clock_(clock), policy_(std::move(policy)), setup_(std::move(setup)), lock_(std::move(lock)) {
    if (policy_.agent_program.empty()) policy_.agent_program = os::program_folder() + "/berth-hostagent";
}

Result<std::unique_ptr<LocalProvider>> LocalProvider::open(const Clock& clock, LocalPolicy policy, LocalSetup setup) {
    for (const auto* below : {"/hosts", "/ended_hosts", "/homes", "/log", "/run"}) TRY(make_folder(setup.state + below));
    const auto path = setup.state + "/run/provider.local.lock";
    auto lock = os::Lock::take(path, lock_patience);
    if (!lock && lock.error().kind == ErrorKind::conflict) {
        return fail(ErrorKind::conflict, "another scaler looks after the hosts of {}: it holds {}", setup.state, path);
    }
    if (!lock) return fail(lock.error());
    return std::unique_ptr<LocalProvider>{new LocalProvider(clock, std::move(policy), std::move(setup), std::move(*lock))};
}

LocalProvider::Known LocalProvider::read_all() const {
    Known known;
    std::set<std::string> ended;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(setup_.state + "/ended_hosts", error)) {
        if (entry.path().extension() != ".json") continue;
        if (auto instance = read_instance(entry.path().string())) {
            ended.insert(instance->host);
            known.ended.push_back(std::move(*instance));
        } else {
            known.unreadable.push_back(instance.error().text);
        }
    }
    if (error) known.unreadable.push_back(fmt::format("cannot list {}/ended_hosts: {}", setup_.state, error.message()));
    for (const auto& entry : fs::directory_iterator(setup_.state + "/hosts", error)) {
        const auto host = entry.path().filename().string();
        if (!entry.is_directory() || ended.contains(host)) continue;
        auto instance = read_instance(file(host));
        // Without its file nothing of it was ever started: its launch is made anew or never.
        if (!instance && instance.error().kind == ErrorKind::not_found) continue;
        if (instance) {
            known.running.push_back(std::move(*instance));
        } else {
            known.unreadable.push_back(instance.error().text);
        }
    }
    if (error) known.unreadable.push_back(fmt::format("cannot list {}/hosts: {}", setup_.state, error.message()));
    const auto by_name = [](const LocalInstance& a, const LocalInstance& b) { return a.host < b.host; };
    std::sort(known.running.begin(), known.running.end(), by_name);
    std::sort(known.ended.begin(), known.ended.end(), by_name);
    return known;
}

Provided<Listed> LocalProvider::list() {
    ProviderSnapshot snapshot{.provider = "local", .read_at = clock_.now(), .complete = true};
    const auto known = read_all();
    for (const auto& instance : known.running) snapshot.instances.push_back(to_instance(instance));
    for (const auto& instance : known.ended) snapshot.instances.push_back(to_instance(instance));
    for (const auto& text : known.unreadable) {
        snapshot.complete = false;
        log_warn("local.unreadable", {{"why", text}});
    }
    return snapshot;
}

// ---- launch

Provided<Instance> LocalProvider::launch_one(const LaunchId& launch, const PoolDefined& pool) {
    const auto host = host_of(launch);
    if (!host) return provider_error(host.error());
    if (const auto ended = read_instance(ended_file(*host))) return to_instance(*ended);
    auto instance = read_instance(file(*host));
    if (!instance && instance.error().kind == ErrorKind::not_found) instance = make(*host, launch, pool);
    if (!instance) return provider_error(instance.error());
    if (instance->state == InstanceState::running) {
        if (const auto runs = keep_running(*instance); !runs) return provider_error(runs.error());
    }
    return to_instance(*instance);
}

// Nothing of a host exists before its file does: a scaler that is killed on the way leaves either
// nothing, or a host that the next one finds and completes.
Result<LocalInstance> LocalProvider::make(const std::string& host, const LaunchId& launch, const PoolDefined& pool) {
    if (::access(policy_.agent_program.c_str(), X_OK) != 0) {
        return fail(ErrorKind::not_found, "no program {}; see [provider.local] agent_program", policy_.agent_program);
    }
    TRY(make_folder(folder(host)));
    auto instance = TRY(with_addresses({.host = host,
                                        .launch = launch,
                                        .incarnation = {random_hex(8)},
                                        .pool = pool.pool,
                                        .slots = pool.slots_per_host,
                                        .launched_at = clock_.now()}));
    TRY(write_instance(file(host), instance));
    log_info("local.made", {{"host", host}, {"launch", launch}, {"address", instance.address}, {"proxy_port", instance.proxy_port}});
    return instance;
}

// Where it looks first follows from folder and name, so that installations beside each other rarely
// meet, and a host keeps what it got.
Result<LocalInstance> LocalProvider::with_addresses(LocalInstance instance) const {
    std::set<std::string> addresses;
    std::set<std::uint32_t> ports;
    const auto known = read_all();
    for (const auto& other : known.running) {
        addresses.insert(other.address);
        ports.insert(other.proxy_port);
    }
    if (known.running.size() >= policy_.hosts_max) {
        return fail(ErrorKind::limit, "there are {} local hosts already: [provider.local] hosts_max", known.running.size());
    }
    Rng rng(hash_of(setup_.state + "/" + instance.host));
    for (std::uint32_t i = 0; i < address_tries_max && instance.address.empty(); ++i) {
        auto address = fmt::format("127.{}.{}.{}", 64 + rng.below(64), rng.below(256), 1 + rng.below(254));
        if (!addresses.contains(address)) instance.address = std::move(address);
    }
    const auto first = rng.below(policy_.proxy_port_count);
    for (std::uint32_t i = 0; i < policy_.proxy_port_count; ++i) {
        const auto port = policy_.proxy_port_first + static_cast<std::uint32_t>((first + i) % policy_.proxy_port_count);
        if (ports.contains(port) || !os::check_port_is_free(port)) continue;
        instance.proxy_port = port;
        return instance;
    }
    return fail(ErrorKind::no_capacity, "no free port among {} from {} for the proxy of {}", policy_.proxy_port_count,
                policy_.proxy_port_first, instance.host);
}

// ---- looking after agents

void LocalProvider::tend() {
    auto known = read_all();
    for (const auto& instance : known.running) {
        if (instance.state != InstanceState::running) continue;
        if (const auto kept = keep_running(instance); !kept) {
            log_warn("local.revive_failed", {{"host", instance.host}, {"why", kept.error().text}});
        }
    }
    for (const auto& instance : known.ended) {
        // A scaler that was killed between these two steps.
        if (fs::exists(folder(instance.host))) {
            if (const auto gone = forget(instance); !gone) log_warn("local.forget_failed", {{"host", instance.host}, {"why", gone.error().text}});
        }
    }
    prune_ended(std::move(known.ended));
}

void LocalProvider::bury(Care& care) {
    if (care.child == 0 || !os::has_ended(care.child)) return;
    care.child = 0;
    const auto lived = clock_.now() - care.started_at;
    care.deaths = lived >= policy_.revive_pause_max ? 1 : care.deaths + 1;
}

Result<void> LocalProvider::keep_running(const LocalInstance& instance) {
    auto& care = cares_[instance.host];
    bury(care);
    if (care.child != 0 || find_program(folder(instance.host) + "/agent.pid", folder(instance.host))) return {};
    if (care.not_before > clock_.now()) return {};
    return start_agent(instance, care);
}

Result<void> LocalProvider::start_agent(const LocalInstance& instance, Care& care) {
    const auto doublings = std::min<std::uint32_t>(care.deaths, 16);
    care.started_at = clock_.now();
    care.not_before = care.started_at + std::min(policy_.revive_pause_max, policy_.revive_pause * (1L << doublings));
    TRY(bus::mint_key(keys(), instance.host, Role::host));
    const auto life = folder(instance.host) + "/incarnation";
    if (!fs::exists(life)) TRY(os::write_file(life, instance.incarnation.value));
    std::error_code ignored;
    if (const auto size = fs::file_size(log(instance.host), ignored); !ignored && size > policy_.log_bytes_max) {
        fs::rename(log(instance.host), log(instance.host) + ".1", ignored);
    }
    care.child = TRY(os::start_program({.arguments = agent_arguments(instance), .output = log(instance.host)})).pid;
    log_info("local.agent_started", {{"host", instance.host}, {"pid", care.child}, {"deaths", care.deaths}, {"log", log(instance.host)}});
    return {};
}

std::vector<std::string> LocalProvider::agent_arguments(const LocalInstance& instance) const {
    std::vector<std::string> arguments{policy_.agent_program,
                                       "--state", folder(instance.host),
                                       "--host-id", instance.host,
                                       "--pool", instance.pool.value,
                                       "--bus", setup_.state + "/bus.toml",
                                       "--keys", keys(),
                                       "--homes", setup_.state + "/homes",
                                       "--launch", instance.launch.value,
                                       "--instance", instance.host,
                                       "--public-ip", "127.0.0.1",
                                       "--private-ip", instance.address,
                                       "--proxy-port", fmt::format("{}", instance.proxy_port),
                                       "--slots", fmt::format("{}", instance.slots)};
    if (!setup_.config.empty()) arguments.insert(arguments.end(), {"--config", setup_.config});
    if (!setup_.log_level.empty()) arguments.insert(arguments.end(), {"--log-level", setup_.log_level});
    return arguments;
}

// ---- terminate

Provided<void> LocalProvider::terminate(const std::string& name, const HostIncarnation& incarnation) {
    if (!is_host_name(name)) return {};  // never ours
    if (read_instance(ended_file(name))) return {};
    const auto instance = read_instance(file(name));
    if (!instance && instance.error().kind == ErrorKind::not_found) return {};
    if (!instance) return provider_error(instance.error());
    if (instance->incarnation != incarnation) return {};  // that life is over; this one was not named
    if (const auto ended = end(*instance); !ended) {
        return tl::make_unexpected(ProviderError{LaunchFailure::lost, ended.error().text});
    }
    return {};
}

Result<void> LocalProvider::end(LocalInstance instance) {
    instance.state = InstanceState::terminating;
    TRY(write_instance(file(instance.host), instance));  // from here on no agent is started
    const auto place = folder(instance.host);
    for (const auto* pid_file : {"/agent.pid", "/proxy.pid"}) {
        if (const auto program = find_program(place + pid_file, place)) {
            TRY(program->end(policy_.agent_stop, policy_.killed_within));
        }
    }
    auto& care = cares_[instance.host];
    // An agent that was started a moment ago and has not written its number yet.
    if (care.child != 0) TRY(os::end_child(care.child, policy_.agent_stop, policy_.killed_within));
    care.child = 0;
    TRY(end_environments(instance));
    if (const auto revoked = bus::revoke_key(keys(), instance.host); !revoked && revoked.error().kind != ErrorKind::not_found) {
        return revoked;
    }
    instance.state = InstanceState::terminated;
    instance.ended_at = clock_.now();
    TRY(write_instance(ended_file(instance.host), instance));
    return forget(instance);
}

Result<void> LocalProvider::end_environments(const LocalInstance& instance) {
    auto arguments = agent_arguments(instance);
    arguments.push_back("--end-environments");
    const auto child = TRY(os::start_program({.arguments = arguments, .output = log(instance.host)}));
    const auto status = TRY(os::wait_for(child.pid, policy_.environments_stop));
    if (status == 0) return {};
    return fail(ErrorKind::unavailable, "the environments of {} could not be ended (exit status {}); see {}", instance.host, status,
                log(instance.host));
}

// Last of all; homes are elsewhere and stay.
Result<void> LocalProvider::forget(LocalInstance instance) {
    const auto place = folder(instance.host);
    if (const auto mounts = TRY(os::mounts_below(place)); !mounts.empty()) {
        return fail(ErrorKind::conflict, "{} is still mounted: its folder stays until that is taken away", mounts.front());
    }
    std::error_code error;
    fs::remove_all(place, error);
    if (error) return fail(ErrorKind::unavailable, "cannot remove {}: {}", place, error.message());
    cares_.erase(instance.host);
    log_info("local.ended", {{"host", instance.host}});
    return {};
}

void LocalProvider::prune_ended(std::vector<LocalInstance> ended) const {
    const auto at = [](const LocalInstance& instance) { return instance.ended_at.value_or(Instant{}); };
    std::sort(ended.begin(), ended.end(), [&](const auto& a, const auto& b) { return at(a) > at(b); });
    for (std::size_t i = 0; i < ended.size(); ++i) {
        if (i < policy_.ended_max && at(ended[i]) + policy_.ended_memory > clock_.now()) continue;
        std::error_code ignored;
        fs::remove(ended_file(ended[i].host), ignored);
        fs::remove(log(ended[i].host), ignored);
        fs::remove(log(ended[i].host) + ".1", ignored);
    }
}

// ---- protect

Provided<void> LocalProvider::protect_one(const std::string& name, Protection protection) {
    if (!is_host_name(name)) return {};
    auto instance = read_instance(file(name));
    if (!instance) return provider_error(instance.error());
    instance->protected_from_scale_in = protection == Protection::on;
    if (const auto written = write_instance(file(name), *instance); !written) return provider_error(written.error());
    return {};
}

}  // namespace berth::scaler
