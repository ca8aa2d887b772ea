// SPDX-License-Identifier: Apache-2.0
#include "cli/instances.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/ids.hpp"
#include "base/outside_text.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/text.hpp"
#include "cli/up/config_file.hpp"
#include "instances/desk.hpp"
#include "os/files.hpp"

namespace berth::cli {

namespace {

using instances::Rental;

std::string hints_file(const std::string& state) { return state + "/instances.regions"; }

void hint_at(const Shared& shared, const std::string& region) {
    auto known = hinted_regions(shared);
    if (std::find(known.begin(), known.end(), region) != known.end()) return;
    const auto state = shared.state_folder();
    if (!state) return;
    known.push_back(region);
    std::error_code error;
    std::filesystem::create_directories(*state, error);
    // Without it `list --region` finds it all the same.
    if (const auto written = os::write_file(hints_file(*state), fmt::format("{}\n", fmt::join(known, "\n")), os::mode_of_notices); !written) remark(written.error().text);
}

struct SshFlags {
    std::string id;
    std::string identity;
    std::vector<std::string> command;
};

/// The system's ssh takes this process's place: its exit code, its terminal, its questions.
Result<Exit> run_ssh(const Rental& rental, const SshFlags& flags) {
    if (rental.state != "running") return fail(ErrorKind::conflict, "{} is {}; `berth start --instance-id {}` starts it", rental.id, rental.state, rental.id);
    if (rental.key.empty()) return fail(ErrorKind::denied, "nobody can sign in to {}: it was made without --public-key", rental.id);
    if (rental.address.empty()) return fail(ErrorKind::unavailable, "{} has no public address; the subnet that it is in gives none", rental.id);
    std::vector<std::string> words{"ssh", "-o", "HostKeyAlias=" + rental.id};
    if (!flags.identity.empty()) words.insert(words.end(), {"-i", flags.identity});
    words.push_back(fmt::format("{}@{}", rental.ssh_user, rental.address));
    words.insert(words.end(), flags.command.begin(), flags.command.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp("ssh", arguments.data());
    return fail(ErrorKind::not_found, "cannot run ssh: {}; it is in the package openssh-client", std::strerror(errno));
}

std::string ssh_line(const Rental& rental) {
    return rental.key.empty() || rental.address.empty() ? std::string{} : fmt::format("ssh {}@{}", rental.ssh_user, rental.address);
}

Json to_json(const Rental& rental, Instant now) {
    const auto time = [](const std::optional<Instant>& at) { return at && *at != Instant{} ? Json(to_rfc3339(*at)) : Json(); };
    return {{"instance", rental.id}, {"name", rental.name}, {"state", rental.state}, {"type", rental.type}, {"zone", rental.zone}, {"address", rental.address},
            {"user", rental.ssh_user}, {"ssh", ssh_line(rental)}, {"expires_at", time(rental.expires_at)}, {"spot", rental.spot},
            {"cost_per_hour", rental.price == 0 ? Json() : Json(static_cast<double>(rental.price) / 1e6)},
            {"cost_so_far", rental.price == 0 ? Json() : Json(static_cast<double>(instances::cost_so_far(rental, now)) / 1e6)},
            {"created_at", time(rental.created_at)}, {"created_by", rental.created_by}, {"reason", rental.reason}};
}

std::vector<Column> instance_columns(Instant now) {
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    const auto money = [](const char* key) {
        return [key](const Json& row) {
            const auto* amount = find(row, key);
            return amount == nullptr || !amount->is_number() ? std::string{"?"} : aws::dollars(static_cast<aws::Microdollars>(amount->get<double>() * 1e6 + 0.5));
        };
    };
    return {{"INSTANCE", text("instance")},
            {"NAME", text("name")},
            {"STATE", text("state")},
            {"TYPE", text("type")},
            {"ZONE", text("zone")},
            {"ADDRESS", text("address")},
            {"USER", text("user"), Shown::wide},
            {"SSH", text("ssh"), Shown::wide},
            {"STOPS", [now](const Json& row) {
                 const auto at = from_rfc3339(text_at(row, "expires_at"));
                 const auto state = text_at(row, "state");
                 return !at || (state != "running" && state != "pending") ? std::string{"-"} : relative(*at, now);
             }},
            {"$/HOUR", money("cost_per_hour"), Shown::always, Align::right},
            {"SO FAR", money("cost_so_far"), Shown::always, Align::right},
            {"SPOT", text("spot"), Shown::wide},
            {"BY", text("created_by"), Shown::wide},
            {"REASON", text("reason"), Shown::wide}};
}

Result<Exit> print_one(const Shared& shared, const Rental& rental) {
    auto look = TRY(shared.look());
    if (look.format == Format::table) look.format = Format::wide;       // one has room for all of it
    const auto now = RealClock{}.now();
    print(TRY(render_one(instance_columns(now), to_json(rental, now), "instance", look)));
    return Exit::ok;
}

/// What happens, for a person: one moving line on a terminal, one line per phase elsewhere.
class Narrator {
public:
    void tell(const std::string& phase) {
        const auto text = fmt::format("{:>6}  {}", elapsed(clock_.now() - begun_), phase);
        if (spinner_.moves()) return spinner_.show(text);
        if (phase != last_) remark(text);
        last_ = phase;
    }
    void clear() { spinner_.clear(); }

private:
    RealClock clock_;
    Instant begun_ = clock_.now();
    Spinner spinner_;
    std::string last_;
};

/// The desk with what it needs around it.
struct Counter {
    RealClock clock;
    Narrator narrator;
    std::optional<instances::Desk> desk;

    static Result<std::unique_ptr<Counter>> open(const Shared& shared) {
        auto made = std::make_unique<Counter>();
        auto* narrator = &made->narrator;
        made->desk.emplace(made->clock, aws::own_environment(), TRY(instances_policy()),
                           instances::Desk::Watcher{.tell = [narrator](const std::string& phase) { narrator->tell(phase); }, .give_up = Interrupt::seen, .pause = pause_or_interrupt});
        made->desk->hint(hinted_regions(shared));
        return made;
    }
};

Result<aws::PublicKey> read_key(const std::string& flag) {
    if (flag.starts_with("ssh-") || flag.find(' ') != std::string::npos) return aws::read_public_key(flag, "--public-key");
    std::error_code error;
    if (std::filesystem::is_directory(flag, error)) return fail(ErrorKind::invalid, "--public-key {} is a folder; name the .pub file in it", flag);
    const auto text = os::read_file(flag);
    if (!text) return fail(ErrorKind::invalid, "--public-key: {}; `ssh-keygen -t ed25519` makes one", text.error().text);
    return aws::read_public_key(*text, flag);
}

}  // namespace

std::string InstanceFlags::first_given() const {
    const std::pair<const char*, const std::string*> texts[] = {{"--instance-type", &instance_type}, {"--availability-zone", &zone}, {"--public-key", &public_key}, {"--image", &image},
                                                                {"--ssh-user", &ssh_user}, {"--security-group", &security_group}, {"--name", &name}};
    for (const auto& [flag, value] : texts) {
        if (!value->empty()) return flag;
    }
    return spot ? "--spot" : encrypt ? "--encrypt-volume" : "";
}

void add_instance_flags(CLI::App* command, InstanceFlags& flags) {
    command->add_option("--provider", flags.provider, "of an instance: aws (default: aws)");
    command->add_option("--instance-type", flags.instance_type, "of an instance (default: t2.nano)");
    command->add_option("--availability-zone", flags.zone, "of an instance (default: us-east-1a)");
    command->add_option("--public-key", flags.public_key, "who may sign in to the instance by ssh: a file, or the key itself")->type_name("KEY");
    command->add_option("--image", flags.image, "of an instance: an id, or owner/name with '*' (default: Canonical's newest Ubuntu 24.04)");
    command->add_option("--ssh-user", flags.ssh_user, "the user that this image has (default: ubuntu)");
    command->add_flag("--spot", flags.spot, "as a spot instance, and on demand when there is none");
    command->add_flag("--encrypt-volume", flags.encrypt, "with an encrypted disk");
    command->add_option("--security-group", flags.security_group, "an id or a name, instead of the one that berth makes: port 22 alone");
    command->add_option("--name", flags.name, "of an instance (default: berth-$USER)");
}

Result<instances::Policy> instances_policy() {
    const auto config = TRY(Config::load(config_file("")));
    return read_section<instances::Policy>(config, "instances");
}

std::vector<std::string> hinted_regions(const Shared& shared) {
    const auto state = shared.state_folder();
    const auto text = state ? os::read_file(hints_file(*state)) : Result<std::string>{std::string{}};
    std::vector<std::string> regions;
    if (!text) return regions;
    for (const auto& line : split(*text, '\n')) {
        if (aws::check_region(line)) regions.push_back(line);
    }
    return regions;
}

bool has_made_instances(const Shared& shared) { return !hinted_regions(shared).empty(); }

void pause_or_interrupt(Duration wait) {
    pollfd interrupt{Interrupt::fd(), POLLIN, 0};
    ::poll(&interrupt, 1, static_cast<int>(wait.count()));
}

bool is_of_ec2(const Shared& shared, const std::string& id) {
    const bool shaped = id.size() >= 10 && id.size() <= 19 && id.starts_with("i-") && id.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
    if (!shaped) return false;
    auto gateway = GatewayClient::find(shared);
    if (!gateway) return true;
    const auto hosts = gateway->hosts();
    return !hosts || std::none_of(hosts->begin(), hosts->end(), [&](const Json& host) { return text_at(host, "instance") == id || text_at(host, "host") == id; });
}

Result<Exit> create_instance(const Shared& shared, const InstanceFlags& flags) {
    if (!flags.provider.empty() && flags.provider != "aws") {
        return fail(ErrorKind::invalid, "--provider {}: an instance of its own is made at aws only; for a workspace name its project: `berth create web-shop`", flags.provider);
    }
    const auto look = TRY(shared.look());
    instances::Order order{.instance_type = flags.instance_type, .availability_zone = flags.zone, .image = flags.image, .ssh_user = flags.ssh_user,
                           .security_group = flags.security_group, .name = flags.name, .spot = flags.spot, .encrypt = flags.encrypt, .created_by = own_user(),
                           .token = flags.key.empty() ? "berth-" + random_hex(16) : "berth-" + flags.key};
    if (!flags.duration.empty()) order.duration = TRY(duration_flag("--duration", flags.duration));
    if (!flags.public_key.empty()) order.key = TRY(read_key(flags.public_key));
    const auto counter = TRY(Counter::open(shared));
    auto rental = TRY(counter->desk->create(order));
    hint_at(shared, rental.region);
    if (!flags.no_wait) {
        auto up = counter->desk->wait_until_up(rental);
        counter->narrator.clear();
        if (!up) {
            if (look.format != Format::table && look.format != Format::wide) TRY(print_one(shared, rental));
            return fail(up.error());
        }
        rental = std::move(*up);
    }
    counter->narrator.clear();
    TRY(print_one(shared, rental));
    if (look.format != Format::table && look.format != Format::wide) return Exit::ok;
    if (!order.key) remark("nobody can sign in by ssh: no --public-key was given");
    remark(fmt::format("it {} by itself at {}; `berth extend --instance-id {} --duration 1h` gives it time, `berth terminate --instance-id {}` ends it", rental.spot ? "ends" : "stops",
                       rental.expires_at ? to_rfc3339(*rental.expires_at) : "?", rental.id, rental.id));
    if (rental.price > 0) remark(fmt::format("it costs {} per hour by the list of {}, without its disk and traffic", aws::dollars(rental.price), aws::prices_of_day()));
    return Exit::ok;
}

Result<Exit> show_instance(const Shared& shared, const std::string& id) {
    const auto counter = TRY(Counter::open(shared));
    return print_one(shared, TRY(counter->desk->find(id)));
}

Result<Exit> list_instances(const Shared& shared, const std::vector<std::string>& regions, bool all) {
    const auto look = TRY(shared.look());
    for (const auto& region : regions) TRY(aws::check_region(region));
    const auto counter = TRY(Counter::open(shared));
    const auto now = RealClock{}.now();
    std::vector<Json> rows;
    aws::Microdollars per_hour = 0;
    for (const auto& rental : TRY(counter->desk->list(regions))) {
        if (all || !rental.is_over()) rows.push_back(to_json(rental, now));
        if (rental.runs()) per_hour += rental.price;
    }
    print(TRY(render_rows(instance_columns(now), rows, "instance", look)));
    if (look.format != Format::table && look.format != Format::wide) return Exit::ok;
    if (rows.empty()) remark("no instances; make one with `berth create --public-key ~/.ssh/id_ed25519.pub`");
    else remark(fmt::format("{} per hour by the list of {}", aws::dollars(per_hour), aws::prices_of_day()));
    return Exit::ok;
}

Result<Exit> extend_instance(const Shared& shared, const std::string& id, Duration by) {
    const auto counter = TRY(Counter::open(shared));
    auto rental = TRY(counter->desk->find(id));
    const bool starts = rental.state == "stopped" || rental.state == "stopping";
    rental = TRY(counter->desk->extend(rental, by));
    if (starts) rental = TRY(counter->desk->wait_until_up(rental));
    counter->narrator.clear();
    return print_one(shared, rental);
}

Result<Exit> stop_instance(const Shared& shared, const std::string& id) {
    const auto counter = TRY(Counter::open(shared));
    const auto rental = TRY(counter->desk->find(id));
    TRY(counter->desk->stop(rental));
    counter->narrator.clear();
    remark(fmt::format("{} is being stopped and keeps its disk; `berth extend --instance-id {} --duration 1h` starts it again", rental.id, rental.id));
    return Exit::ok;
}

Result<Exit> start_instance(const Shared& shared, const std::string& id, bool no_wait) {
    const auto counter = TRY(Counter::open(shared));
    auto rental = TRY(counter->desk->find(id));
    if (rental.expires_at && *rental.expires_at <= counter->clock.now()) {
        return fail(ErrorKind::conflict, "the time of {} is over, so it would be stopped again at once; `berth extend --instance-id {} --duration 1h` starts it", rental.id, rental.id);
    }
    TRY(counter->desk->start(rental));
    if (!no_wait) rental = TRY(counter->desk->wait_until_up(rental));
    counter->narrator.clear();
    return print_one(shared, rental);
}

void add_terminate(Commands& commands) {
    auto id = std::make_shared<std::string>();
    auto* command = commands.add("terminate", "Machines", "End an instance of `berth create`, with its disk", "berth terminate --instance-id i-0123456789abcdef0");
    command->add_option("instance,--instance-id", *id, "its id or its name")->required();
    commands.set_action(command, [&commands, id]() -> Result<Exit> {
        const auto& shared = commands.shared();
        if (id->starts_with("i-") && !is_of_ec2(shared, *id)) {
            return fail(ErrorKind::conflict, "{} is a host of a pool here; `berth hosts end {}` ends it, once its workspaces are over", *id, *id);
        }
        const auto counter = TRY(Counter::open(shared));
        const auto rental = TRY(counter->desk->find(*id));
        TRY(counter->desk->terminate(rental));
        const auto dropped = counter->desk->tidy(rental.region);
        counter->narrator.clear();
        remark(fmt::format("{} is being terminated, with its disk", rental.id));
        if (!dropped) remark(dropped.error().text);
        return Exit::ok;
    });
}

void add_ssh(Commands& commands) {
    auto flags = std::make_shared<SshFlags>();
    auto* command = commands.add("ssh", "Machines", "Sign in to an instance of `berth create`", "berth ssh mine\n  berth ssh i-0123456789abcdef0 -- tail -f /var/log/syslog");
    command->add_option("instance,--instance-id", flags->id, "its id or its name")->required();
    command->add_option("-i,--identity", flags->identity, "the private key, if ssh does not find it by itself")->type_name("FILE");
    command->add_option("command", flags->command, "run that instead of a shell");
    commands.set_action(command, [&commands, flags]() -> Result<Exit> {
        const auto counter = TRY(Counter::open(commands.shared()));
        const auto rental = TRY(counter->desk->find(flags->id));
        counter->narrator.clear();
        return run_ssh(rental, *flags);
    });
}

}  // namespace berth::cli
