// SPDX-License-Identifier: Apache-2.0
#include "cli/gateway_client.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/nearest_word.hpp"
#include "base/outside_text.hpp"
#include "cli/interrupt.hpp"
#include "cli/login_file.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t pages_max = 1000;         // of one listing
constexpr Duration claim_slack{30'000};         // over the wait that was asked for
constexpr Duration claim_wait_max{10 * 60'000};

/// Who names a state folder means the gateway of that folder.
bool names_state(const Shared& shared) { return !shared.state.empty() || !environment_text("BERTH_STATE").empty(); }

Result<std::string> find_url(const Shared& shared) {
    std::string from = "--url";
    auto url = trimmed_outside(shared.url);
    if (url.empty()) {
        from = "BERTH_URL";
        url = environment_text("BERTH_URL");
    }
    if (const auto login = url.empty() && !names_state(shared) ? TRY(kept_login()) : std::nullopt) {
        from = TRY(login_file());
        url = login->url;
    }
    if (url.empty()) {
        const auto state = TRY(shared.state_folder());
        from = state + "/gateway.url";
        url = first_line_of(from);
        if (url.empty()) {
            return fail(ErrorKind::unavailable,
                        "no gateway is known: {}/gateway.url is not there. Start one with `berth up`, or name it with "
                        "--url URL or BERTH_URL; `berth --url URL login` makes it yours",
                        state);
        }
    }
    url = TRY(outside_word(from, url));
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
        return fail(ErrorKind::invalid, "'{}' ({}) is not the URL of a gateway: it starts with http:// or https://", url, from);
    }
    while (url.ends_with('/')) url.pop_back();
    return url;
}

Result<std::string> find_token(const Shared& shared, const std::string& url) {
    if (!shared.token_file.empty()) {
        const auto file = trimmed_outside(shared.token_file);
        auto token = TRY(outside_word("the token in " + file + " (--token-file)", first_line_of(file)));
        if (token.empty()) return fail(ErrorKind::denied, "no token in {} (--token-file)", file);
        return token;
    }
    if (auto token = TRY(outside_word("BERTH_TOKEN", environment_text("BERTH_TOKEN"))); !token.empty()) return token;
    if (auto login = names_state(shared) ? std::nullopt : TRY(kept_login()); login && login->url == url) return std::move(login->token);
    const auto state = shared.state_folder();
    if (!state) return std::string{};
    return outside_word("the token in " + *state + "/token", first_line_of(*state + "/token"));
}

// Who may vouch for the gateway beside the machine's own list; empty: that list.
Result<std::string> find_ca(const Shared& shared) {
    std::string from = "--ca-file";
    auto file = trimmed_outside(shared.ca_file);
    for (const char* name : {"BERTH_CA_FILE", "SSL_CERT_FILE"}) {
        if (!file.empty()) break;
        from = name;
        file = environment_text(name);
    }
    if (file.empty() || ::access(file.c_str(), R_OK) == 0) return file;
    return fail(ErrorKind::not_found, "cannot read {} ({}): {}", file, from, std::strerror(errno));
}

}  // namespace

Result<GatewayClient> GatewayClient::find(const Shared& shared) {
    auto url = TRY(find_url(shared));
    auto token = TRY(find_token(shared, url));
    auto ca_file = url.starts_with("https://") ? TRY(find_ca(shared)) : std::string{};
    return GatewayClient(std::move(url), std::move(token), std::move(ca_file));
}

GatewayClient::GatewayClient(std::string url, std::string token, std::string ca_file)
    : url_(std::move(url)), token_(std::move(token)), ca_file_(std::move(ca_file)),
      http_(std::make_shared<http::Client>(
          http::Setup{.user_agent = "berth-cli", .wake = Interrupt::fd(), .give_up = Interrupt::seen})) {}

Result<Json> read_answer(const Result<http::Answer>& answer, const std::string& where) {
    if (!answer) {
        if (answer.error().kind == ErrorKind::denied) {
            return fail(ErrorKind::denied, "{}. If a private CA vouches for it, name its PEM file: --ca-file FILE, BERTH_CA_FILE or SSL_CERT_FILE",
                        answer.error().text);
        }
        if (answer.error().kind != ErrorKind::unavailable) return fail(answer.error());
        return fail(ErrorKind::unavailable, "no gateway answers at {}: {}. Is `berth up` running? `berth doctor` looks",
                    where, answer.error().text);
    }
    auto body = Json::parse(answer->body, nullptr, false);
    if (answer->status / 100 == 2) {
        if (answer->body.empty()) return Json::object();
        if (body.is_discarded()) return fail(ErrorKind::internal, "{} answered something that is not JSON", where);
        return body;
    }
    auto kind = kind_of_status(answer->status);
    std::string text;
    if (body.is_object()) {
        for (const char* key : {"detail", "text", "error", "title"}) {
            if (text.empty()) text = text_at(body, key);
        }
        if (const auto named = enum_from<ErrorKind>(text_at(body, "kind"))) kind = *named;
    }
    if (text.empty()) text = fmt::format("HTTP {} from {}", answer->status, where);
    if (answer->status == 401) text += ". The token is looked for in --token-file, BERTH_TOKEN, what `berth login` got, and <state>/token";
    return fail(Error{kind, text});
}

