// SPDX-License-Identifier: Apache-2.0
// berth doctor: looks at each part of this machine's berth and says what to do about what is wrong.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "cli/gateway_client.hpp"
#include "cli/pool_report.hpp"
#include "cli/text.hpp"
#include "cli/up/agreements.hpp"
#include "cli/up/effective.hpp"
#include "cli/up/engine.hpp"
#include "cli/up/hosts.hpp"
#include "cli/up/policy.hpp"
#include "cli/up/processes.hpp"
#include "os/files.hpp"
#include "os/lock.hpp"
#include "os/program.hpp"

namespace berth::cli {

namespace {

constexpr std::uint64_t instances_per_slot = 128;        // what the kernel gives one user of a machine by default
constexpr std::uint32_t failures_many = 3;               // as the allocator's host_failures_max
constexpr std::uint64_t watches_per_slot = 65'536;
constexpr std::uint64_t disk_free_low = 2ULL * 1024 * 1024 * 1024;

BERTH_ENUM(Verdict, good, warning, bad)

struct Finding {
    std::string part;
    Verdict verdict = Verdict::good;
    std::string text;
    std::string advice;
    BERTH_FIELDS(Finding, part, verdict, text, advice)
};

class Doctor {
public:
    explicit Doctor(const Shared& shared) : shared_(shared) {}

    Result<std::vector<Finding>> look() {
        state_ = TRY(shared_.state_folder());
        if (look_at_state()) {
            look_at_config();
            look_at_token();
            look_at_processes();
            look_at_engine();
            look_at_start();
            look_at_watches();
        }
        look_at_gateway();
        return findings_;
    }

private:
    void note(const std::string& part, Verdict verdict, const std::string& text, const std::string& advice = {}) {
        findings_.push_back({part, verdict, text, advice});
    }

    bool look_at_state() {
        struct stat facts = {};
        if (::stat(state_.c_str(), &facts) != 0) {
            note("state", Verdict::bad, state_ + " is not there", "start the system with `berth up`, or name its folder with --state");
            return false;
        }
        if ((facts.st_mode & 0077) != 0) {
            note("state", Verdict::bad, state_ + " is open to other users", "chmod 700 " + shell_quoted(state_));
        } else {
            note("state", Verdict::good, state_);
        }
        const auto free = os::free_bytes(state_);
        note("disk", free < disk_free_low ? Verdict::warning : Verdict::good, fmt::format("{} MiB free", free >> 20),
             free < disk_free_low ? "make room: the ledger and the homes need it" : "");
        return true;
    }

    void look_at_config() {
        const auto path = state_ + "/berth.toml";
        const auto config = Config::load(path);
        if (!config) {
            note("config", Verdict::bad, config.error().text, "`berth up` writes it anew");
            return;
        }
        note("config", Verdict::good, path);
        if (const auto text = os::read_file(path, policy_.config_bytes_max)) config_text_ = *text;
    }

    void look_at_token() {
        const auto path = state_ + "/token";
        struct stat facts = {};
        if (::stat(path.c_str(), &facts) != 0) {
            note("token", Verdict::bad, path + " is not there", "`berth up` mints one");
        } else if ((facts.st_mode & 0077) != 0) {
            note("token", Verdict::bad, path + " can be read by others", "chmod 600 " + shell_quoted(path) + ", then mint a new one");
        } else {
            note("token", Verdict::good, path);
        }
    }

    void look_at_processes() {
        const auto lock = state_ + "/up.lock";
        const bool held = os::is_locked(lock);
        const auto holder = os::lock_holder(lock);
        if (!held) {
            note("up", Verdict::bad, "nothing runs on this state", "berth up --state " + shell_quoted(state_));
            return;
        }
        note("up", Verdict::good, "runs, pid " + holder);
        for (const auto& service : services_of({.state = state_}, "")) {
            struct stat facts = {};
            const auto pid = running_pid(state_ + "/run/" + service.name + ".pid", "berth-" + service.name);
            if (::stat(service.ready.c_str(), &facts) == 0) {
                note(service.name, Verdict::good, pid ? fmt::format("ready, pid {}", *pid) : "ready");
            } else {
                note(service.name, Verdict::bad, pid ? fmt::format("runs (pid {}) but is not ready", *pid) : "does not run",
                     "its log says why: tail " + shell_quoted(service.log));
            }
        }
    }

    void look_at_engine() {
        if (text_in(config_text_, "hostagent", "engine", "docker") == "process") {
            note("engine", Verdict::warning, "workspaces run as plain processes, not isolated from each other",
                 "install a container engine (apt-get install docker.io) and start `berth up` again");
            return;
        }
        const auto socket = text_in(config_text_, "docker", "socket", std::string{default_docker_socket});
        const docker::Client engine(socket);
        const auto answer = ask_engine(engine, policy_.engine_answers_within);
        if (answer.api.empty()) {
            note("engine", Verdict::bad, fmt::format("{}: {}", socket, answer.problem.empty() ? "not there" : answer.problem),
                 "start the container engine, or stop `berth up` and start it again");
            return;
        }
        note("engine", Verdict::good, fmt::format("{} answers, API {}", socket, answer.api));
        const auto image = text_in(config_text_, "docker", "image", std::string{default_image});
        const auto there = engine.has_image(image);
        if (there && *there) {
            note("image", Verdict::good, image);
        } else {
            note("image", Verdict::bad, there ? image + " is not there" : there.error().text,
                 "build it with script/image and start `berth up --image-tar FILE`");
        }
    }

