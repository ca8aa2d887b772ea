// SPDX-License-Identifier: Apache-2.0
#include "cli/up/up.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include "base/outside_text.hpp"
#include "bus/keys.hpp"
#include "cli/command.hpp"
#include "cli/text.hpp"
#include "cli/up/agreements.hpp"
#include "cli/up/effective.hpp"
#include "cli/up/engine.hpp"
#include "cli/up/hosts.hpp"
#include "cli/up/seed.hpp"
#include "cli/up/operator_token.hpp"
#include "cli/up/processes.hpp"
#include "cli/up/state.hpp"
#include "cli/up/supervisor.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::cli {

namespace {

// What the children inherit: all but the settings that a flag overrides.
std::vector<std::string> environment_without(const std::vector<Setting>& settings) {
    auto kept = os::own_environment();
    std::erase_if(kept, [&](const std::string& line) {
        return std::any_of(settings.begin(), settings.end(),
                           [&](const Setting& setting) { return line.starts_with(environment_name(setting) + "="); });
    });
    return kept;
}

class Up {
public:
    explicit Up(const UpFlags& flags) : flags_(flags), say_(clock_) {}

    Result<Exit> run();

private:
    Result<void> make_ready();
    Result<void> look_at_disk();
    Result<void> end_leftovers();
    Result<void> mint();
    Result<void> find_engine();
    Result<void> start_private_engine();
    Result<void> write_config();
    Result<void> bring_environment();
    Result<void> bring_image();
    Result<void> start_services();
    void print_ready();
    void stop();
    void stop_hosts(Instant deadline);
    std::size_t remove_containers(Instant deadline);
    void end_environments(const std::vector<LocalHost>& hosts, Instant deadline);
    void stop_private_engine();
    std::string path(const std::string& below) const { return flags_.state + "/" + below; }
    /// Its calls end early once someone asked that often to stop.
    docker::Client engine_at(const std::string& socket, unsigned stops) {
        return docker::Client({.socket = socket, .give_up = [this, stops] { return signals_.stops() >= stops; }});
    }