http::Request GatewayClient::request(const std::string& method, const std::string& path, const Json* body) const {
    http::Request made{.method = method, .url = url_ + path};
    made.bearer = token_;
    made.ca_file = ca_file_;
    made.headers.push_back("Accept: application/json, application/problem+json");
    if (body != nullptr) {
        made.content_type = "application/json";
        made.body = body->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return made;
}

Result<Json> GatewayClient::get(const std::string& path) { return read_answer(http_->ask(request("GET", path)), url_); }

Result<Json> GatewayClient::post(const std::string& path, const Json& body) {
    return read_answer(http_->ask(request("POST", path, &body)), url_);
}

Result<Json> GatewayClient::get_all(const std::string& path, const std::string& items) {
    auto all = Json::array();
    std::string cursor;
    for (std::size_t page = 0; page < pages_max; ++page) {
        const auto join = path.find('?') == std::string::npos ? "?" : "&";
        const auto part = TRY(get(cursor.empty() ? path : path + join + "cursor=" + http::url_encoded(cursor)));
        const auto* list = part.is_array() ? &part : berth::cli::find(part, items);
        if (list == nullptr || !list->is_array()) return fail(ErrorKind::internal, "{}{} answered no list of {}", url_, path, items);
        for (const auto& item : *list) all.push_back(item);
        cursor = text_at(part, "next");
        if (cursor.empty()) return all;
    }
    return fail(ErrorKind::limit, "{}{} has over {} pages", url_, path, pages_max);
}

Result<Json> GatewayClient::workspaces() { return get_all("/v1/workspaces", "workspaces"); }
Result<Json> GatewayClient::workspace(const std::string& id) { return get("/v1/workspaces/" + http::url_encoded(id)); }
Result<Json> GatewayClient::claims() { return get_all("/v1/claims", "claims"); }
Result<Json> GatewayClient::hosts() { return get_all("/v1/hosts", "hosts"); }
Result<Json> GatewayClient::host(const std::string& id) { return get("/v1/hosts/" + http::url_encoded(id)); }
Result<Json> GatewayClient::cordon(const std::string& host, const std::string& why) {
    return post("/v1/hosts/" + http::url_encoded(host) + "/cordon", {{"why", why}});
}
Result<Json> GatewayClient::uncordon(const std::string& host, const std::string& why) {
    return post("/v1/hosts/" + http::url_encoded(host) + "/uncordon", {{"why", why}});
}
Result<Json> GatewayClient::drain(const std::string& host, const std::string& why, std::optional<Instant> by) {
    Json body{{"why", why}};
    if (by) body["by"] = to_rfc3339(*by);
    return post("/v1/hosts/" + http::url_encoded(host) + "/drain", body);
}
Result<Json> GatewayClient::save_home(const std::string& id) { return post("/v1/workspaces/" + http::url_encoded(id) + "/save", Json::object()); }
Result<Json> GatewayClient::restore_home(const std::string& id, const Json& archive) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/restore", archive);
}
Result<Json> GatewayClient::end_host(const std::string& host, const std::string& mode, const std::string& why) {
    return post("/v1/hosts/" + http::url_encoded(host) + "/end", {{"mode", mode}, {"why", why}});
}
Result<Json> GatewayClient::tokens() { return get_all("/v1/tokens", "tokens"); }
Result<Json> GatewayClient::mint_host_token(const Json& wanted) { return post("/v1/host-tokens", wanted); }
Result<Json> GatewayClient::mint_token(const Json& wanted) { return post("/v1/tokens", wanted); }
Result<Json> GatewayClient::me() { return get("/v1/me"); }
Result<Json> GatewayClient::begin_login(const std::string& machine) { return post("/v1/logins", {{"machine", machine}}); }
Result<Json> GatewayClient::take_login(const std::string& login, const std::string& secret) {
    return post("/v1/logins/" + http::url_encoded(login) + "/token", {{"secret", secret}});
}
Result<Json> GatewayClient::end_own_token() { return post("/v1/me/end", Json::object()); }
Result<Json> GatewayClient::users() { return get_all("/v1/users", "users"); }
Result<Json> GatewayClient::invite_user(const std::string& user, const Json& wanted) {
    return post("/v1/users/" + http::url_encoded(user) + "/invite", wanted);
}
Result<Json> GatewayClient::end_user(const std::string& user) { return post("/v1/users/" + http::url_encoded(user) + "/end", Json::object()); }
Result<Json> GatewayClient::revoke_token(const std::string& id) { return post("/v1/tokens/" + http::url_encoded(id) + "/revoke", Json::object()); }
Result<Json> GatewayClient::pools() { return get_all("/v1/pools", "pools"); }
Result<Json> GatewayClient::status() { return get("/status"); }
Result<Json> GatewayClient::totals() { return get("/v1/status"); }
Result<Json> GatewayClient::health() { return get("/health"); }
Result<Json> GatewayClient::facts(const std::string& subject) {
    return get_all("/v1/facts?subject=" + http::url_encoded(subject), "facts");
}

