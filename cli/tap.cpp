// SPDX-License-Identifier: Apache-2.0
// berth tap: what happens, live. Counts what it missed, and takes the stream up again after a cut.
#include <unistd.h>

#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/record_file.hpp"
#include "cli/recording.hpp"
#include "cli/tap_line.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr Duration turn_length{200};
constexpr Duration again_first{250};
constexpr Duration again_longest{5'000};
constexpr int cuts_in_a_row_max = 20;

struct Flags {
    std::vector<std::string> types;
    std::string subject;
    std::string from;
    std::string record;
    std::uint64_t count = 0;
    bool timestamp = false;
    bool no_reconnect = false;
};

class Tap {
public:
    Tap(GatewayClient gateway, const Flags& flags, const Look& look)
        : gateway_(std::move(gateway)), flags_(flags), look_(look), filter_{flags.types, flags.subject} {}

    Result<Exit> run() {
        if (!flags_.record.empty()) {
            record_ = TRY(RecordFile::make(flags_.record));
            begun_at_ = clock_.now();
            TRY(record_->write(recording_head(gateway_.url(), begun_at_)));
        }
        Duration again = again_first;
        for (int cuts = 0; cuts <= cuts_in_a_row_max; ++cuts) {
            const auto seen_before = seen_;
            TRY(follow());
            if (unrecorded_) return fail(*unrecorded_);
            if (done() || Interrupt::seen()) return finish();
            if (seen_ > seen_before) {
                cuts = 0;
                again = again_first;
            }
            const bool over = ended_->kind == ErrorKind::denied || ended_->kind == ErrorKind::invalid ||
                              ended_->kind == ErrorKind::not_found || (cuts == 0 && seen_ == 0);
            if (flags_.no_reconnect || over) return fail(*ended_);
            remark(fmt::format("the stream was cut ({}); again in {}", printable(ended_->text), to_text(again)));
            const auto until = clock_.now() + again;
            while (clock_.now() < until && !Interrupt::seen()) gateway_.http().turn(until - clock_.now());
            again = std::min(again * 2, again_longest);
        }
        return fail(ErrorKind::unavailable, "the stream was cut {} times in a row", cuts_in_a_row_max);
    }

private:
    Result<void> follow() {
        ended_.reset();
        StreamOrder order{"", "", last_id_.empty() ? flags_.from : last_id_};
        for (const auto& type : flags_.types) order.types += (order.types.empty() ? "" : ",") + type;
        order.subject = flags_.subject;
        gateway_.start_events(
            order, [&](const SseEvent& event) { take(event); }, [&](const Error& error) { ended_ = error; });
        while (!ended_ && !done() && !Interrupt::seen()) gateway_.http().turn(turn_length);
        return {};
    }

    void take(const SseEvent& event) {
        if (done()) return;
        if (!event.id.empty()) last_id_ = event.id;
        const auto body = Json::parse(event.data, nullptr, false);
        if (!body.is_object()) return;
        ++seen_;
        // With a filter the gateway leaves events out on purpose; it then tells of a gap itself.
        const bool all = flags_.types.empty() && flags_.subject.empty();
        const auto missing = all ? gaps_.note(body) : 0;
        if (missing > 0) remark(fmt::format("-- {} events were missed here --", missing));
        if (event.type == "gap") remark("-- the gateway missed events here: " + printable(event.data) + " --");
        if (!filter_.accepts(event_name_of(event.type, body), body)) return;
        if (look_.format == Format::table) {
            print(tap_line(event.type, body, flags_.timestamp ? TimeShown::full : TimeShown::clock, look_.colour) + "\n");
        } else {
            print(body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        }
        if (record_) record(event.type, body);
        ++printed_;
    }

    // What stands in the file never goes back in time, whatever the clock does.
    void record(const std::string& type, const Json& body) {
        last_after_ = std::max(last_after_, clock_.now() - begun_at_);
        if (const auto written = record_->write(recording_line({last_after_, type, body})); !written) unrecorded_ = written.error();
    }

    bool done() const { return output_is_lost() || unrecorded_ || (flags_.count > 0 && printed_ >= flags_.count); }

    Result<Exit> finish() {
        if (output_is_lost()) return Exit::failed;
        remark(fmt::format("{} {} printed, {} seen, {} missed", printed_, printed_ == 1 ? "event" : "events", seen_, gaps_.missed()));
        return done() ? Exit::ok : Exit::interrupted;
    }

    GatewayClient gateway_;
    Flags flags_;
    Look look_;
    TapFilter filter_;
    GapCounter gaps_;
    RealClock clock_;
    std::unique_ptr<RecordFile> record_;
    Instant begun_at_;
    Duration last_after_{0};
    std::optional<Error> unrecorded_;     // why the recording could not go on
    std::optional<Error> ended_;
    std::string last_id_;
    std::uint64_t printed_ = 0;
    std::uint64_t seen_ = 0;
};

}  // namespace

void add_tap(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("tap", "Events", "Watch events as they happen",
                                 "berth tap claim. workspace. --count 10 -o json");
    command->add_option("types", flags->types, "names or beginnings of names, as claim. or workspace.idle");
    command->add_option("--subject", flags->subject, "only about this id");
    command->add_option("--from", flags->from, "begin at this position of the ledger; 0 is its beginning");
    command->add_option("--record", flags->record, "also into this new file, as they came; `berth replay` prints it")->type_name("FILE");
    command->add_option("--count", flags->count, "end after that many");
    command->add_flag("--timestamp", flags->timestamp, "whole timestamps");
    command->add_flag("--no-reconnect", flags->no_reconnect, "end when the stream is cut");
    commands.add_output(command, {"table", "json", "cloudevents"});
    commands.set_action(command, [&commands, flags]() -> Result<Exit> {
        const auto look = TRY(commands.shared().look());
        auto gateway = TRY(GatewayClient::find(commands.shared()));
        return Tap(std::move(gateway), *flags, look).run();
    });
}

}  // namespace berth::cli
