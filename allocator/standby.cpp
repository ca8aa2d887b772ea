// SPDX-License-Identifier: Apache-2.0
#include "allocator/standby.hpp"

#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "base/diagnostics.hpp"
#include "os/files.hpp"

namespace berth::allocator {

std::string to_text(const LeaderBeat& beat) { return fmt::format("{} {} {} {}", beat.writer, beat.count, beat.where, beat.pid); }

std::optional<LeaderBeat> read_beat(const std::string& text) {
    LeaderBeat beat;
    std::istringstream words(text);
    if (!(words >> beat.writer >> beat.count >> beat.where >> beat.pid)) return std::nullopt;
    return beat;
}

LeaderBeat own_beat(const std::string& writer) {
    auto machine = os::read_file("/proc/sys/kernel/random/boot_id").value_or("unknown");
    machine.erase(machine.find_last_not_of(" \n") + 1);
    std::error_code error;
    const auto names = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
    return {writer, 0, machine + "/" + names, ::getpid()};
}

bool may_live(const LeaderBeat& beat) {
    const auto own = own_beat("");
    std::error_code error;
    return beat.where != own.where || beat.pid == own.pid || std::filesystem::exists(fmt::format("/proc/{}", beat.pid), error);
}

LeaderState LeaderWatch::look(const std::optional<LeaderBeat>& beat, bool may_live, Instant now) {
    if (!beat || !may_live) return LeaderState::none;
    if (!last_ || *last_ != *beat) {
        renewed_ = last_.has_value();
        last_ = beat;
        changed_ = now;
    }
    if (now - changed_ >= silence_) return LeaderState::silent;
    return renewed_ ? LeaderState::lives : LeaderState::unclear;
}

Result<std::optional<View>> wait_for_turn(bus::Loop& loop, const std::function<void()>& run, StoredLedger& ledger, const ShellPolicy& policy, Patience patience) {
    LeaderWatch watch(policy.beat_silence);
    std::optional<LeaderState> told;
    std::optional<Error> failure;
    std::optional<View> known;
    bool turn = false;
    const auto look = [&]() -> Result<void> {
        TRY(ledger.refresh());
        known = TRY(replay(ledger, {}, std::exchange(known, std::nullopt)));
        const auto beat = read_beat(TRY(ledger.leader_beat()));
        const auto state = watch.look(beat, beat && may_live(*beat), loop.now());
        turn = state == LeaderState::none || state == LeaderState::silent;
        if (state == LeaderState::lives && patience == Patience::none) {
            return fail(ErrorKind::conflict, "the ledger of {} is in use by another allocator (process {} on {}); with --standby this one waits for its turn",
                        ledger.name(), beat->pid, beat->where);
        }
        if (told != state) log_info("standby", {{"leader", state}, {"position", known->position}});
        told = state;
        return {};
    };
    const auto look_again = [&] {
        const auto outcome = look();
        if (!outcome) failure = outcome.error();
        if (failure || turn) loop.stop();
    };
    TRY(look());
    if (turn) return known;
    const auto timer = loop.every(policy.beat, look_again);
    run();
    loop.cancel(timer);
    if (failure) return fail(*failure);
    return turn ? std::move(known) : std::nullopt;
}

}  // namespace berth::allocator
