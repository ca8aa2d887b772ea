// SPDX-License-Identifier: Apache-2.0
#include "cli/workspace_command.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "cli/interrupt.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr Duration look_again{500};

}  // namespace

void add_workspace_flags(CLI::App* command, WorkspaceFlags& flags) {
    command->add_option("workspace", flags.name, "its id, the beginning of one, or the project's name")->required();
    command->add_option("--user", flags.user, "whose project (default: $USER)");
}

void add_ending_flags(CLI::App* command, EndingFlags& flags, const std::string& until) {
    add_workspace_flags(command, flags);
    command->add_option("--why", flags.why, "the reason that the ledger keeps");
    command->add_option("--wait", flags.wait, "wait until " + until + ", at most that long");
}

Result<FoundWorkspace> find_workspace(const Shared& shared, const WorkspaceFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    auto id = TRY(gateway.resolve(flags.name, flags.user.empty() ? own_user() : flags.user));
    return FoundWorkspace{std::move(gateway), std::move(id)};
}

Result<Json> wait_for_state(GatewayClient& gateway, const std::string& id, const std::vector<std::string>& states,
                            Duration at_most) {
    RealClock clock;
    const auto begun = clock.now();
    Spinner spinner;
    while (true) {
        auto seen = gateway.workspace(id);
        const bool gone = !seen && seen.error().kind == ErrorKind::not_found;
        const auto state = gone ? std::string{"destroyed"} : seen ? text_at(*seen, "state") : std::string{};
        if (!gone && !seen && (!may_pass(seen.error()) || Interrupt::seen())) return fail(seen.error());
        if (std::find(states.begin(), states.end(), state) != states.end()) {
            return gone ? Json{{"workspace", id}, {"state", state}} : std::move(*seen);
        }
        const auto waited = clock.now() - begun;
        if (Interrupt::seen()) return fail(ErrorKind::timeout, "interrupted; {} is {}", id, state);
        if (waited >= at_most && !seen && !gone) return fail(seen.error());
        if (waited >= at_most) {
            return fail(ErrorKind::timeout, "{} is still {} after {}; `berth why {}` says why", id, state,
                        to_text(at_most), id);
        }
        spinner.show(seen ? fmt::format("{:>6}  {} is {}", elapsed(waited), id, state)
                          : fmt::format("{:>6}  {}; looking again", elapsed(waited), seen.error().text));
        gateway.http().turn(std::min(look_again, at_most - waited));
    }
}

Result<Exit> finish_ending(const Shared& shared, FoundWorkspace& found, const EndingFlags& flags, const Json& answer,
                           const Ending& ending) {
    if (flags.wait.empty()) return report(shared, found.id, ending.goes_on, answer);
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    const auto state = TRY(wait_for_state(found.gateway, found.id, ending.states, at_most));
    return report(shared, found.id, ending.over, state);
}

Result<Exit> report(const Shared& shared, const std::string& id, const std::string& said, const Json& answer) {
    const auto look = TRY(shared.look());
    switch (look.format) {
        case Format::json: print(to_pretty_json(answer)); break;
        case Format::yaml: print(to_yaml(answer)); break;
        case Format::name: print(id + "\n"); break;
        default: remark(fmt::format("{} {}", id, said));
    }
    return Exit::ok;
}

}  // namespace berth::cli
