// SPDX-License-Identifier: Apache-2.0
// berth replay: prints a recording of `berth tap --record`, at once or at the pace at which it came.
#include "base/clock.hpp"
#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/recording.hpp"
#include "cli/tap_line.hpp"
#include "cli/text.hpp"
#include "os/files.hpp"

#include <poll.h>

namespace berth::cli {

namespace {

constexpr double speed_max = 1'000'000;

struct Flags {
    std::string file;
    std::vector<std::string> types;
    std::string subject;
    double speed = 0;
    bool timestamp = false;
};

/// Sleeps until then, or until Ctrl-C.
void wait_until(const RealClock& clock, Instant then) {
    for (auto left = then - clock.now(); left > Duration{0} && !Interrupt::seen(); left = then - clock.now()) {
        pollfd signal{Interrupt::fd(), POLLIN, 0};
        ::poll(&signal, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1'000)));
    }
}

Result<Exit> run(const Flags& flags, const Look& look) {
    const auto text = TRY(os::read_file(flags.file, recording_bytes_max));
    const auto recording = TRY(read_recording(text, flags.file));
    const TapFilter filter{flags.types, flags.subject};
    const RealClock clock;
    const auto begun = clock.now();
    std::size_t printed = 0;
    for (const auto& [after, type, event] : recording.events) {
        if (!filter.accepts(event_name_of(type, event), event)) continue;
        if (flags.speed > 0) wait_until(clock, begun + Duration{static_cast<std::int64_t>(static_cast<double>(after.count()) / flags.speed)});
        if (Interrupt::seen() || output_is_lost()) return Exit::interrupted;
        if (look.format == Format::table) print(tap_line(type, event, flags.timestamp ? TimeShown::full : TimeShown::clock, look.colour) + "\n");
        else print(event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        ++printed;
    }
    remark(fmt::format("{} of {} events, recorded at {} from {}", printed, recording.events.size(), printable(recording.gateway), printable(recording.begun_at)));
    return Exit::ok;
}

}  // namespace

void add_replay(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("replay", "Events", "Print a recording of `berth tap --record`", "berth replay monday.ndjson claim. --speed 10");
    command->add_option("file", flags->file, "the recording")->required()->type_name("FILE");
    command->add_option("types", flags->types, "names or beginnings of names, as claim. or workspace.idle");
    command->add_option("--subject", flags->subject, "only about this id");
    command->add_option("--speed", flags->speed, "1: as it came, 10: ten times as fast; without it all at once")->check(CLI::Range(0.001, speed_max));
    command->add_flag("--timestamp", flags->timestamp, "whole timestamps");
    commands.add_output(command, {"table", "json", "cloudevents"});
    commands.set_action(command, [&commands, flags]() -> Result<Exit> { return run(*flags, TRY(commands.shared().look())); });
}

}  // namespace berth::cli
