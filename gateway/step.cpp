// SPDX-License-Identifier: Apache-2.0
#include "gateway/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.hpp"
#include "gateway/asked.hpp"
#include "gateway/openapi.hpp"
#include "gateway/pages.hpp"
#include "gateway/shapes.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t types_max = 32;

// ---- workspaces

Step start(const Asked& asked) {
    const auto& view = asked.picture.view;
    const auto at = view.workspaces.find(WorkspaceId{asked.parameter});
    if (at == view.workspaces.end() || !asked.caller.may_act_for(at->second.user)) {
        return asked.refused(ErrorKind::not_found, fmt::format("no workspace {}; see `berth list`", asked.parameter));
    }
    const auto& workspace = at->second;
    if (workspace.state == WorkspaceState::active || workspace.state == WorkspaceState::starting) {
        return json_answer(workspace_shape(workspace, asked.picture));
    }
    if (workspace.state != WorkspaceState::stopped) {
        return asked.refused(ErrorKind::conflict, fmt::format("{} is {}; only a stopped workspace can be started", asked.parameter,
                                                              to_string(workspace.state)));
    }
    const auto pool = view.pools.find(workspace.pool);
    const auto ttl = pool == view.pools.end() ? PoolDefined{}.ttl_ms : pool->second.ttl_ms;
    return asked.ask(ExtendRequest{asked.target(), asked.turn.now + ttl, asked.caller.principal()});
}

Step choose_home(const Asked& asked) {
    const HomeArchive archive{.epoch = {asked.body.number("epoch").value_or(0)}, .host = {asked.body.text("host").value_or("")},
                              .snapshot = *asked.body.text("snapshot"), .at = *asked.body.instant("at"), .bytes = asked.body.number("bytes").value_or(0), .last = true};
    return asked.ask(ChooseHomeRequest{asked.target(), archive, asked.why(), asked.caller.principal()});
}

Step compat_release(const Asked& asked) {
    WorkspaceRef ref;
    if (const auto user = asked.body.text("userId")) ref.user = UserId{*user};
    if (const auto id = asked.body.text("workspaceId")) ref.workspace = WorkspaceId{*id};
    ref.instance = asked.body.text("instanceId");
    if (!ref.user && !ref.workspace && !ref.instance) return asked.bad_field("workspaceId", "or userId or instanceId has to be there");
    if (!asked.caller.is_operator()) {
        if (ref.user && *ref.user != asked.caller.user) return asked.not_allowed("this token may only release its own user's workspaces");
        ref.user = asked.caller.user;
    }
    return asked.ask(ReleaseRequest{std::move(ref), asked.why(), asked.caller.principal()});
}

// ---- listings

struct Paging {
    std::string after;
    std::size_t limit = 0;
};

Paging paging_of(const Asked& asked) {
    const auto& policy = asked.picture.policy;
    const auto limit = asked.query.number("limit").value_or(policy.page_default);
    return {asked.query.text("cursor").value_or(""), static_cast<std::size_t>(std::clamp<std::uint64_t>(limit, 1, policy.page_max))};
}

// The items of a map after the cursor, as one page. `use` gives null for what is passed over.
template <class Map, class Use>
HttpAnswer page_of(const Asked& asked, const char* name, const Map& map, Use&& use) {
    const auto paging = paging_of(asked);
    auto items = Json::array();
    std::string next;
    auto at = paging.after.empty() ? map.begin() : map.upper_bound(typename Map::key_type{paging.after});
    std::string last;
    for (; at != map.end(); ++at) {
        auto item = use(at->second);
        if (item.is_null()) continue;
        if (items.size() == paging.limit) {
            next = last;
            break;
        }
        items.push_back(std::move(item));
        last = at->first.value;
    }
    Json body;
    body[name] = std::move(items);
    if (!next.empty()) body["next"] = next;
    body["position"] = std::to_string(asked.picture.view.position.value);
    return json_answer(body);
}

bool wanted_by(const Asked& asked, const UserId& user, std::string_view state) {
    const auto of_user = asked.query.text("user");
    const auto in_state = asked.query.text("state");
    return asked.caller.may_act_for(user) && (!of_user || *of_user == user.value) && (!in_state || *in_state == state);
}

