// SPDX-License-Identifier: Apache-2.0
// The part of the shell that keeps who is signed in.
#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "gateway/process.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t secret_bytes = 32;

}  // namespace

Result<SessionOutcome> Process::change_sessions(const SessionWish& wish, Instant now) {
    const auto terms = session_terms(picture_.policy);
    if (const auto* link = std::get_if<SignInByLink>(&wish.act)) {
        return SessionOutcome{TRY(open_session_by_link(state_, link->link, terms, now)), 0};
    }
    if (const auto* token = std::get_if<SignInByToken>(&wish.act)) {
        const auto* entry = picture_.tokens.of_id(token->token_id);
        if (!entry) return fail(ErrorKind::denied, "the token was revoked meanwhile");
        return SessionOutcome{TRY(open_session(state_, *entry, terms, now)), 0};
    }
    if (const auto* out = std::get_if<SignOut>(&wish.act)) {
        const auto ended = revoke_token(state_, out->session);
        if (!ended && ended.error().kind != ErrorKind::not_found) return fail(ended.error());
        return SessionOutcome{};
    }
    return SessionOutcome{std::nullopt, TRY(end_user(state_, std::get<EndUser>(wish.act).user))};
}

void Process::carry_out(ClientId client, SessionWish wish, const Turn& turn) {
    const auto outcome = change_sessions(wish, turn.now);
    read_tokens_again();
    if (!outcome) {
        log_warn("sign_in.refused", {{"why", outcome.error().text}});
    } else if (outcome->opened) {
        log_info("signed_in", {{"user", outcome->opened->entry.user}, {"session", outcome->opened->entry.id}});
    } else if (const auto* user = std::get_if<EndUser>(&wish.act)) {
        log_info("user.ended", {{"user", user->user}, {"count", outcome->ended}});
    } else {
        log_info("signed_out", {{"session", wish.dress.caller.token_id}});
    }
    finish(client, answer_session(picture_, wish, outcome, turn));
}

void Process::carry_out(ClientId client, OidcBegin wish, const Turn& turn) {
    const auto& policy = picture_.oidc;
    Attempt attempt{.state = random_hex(secret_bytes), .nonce = random_hex(secret_bytes), .verifier = random_hex(secret_bytes), .browser = random_hex(secret_bytes),
                    .to = wish.to, .redirect_uri = wish.redirect_uri, .ends_at = turn.now + policy.attempt_max};
    oidc_->discover([this, client, wish = std::move(wish), attempt = std::move(attempt)](const Result<Discovery>& issuer) {
        if (!issuer) {
            log_warn("oidc.issuer", {{"why", issuer.error().text}});
            return finish(client, answer_oidc_begin(wish, fail(issuer.error()), "", Duration{0}));
        }
        attempts_.begin(attempt, loop_.now());
        finish(client, answer_oidc_begin(wish, authorization_url(picture_.oidc, *issuer, attempt), attempt.browser, picture_.oidc.attempt_max));
    });
}

void Process::carry_out(ClientId client, OidcEnd wish, const Turn& turn) {
    const auto attempt = attempts_.take(wish.returned.state, turn.now);
    const auto say = [this, client, wish](const std::string& to, const Result<MintedToken>& session) {
        if (!session) log_warn("sign_in.refused", {{"why", session.error().text}});
        finish(client, answer_oidc_end(picture_, wish, to, session));
    };
    if (!attempt) return say("/dashboard", fail(ErrorKind::denied, "this sign-in is over: it took too long, was answered before, or berth was started anew"));
    oidc_->finish(*attempt, wish.returned, [this, say, to = attempt->to](const Result<Person>& person) {
        if (!person) return say(to, fail(person.error()));
        const TokenEntry whom{.role = person->role, .user = person->user, .note = "by " + provider_name(picture_.oidc)};
        const auto session = open_session(state_, whom, session_terms(picture_.policy), loop_.now());
        read_tokens_again();
        if (session) log_info("signed_in", {{"user", person->user}, {"session", session->entry.id}, {"by", provider_name(picture_.oidc)}});
        say(to, session);
    });
}

Result<LoginOutcome> Process::change_logins(const LoginWish& wish, Instant now) {
    auto& logins = picture_.logins;
    if (const auto* begun = std::get_if<LoginBegin>(&wish.act)) {
        const auto secret = random_hex(secret_bytes);
        Login login{.id = "l-" + random_hex(6), .secret_hash = hash_of_token(secret), .code = login_code(random_hex(16)), .machine = begun->machine,
                    .remote = wish.remote, .ends_at = now + picture_.policy.login_max};
        logins.begin(login, now);
        return LoginOutcome{std::move(login), secret, std::nullopt};
    }
    if (const auto* word = std::get_if<LoginAnswer>(&wish.act)) {
        const auto* asked = logins.of_code(word->code, now);
        LoginOutcome outcome{asked ? *asked : Login{}, "", std::nullopt};
        TRY(logins.answer(word->code, word->user, word->role, now));
        outcome.login.user = word->user;
        outcome.login.refused = !word->user;
        return outcome;
    }
    const auto& take = std::get<LoginTake>(wish.act);
    const auto login = TRY(logins.take(take.id, take.secret, now));
    if (!login) return LoginOutcome{};
    const TokenWish token{.role = login->role, .user = *login->user, .note = "berth login on " + login->machine, .ttl = picture_.policy.login_ttl};
    return LoginOutcome{*login, "", TRY(mint_token(state_, token, now))};
}

void Process::carry_out(ClientId client, LoginWish wish, const Turn& turn) {
    const auto outcome = change_logins(wish, turn.now);
    if (outcome && outcome->token) {
        read_tokens_again();
        log_info("login.done", {{"user", outcome->token->entry.user}, {"token", outcome->token->entry.id}, {"machine", outcome->login.machine}});
    }
    finish(client, answer_login(wish, outcome, turn));
}

/// The value of Set-Cookie; empty while there is nothing to renew.
std::string Process::renew_session_of(const HttpRequest& request, const Turn& turn) {
    const auto renewal = renewal_of(picture_, request, turn);
    if (!renewal) return {};
    if (const auto kept = renew_session(state_, renewal->session, renewal->end); !kept) {
        log_warn("session.not_renewed", {{"session", renewal->session}, {"why", kept.error().text}});
        return {};
    }
    read_tokens_again();
    return renewal->cookie;
}

}  // namespace berth::gateway
