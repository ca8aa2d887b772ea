// SPDX-License-Identifier: Apache-2.0
// berth login, logout, whoami: a token of one's own for a gateway elsewhere, confirmed in any browser; kept in
// <config>/login.json (0600), which every command reads.
#include <unistd.h>

#include <array>

#include "base/clock.hpp"
#include "base/outside_text.hpp"
#include "cli/browser.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/login_file.hpp"
#include "cli/text.hpp"
#include "os/files.hpp"

namespace berth::cli {

namespace {

constexpr Duration look_again{1'000};

struct LoginFlags {
    bool no_browser = false;
};

std::string own_machine() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : std::string{"a machine"};
}

Result<Exit> login(const Shared& shared, const LoginFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    const auto begun = TRY(gateway.begin_login(own_user() + " on " + own_machine()));
    const auto url = text_at(begun, "url");
    remark(fmt::format("Open {} in a browser where you are signed in, and confirm the code {}", url, text_at(begun, "code")));
    if (!flags.no_browser && ::isatty(STDERR_FILENO) == 1) {
        const auto opened = open_in_browser(url, LinkGoes::to_stderr);   // the link was told: a browser that can not be started is no failure
        if (!opened) remark(opened.error().text);
    }
    const auto ends = from_rfc3339(text_at(begun, "expires_at"));
    for (;;) {
        gateway.http().turn(look_again);
        if (Interrupt::seen()) return Exit::interrupted;
        auto taken = gateway.take_login(text_at(begun, "login"), text_at(begun, "secret"));
        if (!taken && !may_pass(taken.error())) return fail(taken.error());
        if (taken && text_at(*taken, "state") == "confirmed") {
            TRY(keep_login({gateway.url(), text_at(*taken, "token")}));
            remark(fmt::format("You are {} ({}) at {} until {}; `berth logout` ends it", text_at(*taken, "user"), text_at(*taken, "role"), gateway.url(),
                               text_at(*taken, "expires_at")));
            return Exit::ok;
        }
        if (ends && RealClock{}.now() >= *ends) return fail(ErrorKind::timeout, "nobody confirmed the code in time; try again with `berth login`");
    }
}

Result<Exit> logout(const Shared& shared) {
    const auto kept = TRY(kept_login());
    if (!kept) return fail(ErrorKind::not_found, "you are not logged in anywhere: {} is not there", TRY(login_file()));
    auto of_login = shared;
    of_login.url = kept->url;
    auto gateway = TRY(GatewayClient::find(of_login));
    const auto me = gateway.me();
    const auto ended = me ? gateway.end_own_token() : fail(me.error());
    TRY(forget_login());
    if (ended) remark("logged out of " + kept->url);
    else remark(fmt::format("the token is removed here; whether {} knows is not sure: {}", kept->url, ended.error().text));
    return Exit::ok;
}

Result<Exit> whoami(const Shared& shared) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    auto me = TRY(gateway.me());
    me["url"] = gateway.url();
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    print(TRY(render_one({{"USER", text("user")}, {"ROLE", text("role")}, {"TOKEN", text("token")}, {"GATEWAY", text("url")}}, me, "user", look)));
    return Exit::ok;
}

}  // namespace

void add_login(Commands& commands) {
    auto flags = std::make_shared<LoginFlags>();
    auto* in = commands.add("login", "People", "Get a token of your own by confirming a code in your browser",
                            "berth --url https://berth.example.org login\n\nExit: 4 refused, 124 nobody confirmed it in time");
    in->add_flag("--no-browser", flags->no_browser, "print the address only");
    commands.set_action(in, [&commands, flags] { return login(commands.shared(), *flags); });
    auto* out = commands.add("logout", "People", "End the token of `berth login`, and forget it", "berth logout");
    commands.set_action(out, [&commands] { return logout(commands.shared()); });
    auto* who = commands.add("whoami", "People", "Whose token is used, and where", "berth whoami -o json");
    commands.add_output(who, {"table", "json", "yaml", "name"});
    commands.set_action(who, [&commands] { return whoami(commands.shared()); });
}

}  // namespace berth::cli
