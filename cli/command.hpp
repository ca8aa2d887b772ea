// SPDX-License-Identifier: Apache-2.0
// What all commands share: the flags that every one has, how a command joins the table, and how its
// output is chosen. Help, completion and "did you mean" are made from that one table.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "cli/exit.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

struct Shared {
    std::string state;                    // --state
    std::string url;                      // --url, $BERTH_URL
    std::string token_file;               // --token-file
    std::string ca_file;                  // --ca-file
    std::string colour = "auto";
    std::string format = "table";         // -o
    std::vector<std::string> columns;     // --columns

    bool colour_on_stdout() const;
    Result<Look> look() const;
    /// --state, or the default of `berth up` (up/plan.hpp).
    Result<std::string> state_folder() const;
};

class Commands {
public:
    using Action = std::function<Result<Exit>()>;

    explicit Commands(CLI::App& app) : app_(app) {}

    /// A command with its example; `group` is the heading under which help lists it.
    CLI::App* add(const std::string& name, const std::string& group, const std::string& meaning,
                  const std::string& example);
    /// What is done when that command was given.
    void set_action(CLI::App* command, Action action);
    /// -o and --columns. The formats of this command, "table" first: it is the default.
    void add_output(CLI::App* command, const std::vector<std::string>& formats);

    CLI::App& app() { return app_; }
    Shared& shared() { return shared_; }
    const Action& chosen() const { return chosen_; }

private:
    CLI::App& app_;
    Shared shared_;
    Action chosen_;
};

// One line and one file per command.
void add_up(Commands& commands);
void add_prepare(Commands& commands);
void add_claim(Commands& commands);
void add_create(Commands& commands);
void add_open(Commands& commands);
void add_release(Commands& commands);
void add_stop(Commands& commands);
void add_start(Commands& commands);
void add_destroy(Commands& commands);
void add_extend(Commands& commands);
void add_hold(Commands& commands);
void add_home(Commands& commands);
void add_list(Commands& commands);
void add_status(Commands& commands);
void add_hosts(Commands& commands);
void add_host_token(Commands& commands);
void add_login(Commands& commands);   // and logout, whoami
void add_user(Commands& commands);
void add_token(Commands& commands);
void add_pools(Commands& commands);
void add_cost(Commands& commands);
void add_terminate(Commands& commands);
void add_ssh(Commands& commands);
void add_service(Commands& commands);
void add_tap(Commands& commands);
void add_replay(Commands& commands);
void add_top(Commands& commands);
void add_why(Commands& commands);
void add_wait(Commands& commands);
void add_config(Commands& commands);
void add_doctor(Commands& commands);
void add_completion(Commands& commands);
void add_version(Commands& commands);

/// Writes to stdout. What could not be written is remembered: what prints for long ends then, and so does main.
void print(const std::string& text);
bool output_is_lost();
/// At the very end: `exit`, or 1 and one line on stderr when the output could not be written; a pipe whose reader
/// is gone is no news.
int finish_output(int exit);
/// Before anything is opened.
void open_standard_streams();
/// One line on stderr.
void remark(const std::string& text);
/// "error: …" on stderr, without control characters.
void complain(const Error& error);
/// "90s" or "1h30m", with the flag's name in the error.
Result<Duration> duration_flag(const std::string& flag, const std::string& text);
/// A moment that is to come: "22:00" (the next one here), "30m" from now, or RFC 3339.
Result<Instant> moment_flag(const std::string& flag, const std::string& text, Instant now);
/// $USER, else the user's name by uid.
std::string own_user();

}  // namespace berth::cli
