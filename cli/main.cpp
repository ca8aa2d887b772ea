// SPDX-License-Identifier: Apache-2.0
// berth: the command line. The parts list: one add_ per command, then parse and run the chosen one.
#include <fmt/format.h>
#include <signal.h>

#include <sstream>

#include "base/nearest_word.hpp"
#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

void add_shared_flags(CLI::App& app, Shared& shared) {
    app.add_option("--state", shared.state, "state folder (default: $BERTH_STATE, ~/.local/state/berth)")->type_name("DIR");
    app.add_option("--url", shared.url, "the gateway (default: $BERTH_URL, <state>/gateway.url)")->type_name("URL");
    app.add_option("--token-file", shared.token_file, "file that holds the token (default: $BERTH_TOKEN, <state>/token)")
        ->type_name("FILE");
    app.add_option("--ca-file", shared.ca_file, "PEM of a private CA that vouches for the gateway (default: $BERTH_CA_FILE, $SSL_CERT_FILE)")
        ->type_name("FILE");
    app.add_option("--color", shared.colour, "auto, always or never (NO_COLOR is honoured)")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
}

void add_commands(Commands& commands) {
    add_up(commands);
    add_prepare(commands);
    add_claim(commands);
    add_create(commands);
    add_open(commands);
    add_list(commands);
    add_wait(commands);
    add_extend(commands);
    add_hold(commands);
    add_home(commands);
    add_release(commands);
    add_stop(commands);
    add_start(commands);
    add_destroy(commands);
    add_status(commands);
    add_hosts(commands);
    add_host_token(commands);
    add_login(commands);
    add_user(commands);
    add_token(commands);
    add_pools(commands);
    add_cost(commands);
    add_top(commands);
    add_terminate(commands);
    add_ssh(commands);
    add_service(commands);
    add_config(commands);
    add_doctor(commands);
    add_tap(commands);
    add_replay(commands);
    add_why(commands);
    add_completion(commands);
    add_version(commands);
}

std::vector<std::string> known_words(const CLI::App& app) {
    std::vector<std::string> words;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        words.push_back(command->get_name());
        for (const auto& alias : command->get_aliases()) words.push_back(alias);
    }
    return words;
}

int say_usage(const CLI::App& app, const CLI::ParseError& error, const std::string& first) {
    auto text = fmt::format("{}", error.what());
    const auto words = known_words(app);
    if (!first.empty() && std::find(words.begin(), words.end(), first) == words.end()) {
        const auto near = nearest_word(first, words);
        text = fmt::format("no command '{}'{}; `berth help` lists them", printable(first),
                           near ? fmt::format("; did you mean '{}'?", *near) : std::string{});
    }
    complain({ErrorKind::invalid, text});
    return static_cast<int>(Exit::usage);
}

// The first word that is no flag; flags that take a value are followed by one.
std::string first_word(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (!word.starts_with('-')) return std::string{word};
        const bool takes_value = word == "--state" || word == "--url" || word == "--token-file" || word == "--ca-file" || word == "--color";
        if (takes_value) ++i;
    }
    return {};
}

int run(int argc, char** argv) {
    use_utf8();
    ::signal(SIGPIPE, SIG_IGN);           // a failing write says it
    CLI::App app("berth gives a ready development environment in the browser, on machines that you own", "berth");
    app.footer("\nExample:\n  berth up            in one terminal\n  berth claim demo --open   in another\n\n"
               "Exit codes: 0 done, 1 error, 2 usage, 3 no capacity, 4 not allowed, 5 not found,\n"
               "            6 conflict, 124 not in time, 130 interrupted");
    Commands commands(app);
    add_shared_flags(app, commands.shared());
    add_commands(commands);
    app.set_version_flag("--version", "berth " BERTH_VERSION);
    app.require_subcommand(1);
    auto word = first_word(argc, argv);
    // `berth help [command]` is `berth [command] --help`.
    std::vector<std::string> words(argv + 1, argv + argc);
    if (word == "help") {
        words.erase(std::find(words.begin(), words.end(), "help"));
        words.push_back("--help");
        word = words.front() == "--help" ? "" : words.front();
    }
    std::reverse(words.begin(), words.end());
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {              // help or version was asked for
            std::ostringstream said;
            const int code = app.exit(error, said, said);
            print(said.str());
            return code;
        }
        return say_usage(app, error, word);
    }
    if (app.got_subcommand("up") == false) Interrupt::watch();
    const auto outcome = commands.chosen()();
    if (outcome) return static_cast<int>(*outcome);
    if (Interrupt::seen()) return static_cast<int>(Exit::interrupted);
    complain(outcome.error());
    return static_cast<int>(exit_of(outcome.error().kind));
}

}  // namespace

}  // namespace berth::cli

int main(int argc, char** argv) {
    berth::cli::open_standard_streams();
    return berth::cli::finish_output(berth::cli::run(argc, argv));
}
