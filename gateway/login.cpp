// SPDX-License-Identifier: Apache-2.0
// The routes of `berth login`.
#include <fmt/format.h>

#include "gateway/asked.hpp"
#include "gateway/logins.hpp"

namespace berth::gateway {

namespace {

Json asked_shape(const Login& login) {
    return {{"code", login.code}, {"machine", login.machine}, {"address", login.remote},
            {"state", login.refused ? "refused" : login.user ? "confirmed" : "waiting"}};
}

}  // namespace

Step begin_login(const Asked& asked) {
    return LoginWish{LoginBegin{asked.body.text("machine").value_or(""), url_of(asked)}, asked.request.remote, asked.dress()};
}

Step take_login(const Asked& asked) { return LoginWish{LoginTake{asked.parameter, *asked.body.text("secret")}, asked.request.remote, asked.dress()}; }

Step get_login(const Asked& asked) {
    const auto* login = asked.picture.logins.of_code(asked.query.text("code").value_or(""), asked.turn.now);
    if (!login) return asked.refused(ErrorKind::not_found, "no command asks with this code now; `berth login` shows another");
    return json_answer(asked_shape(*login));
}

Step answer_login(const Asked& asked) {
    const auto word = *asked.body.text("answer");
    if (word != "confirm" && word != "refuse") return asked.bad_field("answer", "is 'confirm' or 'refuse'");
    LoginAnswer act{*asked.body.text("code"), std::nullopt, asked.caller.role};
    if (word == "confirm") act.user = asked.caller.user;
    return LoginWish{std::move(act), asked.request.remote, asked.dress()};
}

HttpAnswer answer_login(const LoginWish& wish, const Result<LoginOutcome>& outcome, const Turn& turn) {
    if (!outcome) return refuse(problem_of(outcome.error()), wish.dress.route->style, turn.request_id);
    const auto& login = outcome->login;
    if (const auto* begun = std::get_if<LoginBegin>(&wish.act)) {
        return json_answer({{"login", login.id}, {"secret", outcome->secret}, {"code", login.code},
                            {"url", fmt::format("{}/sign-in/login?code={}", begun->url, login.code)}, {"expires_at", json_of(login.ends_at)}}, 201);
    }
    if (std::holds_alternative<LoginAnswer>(wish.act)) return json_answer(asked_shape(login));
    if (!outcome->token) return json_answer({{"state", "waiting"}});
    const auto& entry = outcome->token->entry;
    return json_answer({{"state", "confirmed"}, {"token", outcome->token->plain}, {"user", entry.user.value}, {"role", role_word(entry.role)},
                        {"expires_at", json_of(*entry.expires_at)}});
}

}  // namespace berth::gateway
