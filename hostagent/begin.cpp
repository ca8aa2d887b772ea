// SPDX-License-Identifier: Apache-2.0
#include "hostagent/begin.hpp"

#include <signal.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "aws/place.hpp"
#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "hostagent/engines/make_engine.hpp"
#include "hostagent/restic.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::hostagent {

namespace {

constexpr Duration lock_patience{3'000};   // an agent that was asked to end is allowed two seconds
constexpr Duration proxy_patience{3'000};
constexpr Duration look_again{20};
constexpr std::size_t enders_max = 32;     // each may wait for a workspace's grace
constexpr std::uint32_t slots_max = 1'000;
constexpr std::size_t boot_bytes = 4;
constexpr std::size_t incarnation_bytes = 8;

Result<std::string> absolute(const std::string& path) {
    std::error_code error;
    const auto full = std::filesystem::absolute(path, error).lexically_normal();
    if (error || path.empty()) return fail(ErrorKind::invalid, "'{}' is no path", path);
    auto text = full.string();
    if (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

const std::string& engine_name(const Flags& flags, const Settings& settings) {
    return flags.engine.empty() ? settings.shell.engine : flags.engine;
}

bool wait_until(Duration patience, const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= until) return false;
        std::this_thread::sleep_for(look_again);
    }
    return true;
}

Result<void> end_proxies(const std::string& state) {
    const auto none = [&] { return find_all_proxies(state).empty(); };
    for (const int signal : {SIGTERM, SIGKILL}) {
        for (const auto& mark : find_all_proxies(state)) os::send_signal(mark, signal);
        if (wait_until(proxy_patience, none)) return {};
    }
    return fail(ErrorKind::timeout, "the proxy of {} does not end", state);
}

}  // namespace

// ---- the folder

Result<std::unique_ptr<HostFolder>> HostFolder::take(const std::string& given) {
    const auto path = TRY(absolute(given));
    std::error_code error;
    std::filesystem::create_directories(path + "/run", error);
    if (error) return fail(ErrorKind::internal, "cannot make {}: {}", path, error.message());
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    const auto file = path + "/agent.pid";
    auto lock = os::Lock::take(file, lock_patience, os::LockNote::pid);
    if (!lock && lock.error().kind == ErrorKind::conflict) {
        return fail(ErrorKind::conflict, "another berth-hostagent serves from {}; its process id is in {}", path, file);
    }
    if (!lock) return fail(lock.error());
    return std::unique_ptr<HostFolder>{new HostFolder(path, std::move(*lock))};
}

HostFolder::~HostFolder() { ready_.ends(); }

Result<HostIncarnation> HostFolder::incarnation() const {
    const auto file = path_ + "/incarnation";
    auto known = os::read_file(file);
    if (!known && known.error().kind != ErrorKind::not_found) return fail(known.error());
    auto text = known.value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (!text.empty()) return HostIncarnation{text};
    const auto made = random_hex(incarnation_bytes);
    TRY(os::write_file(file, made + "\n"));
    return HostIncarnation{made};
}

// ---- the parts

Result<std::unique_ptr<Engine>> open_engine(const Flags& flags, const Settings& settings) {
    return make_engine({.name = engine_name(flags, settings), .host = flags.host_id,
                        .slots_dir = TRY(absolute(flags.state)) + "/slots", .process_command = settings.shell.process_command,
                        .docker = settings.docker});
}

Result<Process::Parts> gather_parts(const Flags& flags, const Settings& settings, const HostFolder& folder) {
    TRY(check_name("--host-id", flags.host_id));
    for (const auto& [name, value] : {std::pair{"--bus", &flags.bus}, {"--keys", &flags.keys}, {"--homes", &flags.homes}}) {
        if (value->empty()) return fail(ErrorKind::invalid, "{} is missing; see --help", name);
    }
    if (flags.slots == 0 || flags.slots > slots_max) {
        return fail(ErrorKind::invalid, "--slots {} is not within 1 to {}", flags.slots, slots_max);
    }
    const auto& shell = settings.shell;
    Process::Parts parts{.policy = settings.core, .shell = shell};
    parts.setup = {.host = {flags.host_id}, .incarnation = TRY(folder.incarnation()), .slots = flags.slots,
                   .homes = TRY(absolute(flags.homes)), .boot = random_hex(boot_bytes), .scheme = shell.scheme,
                   .apps_domain = shell.apps_domain, .public_domain = shell.public_domain, .public_port = shell.public_port,
                   .plain_address = flags.public_ip.empty() ? "127.0.0.1" : flags.public_ip, .plain_port_first = shell.plain_port_first};
    if (shell.plain_port_first != 0 && shell.plain_port_count < flags.slots) {
        return fail(ErrorKind::invalid, "hostagent.plain_port_count is {}, but this host has {} slots: each needs a port", shell.plain_port_count, flags.slots);
    }
    parts.place = {.state = folder.path(), .pool = {flags.pool}, .instance = flags.instance, .public_ip = flags.public_ip,
                   .private_ip = flags.private_ip};
    if (engine_name(flags, settings) == "docker") parts.setup.sockets = folder.path() + "/slots";
    if (!flags.launch.empty()) parts.place.launch = LaunchId{flags.launch};
    if (parts.place.instance.empty()) parts.place.instance = flags.host_id;
    const auto beside = os::program_folder() + "/berth-proxy";
    parts.proxy = {.program = shell.proxy_program.empty() ? beside : shell.proxy_program,
                   .config = flags.config.empty() ? "" : TRY(absolute(flags.config)), .state = folder.path(),
                   .host = flags.host_id,
                   .listen_address = flags.public_ip.empty() ? "127.0.0.1" : flags.public_ip, .port = flags.proxy_port,
                   .log_level = flags.log_level,
                   .gateway_url_file = std::filesystem::path(flags.bus).parent_path() / "gateway.url"};   // where the control plane is on this machine
    std::error_code error;
    std::filesystem::create_directories(parts.setup.homes, error);
    if (error) return fail(ErrorKind::internal, "cannot make {}: {}", parts.setup.homes, error.message());
    parts.memory = TRY(LocalKv::open(folder.path() + "/kv"));
    parts.engine = TRY(open_engine(flags, settings));
    parts.archiver = std::make_unique<Restic>(ResticSetup{.program = shell.restic_program, .host = parts.setup.host, .state = folder.path(),
                                                          .homes = parts.setup.homes, .deadline = shell.home_deadline,
                                                          .progress_every = shell.home_progress_every});
    if (shell.end_notice_from == "aws") parts.cloud_notice = std::make_unique<CloudNoticeWatch>(TRY(aws::metadata_setup(aws::own_environment())));
    else if (!shell.end_notice_from.empty()) return fail(ErrorKind::invalid, "hostagent.end_notice_from is '{}', but only \"aws\" is known", shell.end_notice_from);
    parts.connection = TRY(bus::read_connection(flags.bus, flags.keys, {flags.host_id, Role::host}));
    return parts;
}

// ---- ending what was started

Result<void> end_environments(const Flags& flags, const Settings& settings) {
    const auto state = TRY(absolute(flags.state));
    const auto proxy = end_proxies(state);
    const auto engine = TRY(open_engine(flags, settings));
    const auto found = TRY(engine->list());
    std::vector<Result<void>> outcomes(found.size());
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> enders;
    for (std::size_t i = 0; i < std::min(enders_max, found.size()); ++i) {
        enders.emplace_back([&] {
            for (auto at = next++; at < found.size(); at = next++) {
                (void)engine->ask_to_end(found[at].container, found[at].slot, settings.core.stop_grace);
                outcomes[at] = engine->remove(found[at].container, found[at].slot, settings.core.remove_deadline);
            }
        });
    }
    for (auto& ender : enders) ender.join();
    log_info("environments.ended", {{"count", found.size()}});
    for (const auto& outcome : outcomes) TRY(outcome);
    return proxy;
}

}  // namespace berth::hostagent
