// SPDX-License-Identifier: Apache-2.0
// berth top: the whole, live. Without a terminal, with --once or -o json one picture, and then it ends.
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/text.hpp"
#include "cli/top_frame.hpp"

namespace berth::cli {

namespace {

constexpr Duration turn_length{200};
constexpr Duration every_least{200};
constexpr std::size_t columns_without_terminal = 80;
constexpr std::size_t columns_least = 40;
constexpr std::size_t reasons_max = 10'000;

struct Flags {
    std::string every = "1s";
    bool once = false;
};

TopSize size_of_terminal() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {columns_without_terminal, 0};
    return {std::max<std::size_t>(columns_least, size.ws_col), size.ws_row};
}

Result<TopPicture> look_at(GatewayClient& gateway, const std::map<std::string, std::string>& reasons) {
    TopPicture picture{.gateway = gateway.url(), .health = TRY(gateway.health()), .totals = TRY(gateway.totals()), .pools = TRY(gateway.pools()), .hosts = TRY(gateway.hosts()),
                       .workspaces = TRY(gateway.workspaces()), .claims = TRY(gateway.claims()), .reasons = reasons, .now = RealClock{}.now()};
    return picture;
}

/// "launching host (vCPU quota)" of each claim that waits.
class Reasons {
public:
    void note(const SseEvent& event) {
        const auto body = Json::parse(event.data, nullptr, false);
        const auto* data = body.is_object() ? find(body, "data") : nullptr;
        if (data == nullptr || event_name_of(event.type, body) != "claim.progress") return;
        const auto blocked = text_at(*data, "blocked_by");
        if (known_.size() >= reasons_max) known_.clear();            // they come again
        known_[text_at(*data, "claim")] = text_at(*data, "phase") + (blocked.empty() ? "" : " (" + blocked + ")");
    }
    const std::map<std::string, std::string>& known() const { return known_; }

private:
    std::map<std::string, std::string> known_;
};

Result<Exit> live(GatewayClient& gateway, Duration every) {
    const RealClock clock;
    Reasons reasons;
    bool told_to_end = true;
    Instant next_look;
    while (!Interrupt::seen() && !output_is_lost()) {
        if (std::exchange(told_to_end, false)) {
            StreamOrder order;
            order.types = "claim.progress";
            gateway.start_events(order, [&](const SseEvent& event) { reasons.note(event); }, [&](const Error&) { told_to_end = true; });
        }
        if (clock.now() >= next_look) {
            next_look = clock.now() + every;
            const auto picture = look_at(gateway, reasons.known());
            if (Interrupt::seen()) break;
            if (!picture && !may_pass(picture.error())) return fail(picture.error());
            print("\033[H\033[2J" + (picture ? top_frame(*picture, size_of_terminal()) : printable(picture.error().text) + "; looking again\n"));
        }
        gateway.http().turn(std::min(turn_length, every));
    }
    return output_is_lost() ? Exit::failed : Exit::interrupted;
}

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    const auto every = TRY(duration_flag("--every", flags.every));
    if (every < every_least) return fail(ErrorKind::invalid, "--every {}: {} at least", flags.every, to_text(every_least));
    auto gateway = TRY(GatewayClient::find(shared));
    if (look.format == Format::table && !flags.once && ::isatty(STDOUT_FILENO) == 1) return live(gateway, every);
    const auto picture = TRY(look_at(gateway, {}));
    if (look.format == Format::table) print(top_frame(picture, size_of_terminal()));
    else print(look.format == Format::yaml ? to_yaml(top_numbers(picture)) : to_pretty_json(top_numbers(picture)));
    return Exit::ok;
}

}  // namespace

void add_top(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("top", "Machines", "Watch hosts, slots, claims and what is missing", "berth top --every 2s");
    command->add_option("--every", flags->every, "looks again after so long (default 1s)");
    command->add_flag("--once", flags->once, "one picture; so it is where no terminal reads");
    commands.add_output(command, {"table", "json", "yaml"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