Step list_facts(const Asked& asked) {
    const auto paging = paging_of(asked);
    FactsRequest request{.limit = static_cast<std::uint32_t>(paging.limit), .subject = asked.query.text("subject")};
    std::uint64_t from = asked.query.number("from").value_or(0);
    if (!paging.after.empty()) {
        const auto [stop, error] = std::from_chars(paging.after.data(), paging.after.data() + paging.after.size(), from);
        if (error != std::errc{} || stop != paging.after.data() + paging.after.size()) return asked.bad_field("cursor", "is none of ours");
    }
    request.from = Position{from};
    auto ask = asked.ask(request);
    ask.dress.subject = request.subject.value_or("");
    ask.dress.limit = request.limit;
    return ask;
}

// ---- the event stream

// "ledger:41" or "41"; nothing when it is neither.
std::optional<std::pair<std::string, std::uint64_t>> read_event_id(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
    std::uint64_t position = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
    if (digits.empty() || error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
    return std::pair{colon == std::string_view::npos ? std::string{} : std::string{text.substr(0, colon)}, position};
}

Step events(const Asked& asked) {
    StreamWish wish{.caller = asked.caller, .subject = asked.query.text("subject").value_or("")};
    const auto types = asked.query.text("types").value_or("");
    for (std::size_t at = 0; at < types.size();) {
        const auto end = std::min(types.find(',', at), types.size());
        if (end > at) wish.types.push_back(types.substr(at, end - at));
        at = end + 1;
    }
    if (wish.types.size() > types_max) return asked.bad_field("types", fmt::format("has over {} words", types_max));
    // A bare number in `from` is where to begin; an event's id is what was seen last.
    const auto from = asked.query.text("from");
    const auto last = asked.request.header("last-event-id");
    const auto text = !last.empty() ? std::string{last} : from.value_or("");
    if (text.empty()) return wish;
    const auto id = read_event_id(text);
    if (!id) return asked.bad_field(last.empty() ? "from" : "Last-Event-ID", "is neither a position nor the id of an event");
    const bool seen = !last.empty() || !id->first.empty();
    wish.ledger = id->first;
    wish.from = Position{std::max<std::uint64_t>(id->second + (seen ? 1 : 0), 1)};
    return wish;
}

// ---- hosts

const HostView* host_named(const View& view, const std::string& name) {
    const auto at = view.hosts.find(HostId{name});
    if (at != view.hosts.end()) return &at->second;
    const HostView* found = nullptr;
    for (const auto& [id, host] : view.hosts) {
        if (host.instance == name && host.liveness != Liveness::gone) found = &host;
    }
    return found;
}

HttpAnswer no_host(const Asked& asked, const std::string& name) {
    return asked.refused(ErrorKind::not_found, fmt::format("no host or instance {}; see `berth hosts`", name));
}

Step compat_destroy(const Asked& asked) {
    const auto name = *asked.body.text("machineId");
    const auto* host = host_named(asked.picture.view, name);
    if (!host || host->liveness == Liveness::gone) return no_host(asked, name);
    auto ask = asked.ask(EndHostRequest{{host->host, host->incarnation}, EndMode::force, "POST /destroy", asked.caller.principal()});
    ask.dress.parameter = host->host.value;
    return ask;
}

Step end_host(const Asked& asked, const HostView& host) {
    const auto mode = enum_from<EndMode>(asked.body.text("mode").value_or("wait"));
    if (!mode) return asked.bad_field("mode", "is 'wait', 'force' or 'undo'");
    auto ask = asked.ask(EndHostRequest{{host.host, host.incarnation}, *mode, asked.body.text("why").value_or(""), asked.caller.principal()});
    ask.dress.parameter = host.host.value;
    return ask;
}

// An operator's word alone brings no host in: those come with a key, or with a host's token.
Step compat_agent(const Asked& asked) {
    if (asked.caller.is_host()) return foreign_agent(asked);
    const auto name = *asked.body.text("instanceId");
    const auto* host = host_named(asked.picture.view, name);
    if (!host || host->liveness == Liveness::gone) {
        return asked.refused(ErrorKind::not_found, fmt::format("instance {} is not known: register it with a host's token (`berth host-token`), or run berth-hostagent on it", name));
    }
    return json_answer({{"status", "ok"}, {"instanceId", host->instance}, {"host", host->host.value}, {"state", to_string(host->liveness)}});
}

Step mint(const Asked& asked) {
    const auto role = role_from(*asked.body.text("role"));
    if (!role || *role == TokenRole::host) return asked.bad_field("role", "is 'user' or 'operator'");
    TokenWish wish{.role = *role, .user = UserId{*asked.body.text("user")}, .note = asked.body.text("note").value_or(""),
                   .ttl = asked.body.duration("ttl_ms")};
    if (wish.ttl && *wish.ttl <= Duration{0}) return asked.bad_field("ttl_ms", "is over at once");
    return TokenChange{std::move(wish), "", asked.dress()};
}

HttpAnswer list_tokens(const Asked& asked) {
    auto list = Json::array();
    for (const auto& entry : asked.picture.tokens.entries()) list.push_back(token_shape(entry));
    return json_answer({{"tokens", std::move(list)}});
}

HttpAnswer health(const Asked& asked) {
    auto found = health_of(asked.picture, asked.turn.now);
    found.shape["version"] = BERTH_VERSION;
    return json_answer(found.shape, found.ok ? 200 : 503);
}

bool needs_picture(Operation operation) {
    switch (operation) {
        case Operation::health:
        case Operation::compat_health:
        case Operation::readyz:
        case Operation::livez:
        case Operation::healthz:
        case Operation::openapi:
        case Operation::metrics:
        case Operation::dashboard:
        case Operation::dashboard_script:
        case Operation::dashboard_stream:
        case Operation::dashboard_style:
        case Operation::home:
        case Operation::get_session:
        case Operation::sign_in:
        case Operation::sign_out:
        case Operation::invite_user:
        case Operation::end_user:
        case Operation::open_workspace:     // its page says so itself
        case Operation::open_script:
        case Operation::sign_in_page:
        case Operation::sign_in_script:
        case Operation::begin_oidc:
        case Operation::end_oidc:
        case Operation::begin_login:
        case Operation::take_login:
        case Operation::get_login:
        case Operation::answer_login:
        case Operation::login_page:
        case Operation::login_script:
        case Operation::who:
        case Operation::end_own_token:
        case Operation::list_tokens:
        case Operation::mint_token:
        case Operation::revoke_token:
        case Operation::claim:              // the allocator answers; while there is none, it is asked again
        case Operation::compat_claim:
        case Operation::compat_project: return false;
        default: return true;
    }
}

Step decide(const Asked& asked) {
    const auto& view = asked.picture.view;
    const auto principal = asked.caller.principal();
    switch (asked.route.operation) {
        case Operation::claim: return claim(asked);
        case Operation::compat_claim: return compat_claim(asked);
        case Operation::compat_project: return compat_project(asked);
        case Operation::list_claims:
            return page_of(asked, "claims", view.claims, [&](const ClaimView& item) {
                return wanted_by(asked, item.asked.user, to_string(item.state)) ? claim_shape(item, view) : Json();
            });
        case Operation::get_claim: {
            const auto at = view.claims.find(ClaimId{asked.parameter});
            if (at == view.claims.end() || !asked.caller.may_act_for(at->second.asked.user)) {
                return asked.refused(ErrorKind::not_found, fmt::format("no claim {}", asked.parameter));
            }
            return json_answer(claim_shape(at->second, view));
        }
        case Operation::list_workspaces:
            return page_of(asked, "workspaces", view.workspaces, [&](const WorkspaceView& item) {
                return wanted_by(asked, item.user, to_string(item.state)) ? workspace_shape(item, asked.picture) : Json();
            });
        case Operation::get_workspace:
        case Operation::get_tape: {
            const auto at = view.workspaces.find(WorkspaceId{asked.parameter});
            if (at == view.workspaces.end() || !asked.caller.may_act_for(at->second.user)) {
                return asked.refused(ErrorKind::not_found, fmt::format("no workspace {}; see `berth list`", asked.parameter));
            }
            if (asked.route.operation == Operation::get_tape) return json_answer(tape_shape(at->second, asked.picture));
            return json_answer(workspace_shape(at->second, asked.picture));
        }
        case Operation::release:
        case Operation::stop: return asked.ask(ReleaseRequest{asked.target(), asked.why(), principal});
        case Operation::start: return start(asked);
        case Operation::destroy: return asked.ask(DestroyRequest{asked.target(), asked.why(), principal});
        case Operation::extend: return asked.ask(ExtendRequest{asked.target(), *asked.body.instant("expires_at"), principal});
        case Operation::hold: return asked.ask(HoldRequest{asked.target(), *asked.body.instant("until"), asked.why(), principal});
        case Operation::link: return asked.ask(LinkRequest{asked.target(), principal});
        case Operation::save_home: return asked.ask(SaveHomeRequest{asked.target(), principal});
        case Operation::choose_home: return choose_home(asked);
        case Operation::compat_release: return compat_release(asked);
        case Operation::list_hosts:
            return page_of(asked, "hosts", view.hosts, [&](const HostView& item) {
                return host_shape(item, asked.picture);
            });
        case Operation::get_host:
        case Operation::cordon:
        case Operation::uncordon:
        case Operation::drain:
        case Operation::end_host: {
            const auto* host = host_named(view, asked.parameter);
            if (!host) return no_host(asked, asked.parameter);
            const HostRef ref{host->host, host->incarnation};
            if (asked.route.operation == Operation::cordon) return asked.ask(CordonRequest{ref, asked.why(), Tenants::keep, principal});
            if (asked.route.operation == Operation::drain) return asked.ask(CordonRequest{ref, asked.why(), Tenants::stop, principal, asked.body.instant("by")});
            if (asked.route.operation == Operation::end_host) return end_host(asked, *host);
            if (asked.route.operation == Operation::uncordon) return asked.ask(UncordonRequest{ref, asked.why()});
            return json_answer(host_shape(*host, asked.picture));
        }
        case Operation::list_pools:
            return page_of(asked, "pools", view.pools, [&](const PoolDefined& item) { return pool_shape(item, asked.picture); });
        case Operation::list_facts: return list_facts(asked);
        case Operation::events: return events(asked);
        case Operation::status: return json_answer(status_shape(view, asked.picture.broker));
        case Operation::health:
        case Operation::compat_health:
        case Operation::readyz: return health(asked);
        case Operation::healthz:
        case Operation::livez: return json_answer({{"status", "ok"}});
        case Operation::openapi: return page_answer("application/json", openapi_document());
        case Operation::who:
            return json_answer({{"role", role_word(asked.caller.role)}, {"user", asked.caller.user.value}, {"token", asked.caller.token_id}});
        case Operation::end_own_token: return TokenChange{std::nullopt, asked.caller.token_id, asked.dress()};
        case Operation::list_tokens: return list_tokens(asked);
        case Operation::mint_token: return mint(asked);
        case Operation::mint_host_token: return mint_host_token(asked);
        case Operation::enrol: return enrol(asked);
        case Operation::get_enrolment: return enrolment(asked);
        case Operation::revoke_token: return TokenChange{std::nullopt, asked.parameter, asked.dress()};
        case Operation::get_session: return session_state(asked);
        case Operation::sign_in: return sign_in(asked);
        case Operation::sign_out: return sign_out(asked);
        case Operation::list_users: return page_of(asked, "users", users_of(asked.picture, asked.turn.now), [](const Json& row) { return row; });
        case Operation::invite_user: return invite_user(asked);
        case Operation::end_user: return end_user(asked);
        case Operation::begin_login: return begin_login(asked);
        case Operation::take_login: return take_login(asked);
        case Operation::get_login: return get_login(asked);
        case Operation::answer_login: return answer_login(asked);
        case Operation::login_page: return page_answer("text/html; charset=utf-8", login_page());
        case Operation::login_script: return page_answer("text/javascript; charset=utf-8", login_script());
        case Operation::begin_oidc: return begin_oidc(asked);
        case Operation::end_oidc: return end_oidc(asked);
        case Operation::open_workspace: return open_workspace(asked);
        case Operation::open_script: return page_answer("text/javascript; charset=utf-8", open_script());
        case Operation::sign_in_page: return page_answer("text/html; charset=utf-8", sign_in_page());
        case Operation::sign_in_script: return page_answer("text/javascript; charset=utf-8", sign_in_script());
        case Operation::home:
        case Operation::dashboard: return page_answer("text/html; charset=utf-8", dashboard_page());
        case Operation::dashboard_script: return page_answer("text/javascript; charset=utf-8", dashboard_script());
        case Operation::dashboard_stream: return page_answer("text/javascript; charset=utf-8", dashboard_stream());
        case Operation::dashboard_style: return page_answer("text/css; charset=utf-8", dashboard_style());
        case Operation::compat_status: return json_answer(compat_status_shape(asked.picture));
        case Operation::compat_destroy: return compat_destroy(asked);
        case Operation::compat_register:
        case Operation::compat_heartbeat: return compat_agent(asked);
        case Operation::metrics:
            if (!asked.picture.policy.metrics_open && !asked.caller.is_operator()) {
                return asked.refused({401, ErrorKind::denied, "the metrics need an operator's token here (gateway.metrics_open)", "", Refusal::no_token});
            }
            return MetricsWish{};
    }
    return asked.refused(ErrorKind::internal, "this route is not served here");
}

bool is_json(std::string_view type) {
    type = type.substr(0, type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
    constexpr std::string_view wanted = "application/json";   // in any case (RFC 9110, 8.3.1)
    return std::equal(type.begin(), type.end(), wanted.begin(), wanted.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
}

// What may be asked here; changes nothing and tells nothing that the document does not.
HttpAnswer options(std::string allow) {
    HttpAnswer answer{.status = 204};
    answer.headers.emplace_back("Allow", std::move(allow));
    return answer;
}

}  // namespace

Step step(const Picture& picture, const HttpRequest& request, const Turn& turn) {
    if (request.method == "OPTIONS" && request.path == "*") return options("GET, HEAD, POST, OPTIONS");
    const auto match = match_route(request.method, request.path);
    if (request.method == "OPTIONS" && match.path_known) return options(match.allow + (match.has_head ? ", HEAD" : "") + ", OPTIONS");
    if (!match.route) {
        const auto style = request.path.starts_with("/v1") ? Style::v1 : Style::compat;
        auto answer = match.path_known
                          ? refuse({405, ErrorKind::invalid, "this path has no such method; it has: " + match.allow, "", Refusal::no_method}, style, turn.request_id)
                          : refuse({404, ErrorKind::not_found, "there is nothing at this path; /v1/openapi.json lists what there is", "", Refusal::no_route}, style, turn.request_id);
        if (match.path_known) answer.headers.emplace_back("Allow", match.allow);
        return answer;
    }
    const auto& route = *match.route;
    const auto refused = [&](const Problem& problem) { return refuse(problem, route.style, turn.request_id); };
    if (const auto problem = check_intent(request, route, picture.policy.public_url)) return refused(*problem);
    auto identity = identify(request, route, picture.tokens, picture.networks, turn.now, picture.policy.public_url);
    if (const auto* problem = std::get_if<Problem>(&identity)) return refused(*problem);
    auto* caller = std::get_if<Caller>(&identity);
    if (route.reach == Reach::operators && !(caller && caller->is_operator())) {
        return refused({403, ErrorKind::denied, "this needs an operator's token", "", Refusal::not_allowed});
    }
    // A host's token opens what is for hosts and nothing else; and nobody else's opens that.
    const bool for_hosts = route.reach == Reach::hosts;
    const bool for_agents = route.reach == Reach::agents;
    if (for_agents && !(caller && (caller->is_host() || caller->is_operator()))) {
        return refused({403, ErrorKind::denied, "this needs a host's token: `berth host-token` makes one", "", Refusal::not_allowed});
    }
    if (route.reach != Reach::everyone && !for_agents && (caller && caller->is_host()) != for_hosts) {
        return refused({403, ErrorKind::denied, for_hosts ? "this needs a host's token: `berth host-token` makes one" : "a host's token only enrols machines", "", Refusal::not_allowed});
    }
    const auto unknown = route.style == Style::v1 ? Unknown::refused : Unknown::ignored;
    auto query = read_query(request.query, route.query, unknown);
    if (query.problem) return refused(*query.problem);
    FieldsOrProblem body;
    if (route.method == "POST") {
        const auto type = request.header("content-type");
        if (!request.body.empty() && !is_json(type) && !(type.empty() && route.style == Style::compat)) {
            return refused({415, ErrorKind::invalid, "the body has to be application/json", "", Refusal::media_type});
        }
        body = read_body(request.body, picture.policy.body_depth_max, route.body, unknown);
        if (body.problem) return refused(*body.problem);
    }
    if (needs_picture(route.operation) && !picture.ever_followed) {
        return refused(problem_of({ErrorKind::unavailable, "the ledger is not known yet: berth-broker or berth-allocator does not answer; try again"}));
    }
    return decide({picture, request, turn, route, match.parameter, caller ? std::move(*caller) : Caller{}, std::move(query.fields),
                   std::move(body.fields)});
}

}  // namespace berth::gateway