    // What a claim needs, tried: an environment is started, given a home and removed.
    void look_at_start() {
        const auto folder = state_ + "/trial";
        const auto output = folder + "/output";
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        (void)os::remove_file(output);
        remark("doctor: trying to start an environment");
        const auto mark = os::start_program({.arguments = {os::program_folder() + "/berth-hostagent", "--config", state_ + "/berth.toml", "--state", folder,
                                                           "--host-id", "trial", "--homes", state_ + "/homes", "--log-level", "error", "--try-start"},
                                             .output = output});
        const auto status = mark ? os::wait_for(mark->pid, policy_.trial_within) : fail(mark.error());
        auto said = os::read_file(output, policy_.config_bytes_max).value_or("");
        std::replace(said.begin(), said.end(), '\n', ' ');
        while (!said.empty() && said.back() == ' ') said.pop_back();
        if (status && *status == 0) {
            note("start", Verdict::good, "an environment and its home: " + said);
        } else {
            note("start", Verdict::bad, "no environment can be started: " + (status ? said : status.error().text),
                 "claims will fail or wait until this works; `berth doctor` tries again");
        }
    }

    // Every workspace has the same uid, and the kernel counts these per uid.
    void look_at_watches() {
        const auto limit_of = [](const std::string& name) {
            const auto text = os::read_file("/proc/sys/fs/inotify/" + name);
            return text ? std::strtoull(text->c_str(), nullptr, 10) : 0ULL;
        };
        const auto hosts = std::max<std::size_t>(1, local_hosts(state_).size());
        const auto slots = hosts * static_cast<std::uint64_t>(number_in(config_text_, "pool.default", "slots_per_host", 4));
        const std::pair<const char*, std::uint64_t> needs[] = {{"max_user_instances", instances_per_slot * slots}, {"max_user_watches", watches_per_slot * slots}};
        for (const auto& [name, need] : needs) {
            const auto limit = limit_of(name);
            if (limit == 0 || limit >= need) continue;
            note("watches", Verdict::warning, fmt::format("fs.inotify.{} is {} for {} slots that share one uid: one workspace that watches many files leaves none to the others", name, limit, slots),
                 fmt::format("sysctl -w fs.inotify.{}={}", name, need));
        }
    }

    void look_at_gateway() {
        auto gateway = GatewayClient::find(shared_);
        if (!gateway) {
            note("gateway", Verdict::bad, gateway.error().text, "berth up");
            return;
        }
        RealClock clock;
        const auto begun = clock.now();
        const auto health = gateway->health();
        const auto took = clock.now() - begun;
        if (!health) {
            note("gateway", Verdict::bad, health.error().text, "its log says why: tail " + shell_quoted(state_ + "/log/gateway.log"));
            return;
        }
        note("gateway", Verdict::good, fmt::format("{} says {} in {} ms", gateway->url(), text_at(*health, "status"), took.count()));
        const auto hosts = gateway->hosts();
        if (!hosts) {
            note("access", Verdict::bad, hosts.error().text, "check the token that is used");
            return;
        }
        note("access", Verdict::good, "the token is accepted");
        if (const auto status = gateway->totals()) {
            look_at_ledger(*status);
            look_at_bus(*status);
        }
        if (auto pools = gateway->pools()) look_at_pools(*pools);
        look_at_hosts(*hosts);
    }

    void look_at_ledger(const Json& status) {
        if (const auto by = text_at(status, "doubted_by"); !by.empty()) {
            note("ledger", Verdict::bad, fmt::format("it is an old copy: host {} has seen more than it holds", by),
                 "stop, run `berth-allocator recover` and start again: docs/restore.md");
        } else if (const auto* unmet = find(status, "unmet")) {
            note("ledger", Verdict::warning, fmt::format("it was recovered, and waits for {} to tell what they hold", unmet->dump()),
                 "a machine that is gone for good is passed over once its provider says so");
        } else {
            note("ledger", Verdict::good, fmt::format("{} at position {}", text_at(status, "ledger"), text_at(status, "position")));
        }
    }

    // What the broker did not pass on, since its start: each is somebody's message that went nowhere.
    void look_at_bus(const Json& status) {
        const auto* counters = find(status, "broker");
        if (counters == nullptr) return;         // the gateway has not heard it yet
        std::string lost;
        for (const auto* name : {"denied", "malformed", "oversized", "unknown_sender", "over_limit", "slow_receiver", "subscription_floods"}) {
            const auto* count = find(*counters, name);
            if (count != nullptr && *count != 0) lost += fmt::format("{}{} {}", lost.empty() ? "" : ", ", count->dump(), name);
        }
        const auto passed = text_at(*counters, "requests") + " requests and " + text_at(*counters, "events") + " events passed on";
        note("bus", lost.empty() ? Verdict::good : Verdict::warning, lost.empty() ? passed : passed + "; not: " + lost,
             lost.empty() ? "" : "its log names senders and reasons: grep message.refused " + shell_quoted(state_ + "/log/broker.log"));
    }