Result<Json> GatewayClient::all_facts() { return get_all("/v1/facts", "facts"); }

Result<Json> GatewayClient::release(const std::string& id, const std::string& why) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/release", {{"why", why}});
}
Result<Json> GatewayClient::stop(const std::string& id, const std::string& why) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/stop", {{"why", why}});
}
Result<Json> GatewayClient::start(const std::string& id) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/start", Json::object());
}
Result<Json> GatewayClient::destroy(const std::string& id, const std::string& why) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/destroy", {{"why", why}});
}
Result<Json> GatewayClient::extend(const std::string& id, Instant until) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/extend", {{"expires_at", to_rfc3339(until)}});
}
Result<Json> GatewayClient::hold(const std::string& id, Instant until, const std::string& why) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/hold", {{"until", to_rfc3339(until)}, {"why", why}});
}
Result<Json> GatewayClient::link(const std::string& id) {
    return post("/v1/workspaces/" + http::url_encoded(id) + "/link", Json::object());
}

bool may_pass(const Error& error) {
    // A front proxy's 504 is a timeout too; what an interrupted request says is not asked again by who looks for that first.
    return error.kind == ErrorKind::unavailable || error.kind == ErrorKind::timeout;
}

bool is_cut(const Result<http::Answer>& answer) {
    if (!answer) return answer.error().kind == ErrorKind::unavailable;
    if (answer->status < 502 || answer->status > 504) return false;
    // The gateway's own refusals name their kind; a front proxy's page does not.
    const auto body = Json::parse(answer->body, nullptr, false);
    return !body.is_object() || text_at(body, "kind").empty();
}

std::uint64_t GatewayClient::start_claim(const ClaimOrder& order, OnClaimed done) {
    Json body = {{"user", order.user}, {"project", order.project}};
    if (!order.pool.empty()) body["pool"] = order.pool;
    if (order.ttl) body["ttl_ms"] = order.ttl->count();
    if (order.wait) body["wait_ms"] = order.wait->count();
    auto made = request("POST", "/v1/claims", &body);
    made.headers.push_back("Idempotency-Key: \"" + order.key + "\"");
    made.deadline = order.wait.value_or(claim_wait_max) + claim_slack;
    return http_->start(std::move(made), [done = std::move(done), where = url_](Result<http::Answer> answer) {
        const auto link = !is_cut(answer) ? Link::held : answer ? Link::cut_behind_a_proxy : Link::cut;
        done(read_answer(answer, where), link);
    });
}

std::uint64_t GatewayClient::start_events(const StreamOrder& order, OnEvent use, OnEnd end) {
    std::string query;
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, http::url_encoded(value));
    };
    add("types", order.types);
    add("subject", order.subject);
    add("from", order.from);
    auto made = request("GET", "/v1/events" + query);
    made.deadline = Duration{0};
    made.headers.push_back("Accept: text/event-stream");
    auto parser = std::make_shared<SseParser>();
    auto broken = std::make_shared<std::optional<Error>>();
    return http_->start(
        std::move(made),
        [end, broken, where = url_](Result<http::Answer> answer) {
            if (*broken) return end(**broken);
            const auto read = read_answer(answer, where);
            end(read ? Error{ErrorKind::unavailable, "the gateway ended the event stream"} : read.error());
        },
        [parser, broken, opened = order.opened, use = std::move(use)](std::string_view bytes) {
            if (opened) opened();
            if (*broken) return;
            auto events = parser->feed(bytes);
            if (!events) {
                *broken = events.error();
                return;
            }
            for (const auto& event : *events) use(event);
        });
}

Result<std::string> GatewayClient::resolve(const std::string& name, const std::string& user) {
    const auto all = TRY(workspaces());
    std::vector<std::string> matches;  // of the project's name first: it is what people type
    std::vector<std::string> begins;
    std::vector<std::string> known;
    for (const auto& workspace : all) {
        const auto id = text_at(workspace, "workspace");
        if (id == name) return id;
        if (text_at(workspace, "state") == "destroyed") continue;
        if (text_at(workspace, "project") == name && text_at(workspace, "user") == user) matches.push_back(id);
        if (id.starts_with(name)) begins.push_back(id);
        known.push_back(id);
        known.push_back(text_at(workspace, "project"));
    }
    if (matches.empty()) matches = std::move(begins);
    if (matches.size() == 1) return matches.front();
    if (matches.size() > 1) {
        std::string list;
        for (const auto& id : matches) list += (list.empty() ? "" : ", ") + id;
        return fail(ErrorKind::conflict, "'{}' may mean {}: say which", name, list);
    }
    const auto near = nearest_word(name, known);
    return fail(ErrorKind::not_found, "no workspace '{}' of {}{}; see `berth list`", name, user,
                near ? fmt::format("; did you mean '{}'?", *near) : std::string{});
}

}  // namespace berth::cli