    UpFlags flags_;
    UpPolicy policy_;
    RealClock clock_;
    Signals signals_;
    Say say_;
    std::optional<os::Lock> lock_;
    std::string user_toml_;
    std::vector<Setting> settings_;       // what flags and the engine found say, over the user's file
    std::string config_text_;
    EngineChoice engine_;
    std::optional<Supervisor> supervisor_;
};

Result<Exit> Up::run() {
    ::umask(0077);
    // Hosts outlive the scaler that starts them; as their new parent, `up` sees and ends them all.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const auto ready = make_ready();
    if (!ready || signals_.stops() > 0) {
        const bool asked = signals_.stops() > 0;
        if (supervisor_) stop();
        if (asked) return Exit::interrupted;
        return fail(ready.error());
    }
    print_ready();
    supervisor_->run();
    stop();
    return Exit::ok;
}

Result<void> Up::make_ready() {
    say_.step("state", flags_.state);
    if (flags_.state.size() > policy_.socket_path_max) {
        say_.warn("state", fmt::format("the path is over {} characters: a private dockerd could not make its sockets there",
                                       policy_.socket_path_max));
    }
    TRY(make_folders(flags_.state));
    TRY(look_at_disk());
    lock_ = TRY(lock_state(flags_.state));
    if (!flags_.config.empty()) user_toml_ = TRY(os::read_file(flags_.config, policy_.config_bytes_max));
    settings_ = TRY(seed_settings([](const char* name) { return environment_text(name); }, user_toml_));
    for (const auto& setting : settings_) say_.step("environment", fmt::format("{} became [{}] {} = {}", setting.from, setting.section, setting.key, setting.value));
    for (auto& setting : TRY(settings_of(flags_))) settings_.push_back(std::move(setting));
    config_text_ = TRY(effective_config(user_toml_, flags_.config, settings_));
    TRY(check_port_is_free(static_cast<std::uint32_t>(number_in(config_text_, "gateway", "port", 9092))));
    supervisor_.emplace(clock_, policy_, signals_, say_, environment_without(settings_));
    TRY(end_leftovers());
    TRY(mint());
    TRY(find_engine());
    TRY(write_config());
    TRY(bring_environment());
    return start_services();
}

Result<void> Up::look_at_disk() {
    const auto free = os::free_bytes(flags_.state);
    if (free < policy_.disk_free_least) {
        return fail(ErrorKind::limit, "only {} KiB are free on the disk of {}; the ledger and the homes need room. Make some, or "
                                      "choose another folder with --state DIR", free >> 10, flags_.state);
    }
    if (free < policy_.disk_free_low) say_.warn("disk", fmt::format("only {} MiB are free on the disk of {}", free >> 20, flags_.state));
    return {};
}

Result<void> Up::end_leftovers() {
    std::vector<pid_t> left;
    for (const auto& service : services_of(flags_, os::program_folder())) {
        if (const auto pid = running_pid(path("run/" + service.name + ".pid"), "berth-" + service.name)) left.push_back(*pid);
    }
    if (left.empty()) return {};
    say_.warn("leftovers", fmt::format("ending {} processes of an `up` that was killed", left.size()));
    supervisor_->end_pids(left, clock_.now() + policy_.hurry_within);
    return {};
}

Result<void> Up::mint() {
    std::string names;
    for (const auto& wanted : keys_of_one_machine()) {
        TRY(bus::mint_key(path("keys"), wanted.name, wanted.role));
        names += (names.empty() ? "" : ", ") + wanted.name;
    }
    say_.step("keys", names);
    TRY(mint_operator_token(flags_.state, clock_.now()));
    say_.step("token", path("token") + " (0600), for the command line and the dashboard");
    return {};
}

Result<void> Up::find_engine() {
    const auto from_environment = environment_text;
    EngineFacts facts;
    facts.private_socket = path("docker/docker.sock");
    facts.dockerd = os::program_on_path("dockerd");
    facts.is_root = ::geteuid() == 0;
    const auto own = running_pid(path("docker/docker.pid"), "dockerd");
    for (const auto pid : running_here("dockerd")) {
        if (pid != own) facts.other_dockerd = pid;
    }
    facts.named = !named_socket(from_environment("DOCKER_HOST")).empty();
    if (flags_.engine != EngineWanted::process) {
        for (const auto& socket : sockets_to_ask(from_environment("DOCKER_HOST"), from_environment("XDG_RUNTIME_DIR"),
                                                 facts.private_socket)) {
            facts.answers.push_back(ask_engine(engine_at(socket, 1), policy_.engine_answers_within));
            if (!facts.answers.back().api.empty()) break;
        }
    }
    engine_ = TRY(choose_engine(flags_.engine, facts));
    if (engine_.kind == EngineKind::use_process && flags_.engine == EngineWanted::automatic) {
        say_.warn("engine", engine_.said);
    } else {
        say_.step("engine", engine_.said);
    }
    return engine_.kind == EngineKind::start_docker ? start_private_engine() : Result<void>{};
}

Result<void> Up::start_private_engine() {
    const auto folder = path("docker");
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    // dockerd refuses to start while a pid file of a former life is there.
    if (!running_pid(folder + "/docker.pid", "dockerd")) std::filesystem::remove(folder + "/docker.pid", error);
    std::filesystem::remove(engine_.socket, error);
    const auto begun = clock_.now();
    // It is no child that dies with `up`: containers go on until the next `up` finds them.
    const os::ProgramOrder order{.arguments = dockerd_arguments(os::program_on_path("dockerd"), folder), .output = path("log/dockerd.log")};
    const auto mark = TRY(os::start_program(order));
    const auto docker = engine_at(engine_.socket, 1);
    const auto answers = [&] { return !ask_engine(docker, policy_.engine_answers_within).api.empty(); };
    const bool good = supervisor_->wait_until([&] { return !os::runs(mark) || answers(); },
                                              begun + policy_.engine_ready_within, OnStop::give_up);
    if (good && os::runs(mark)) {
        say_.step("engine", fmt::format("private dockerd answers after {} (pid {}); data in {}/data",
                                        elapsed(clock_.now() - begun), mark.pid, folder));
        return {};
    }
    std::string lines;
    for (const auto& line : last_lines(order.output, policy_.log_lines_shown)) lines += "\n    " + line;
    return fail(ErrorKind::unavailable, "a private dockerd did not start; its last words in {}:{}\n  --engine process does without",
                order.output, lines);
}

Result<void> Up::write_config() {
    if (engine_.kind == EngineKind::use_process) {
        settings_.push_back({"hostagent", "engine", "process", "the engine found"});
    } else {
        settings_.push_back({"hostagent", "engine", "docker", "the engine found"});
        settings_.push_back({"docker", "socket", engine_.socket, "the engine found"});
        if (text_in(config_text_, "docker", "cluster", "").empty()) {
            settings_.push_back({"docker", "cluster", cluster_of(flags_.state), "the state folder"});
        }
        if (!flags_.image_tar.empty()) settings_.push_back({"docker", "image_tar", flags_.image_tar, "--image-tar"});
    }
    config_text_ = TRY(effective_config(user_toml_, flags_.config, settings_));
    TRY(os::write_file(path("berth.toml"), config_text_, 0600));
    say_.step("config", fmt::format("{}, from {}", path("berth.toml"),
                                    flags_.config.empty() ? std::string{"the defaults"} : flags_.config));
    return {};
}

// What a workspace is made of must be there before a host looks for it.
Result<void> Up::bring_environment() {
    if (engine_.kind != EngineKind::use_process) return bring_image();
    const auto command = text_in(config_text_, "hostagent", "process_command", "");
    const auto program = command.substr(0, command.find(' '));
    if (program.empty() || ::access(program.c_str(), X_OK) == 0) return {};
    return fail(ErrorKind::not_found, "hostagent.process_command: cannot run {}. script/code-server builds code-server and prints "
                                      "where it is; without this setting workspaces are berth's own small stand-in", program);
}

Result<void> Up::bring_image() {
    const auto image = text_in(config_text_, "docker", "image", std::string{default_image});
    const auto docker = engine_at(engine_.socket, 1);
    if (TRY(docker.has_image(image))) {
        say_.step("image", image + " is there");
        return {};
    }
    if (flags_.image_tar.empty()) {
        return fail(ErrorKind::not_found, "the engine at {} has no image {}. script/image builds one as a tar; start again with "
                                          "--image-tar FILE, or use script/up, which does both", engine_.socket, image);
    }
    const auto begun = clock_.now();
    std::uint64_t shown = 0;
    const auto progress = [&](std::uint64_t sent, std::uint64_t total) {
        if (total == 0 || sent - shown < total / 50) return;
        shown = sent;
        say_.progress("image", fmt::format("importing {}: {} %", image, sent * 100 / total));
    };
    TRY(docker.import_image(flags_.image_tar, image, image_changes(), policy_.image_within, progress));
    say_.step("image", fmt::format("{} imported from {} in {}", image, flags_.image_tar, elapsed(clock_.now() - begun)));
    return {};
}

Result<void> Up::start_services() {
    for (const auto& service : services_of(flags_, os::program_folder())) {
        TRY(supervisor_->start(service));
        if (signals_.stops() > 0) return {};
    }
    return {};
}

void Up::print_ready() {
    const auto for_others = first_line_of(path("gateway.public_url"));
    const auto url = for_others.empty() ? first_line_of(path("gateway.url")) : for_others;
    const auto home_state = state_folder("", {{"HOME", environment_text("HOME")}}, "/");
    auto berth = os::program_on_path("berth");
    std::error_code error;
    berth = !berth.empty() && std::filesystem::equivalent(berth, os::program_folder() + "/berth", error) ? "berth" : os::program_folder() + "/berth";
    if (!home_state || *home_state != flags_.state) berth += " --state " + shell_quoted(flags_.state);
    print(fmt::format(
        "\nberth is ready\n\n"
        "  gateway    {0}\n"
        "  dashboard  {0}/dashboard\n"
        "  logs       {1}/log\n\n"
        "Next, in another terminal:\n\n"
        "  {2} claim my-project --open\n"
        "  {2} list\n"
        "  {2} tap\n\n"
        "Ctrl-C stops everything and keeps every workspace's files.\n",
        url, flags_.state, berth));
}

void Up::stop() {
    const auto begun = clock_.now();
    const auto deadline = begun + policy_.stop_within;
    say_.step("stop", "ending what was started; Ctrl-C again hurries");
    supervisor_->end("scaler", deadline);
    stop_hosts(deadline);
    supervisor_->end_all(deadline);
    stop_private_engine();
    const auto left = descendants_of(::getpid());
    if (!left.empty()) supervisor_->end_pids(left, std::max(deadline, clock_.now() + policy_.killed_within));
    for (const auto& point : unmount_below(flags_.state)) say_.warn("stop", "still mounted: " + point);
    say_.step("stop", fmt::format("done in {}; all state is kept in {}", elapsed(clock_.now() - begun), flags_.state));
}

void Up::stop_hosts(Instant deadline) {
    const auto hosts = local_hosts(flags_.state);
    std::vector<pid_t> pids;
    for (const auto& host : hosts) {
        pids.insert(pids.end(), host.agents.begin(), host.agents.end());
        pids.insert(pids.end(), host.proxies.begin(), host.proxies.end());
    }
    if (!pids.empty()) supervisor_->end_pids(pids, deadline);
    std::size_t containers = 0;
    if (engine_.kind != EngineKind::use_process && !engine_.socket.empty()) {
        containers = remove_containers(deadline);
    } else if (engine_.kind == EngineKind::use_process) {
        end_environments(hosts, deadline);
    }
    if (!pids.empty() || containers > 0) {
        const auto also = engine_.kind == EngineKind::use_process ? std::string{"their environments"}
                                                                  : fmt::format("{} containers", containers);
        say_.step("stop", fmt::format("{} host processes and {} ended", pids.size(), also));
    }
}

// All at once and by their label: sooner done than host by host. And again until nothing is left: an engine
// goes on with what an agent had asked of it. Its network too, since a bridge outlives even its dockerd, and
// an engine has addresses for some thirty of them.
std::size_t Up::remove_containers(Instant deadline) {
    const auto docker = engine_at(engine_.socket, 2);
    const auto label = container_label(text_in(config_text_, "docker", "cluster", ""));
    std::set<std::string> found;
    Result<bool> clean = false;
    std::string trouble;
    const auto look = [&]() -> Result<bool> {
        const auto within = std::max(deadline - clock_.now(), policy_.hurry_within);
        std::vector<std::string> ids;
        for (const auto& container : TRY(docker.containers({label}))) ids.push_back(container.id);
        found.insert(ids.begin(), ids.end());
        docker.remove_containers(ids, within);
        const auto none = docker.remove_networks(label, within);
        trouble = none ? "" : none.error().text + "; ";   // it may be only now: another prune, a lock of iptables
        return none && *none && ids.empty();
    };
    const auto ended = [&] { return !(clean = look()) || *clean; };
    supervisor_->wait_until(ended, std::max(deadline, clock_.now() + policy_.hurry_within), OnStop::go_on);
    if (!clean) say_.warn("stop", clean.error().text);
    else if (!*clean) say_.warn("stop", fmt::format("{1}something of it is left in the container engine: docker ps -a --filter label={0}; "
                                                    "docker network ls --filter label={0}", label, trouble));
    return found.size();
}

// Environments that are plain processes live on without their agent; it knows them again.
void Up::end_environments(const std::vector<LocalHost>& hosts, Instant deadline) {
    std::vector<pid_t> enders;
    for (const auto& host : hosts) {
        const auto mark = os::start_program({.arguments = ending_arguments(flags_.state, host.name, os::program_folder()),
                                             .environment = environment_without(settings_),
                                             .output = path("log/" + host.name + ".log"), .when_parent_dies = SIGTERM});
        if (mark) {
            enders.push_back(mark->pid);
        } else {
            say_.warn("stop", mark.error().text);
        }
    }
    const auto done = [&] { return std::none_of(enders.begin(), enders.end(), is_alive); };
    if (supervisor_->wait_until(done, deadline, OnStop::go_on)) return;
    say_.warn("stop", "the environments of some hosts did not end in time");
    supervisor_->end_pids(enders, deadline);
}

void Up::stop_private_engine() {
    const auto pid = running_pid(path("docker/docker.pid"), "dockerd");
    if (!pid) return;
    supervisor_->end_pids({*pid}, clock_.now() + policy_.engine_stops_within);
    say_.step("stop", "the private dockerd ended");
}

}  // namespace

Result<Exit> run_up(const UpFlags& flags) { return Up(flags).run(); }

}  // namespace berth::cli