    void look_at_pools(const Json& pools) {
        for (const auto& pool : pools) {
            for (const auto& [text, way] : provider_says(pool)) note("pool " + text_at(pool, "pool"), Verdict::warning, text, way);
        }
    }

    void look_at_hosts(const Json& known) {
        std::map<std::string, std::string> liveness;
        for (const auto& host : known) liveness[text_at(host, "host")] = text_at(host, "liveness");
        const auto live = std::count_if(liveness.begin(), liveness.end(), [](const auto& host) { return host.second == "live"; });
        for (const auto& host : known) {
            if (const auto why = text_at(host, "impaired"); !why.empty()) {
                note(text_at(host, "host"), Verdict::bad, "it can start nothing: " + why, "no claim is placed there until it can; it tries again by itself");
            } else if (const auto* failures = find(host, "failures"); failures != nullptr && *failures >= failures_many) {
                note(text_at(host, "host"), Verdict::warning, fmt::format("{} starts failed in a row, the last {}", failures->dump(), text_at(host, "failed_at")),
                     "claims pass it over for some minutes; `berth why " + text_at(host, "host") + "` says more");
            }
        }
        note("hosts", live > 0 ? Verdict::good : Verdict::warning, fmt::format("{} live", live),
             live > 0 ? "" : "one is started at the first claim, or by the buffer; `berth pools` shows the limits");
        for (const auto& host : known) look_at_reach(host);
        for (const auto& host : local_hosts(state_)) {
            const auto at = liveness.find(host.name);
            const bool is_live = at != liveness.end() && at->second == "live";
            if (host.agents.empty() && host.proxies.empty()) continue;  // one that ended long ago
            const auto log = state_ + "/log/" + host.name + ".log";
            if (!is_live) {
                note(host.name, Verdict::bad,
                     fmt::format("{} but is {}", host.agents.empty() ? "its proxy runs" : "its agent runs",
                                 at == liveness.end() ? "not registered" : at->second) +
                         reason_in(log),
                     "its log says more: tail " + shell_quoted(log));
            } else if (host.proxies.empty()) {
                note(host.name, Verdict::bad, "has no proxy: its workspaces can not be reached" + reason_in(log), "tail " + shell_quoted(log));
            }
        }
    }

    // Of a machine that enrolled: the gateway tries its proxy as a browser would.
    void look_at_reach(const Json& host) {
        const auto* reach = find(host, "reach");
        if (reach == nullptr || text_at(host, "liveness") != "live") return;
        if (text_at(*reach, "ok") == "true") return note(text_at(host, "host"), Verdict::good, "its proxy is reached at " + text_at(host, "public_ip"));
        note(text_at(host, "host"), Verdict::warning, text_at(*reach, "why"), "docs/machines.md: what is said when it does not work");
    }

    // ": why" of the last line of that log that is more than information; "" when it does not say.
    static std::string reason_in(const std::string& log) {
        const auto lines = last_lines(log, 50);
        for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
            const auto entry = Json::parse(*line, nullptr, false);
            const auto level = text_at(entry, "level");
            if ((level == "warn" || level == "error") && !text_at(entry, "why").empty()) return ": " + text_at(entry, "why");
        }
        return {};
    }

    Shared shared_;
    UpPolicy policy_;
    std::string state_;
    std::string config_text_;
    std::vector<Finding> findings_;
};

std::string mark_of(Verdict verdict, bool colour) {
    switch (verdict) {
        case Verdict::good: return colour ? "\033[32mok  \033[0m" : "ok  ";
        case Verdict::warning: return colour ? "\033[33mwarn\033[0m" : "warn";
        case Verdict::bad: break;
    }
    return colour ? "\033[31mBAD \033[0m" : "BAD ";
}

Result<Exit> run(const Shared& shared) {
    const auto look = TRY(shared.look());
    const auto findings = TRY(Doctor(shared).look());
    bool bad = false;
    auto rows = Json::array();
    for (const auto& finding : findings) {
        bad = bad || finding.verdict == Verdict::bad;
        rows.push_back({{"part", finding.part},
                        {"verdict", std::string{to_string(finding.verdict)}},
                        {"text", finding.text},
                        {"advice", finding.advice}});
        if (look.format == Format::table) {
            print(fmt::format("{}  {:<10}  {}\n", mark_of(finding.verdict, look.colour), finding.part, printable(finding.text)));
            if (!finding.advice.empty()) print(fmt::format("                  → {}\n", printable(finding.advice)));
        }
    }
    if (look.format != Format::table) print(to_pretty_json(rows));
    return bad ? Exit::failed : Exit::ok;
}

}  // namespace

void add_doctor(Commands& commands) {
    auto* command = commands.add("doctor", "Machines", "Check each part and say what to do", "berth doctor");
    commands.add_output(command, {"table", "json"});
    commands.set_action(command, [&commands] { return run(commands.shared()); });
}

}  // namespace berth::cli
