// SPDX-License-Identifier: Apache-2.0
#include "gateway/routes.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace berth::gateway {

namespace {

using enum FieldKind;
constexpr auto required = Need::required;
constexpr auto maybe = Need::optional;

constexpr FieldRule claim_body[] = {
    {"user", name, maybe, "Whose workspace; default: the token's user. An operator's token must name one."},
    {"project", project, required, "The project. (user, project) has one workspace."},
    {"pool", name, maybe, "From this pool; default: the only one, or 'default'."},
    {"ttl_ms", duration_ms, maybe, "Length of the lease; default and cap are the pool's."},
    {"wait_ms", duration_ms, maybe, "How long to wait for it; 0 answers at once."}};
constexpr FieldRule why_body[] = {{"why", text, maybe, "For the ledger: why."}};
constexpr FieldRule end_host_body[] = {{"mode", name, maybe, "'wait' until its workspaces are over (the default), 'force' them to stop, or 'undo' an end."},
                                       {"why", text, maybe, "For the ledger: why."}};
constexpr FieldRule extend_body[] = {{"expires_at", instant, required, "The lease's new end: absolute, never earlier, capped."}};
constexpr FieldRule hold_body[] = {{"until", instant, required, "Not to be stopped for idleness before."},
                                   {"why", text, maybe, "For the ledger: why."}};
constexpr FieldRule drain_body[] = {{"by", instant, maybe, "Its workspaces stop then, and are told before; default: now."},
                                    {"why", text, maybe, "For the ledger: why."}};
constexpr FieldRule restore_body[] = {{"snapshot", id, required, "An archive of its files, as a fact home.archived names it."},
                                      {"epoch", number, required, "As that fact says."},
                                      {"host", name, maybe, "As that fact says."},
                                      {"at", instant, required, "As that fact says."},
                                      {"bytes", number, maybe, "As that fact says."},
                                      {"why", text, maybe, "For the ledger: why."}};
constexpr FieldRule token_body[] = {{"role", name, required, "'user' or 'operator'."},
                                    {"user", name, required, "The user, or the operator's name."},
                                    {"note", text, maybe, "What it is for."},
                                    {"ttl_ms", duration_ms, maybe, "Over after that; default: never."}};
constexpr FieldRule host_token_body[] = {{"pool", name, maybe, "The pool that its machines join; default: the only one, or 'default'."},
                                         {"ttl_ms", duration_ms, maybe, "No new machine after that; default: one hour."},
                                         {"uses", number, maybe, "For so many machines; default: 1."},
                                         {"note", text, maybe, "What it is for."}};
constexpr FieldRule sign_in_body[] = {{"link", text, maybe, "What stands behind '#' in a sign-in link. It works once."},
                                      {"token", text, maybe, "Or a token; the session ends with it."}};
constexpr FieldRule invite_body[] = {{"role", name, maybe, "'user' (the default) or 'operator'."},
                                     {"ttl_ms", duration_ms, maybe, "The link works for so long; default: gateway.invite_ttl."},
                                     {"note", text, maybe, "What it is for."}};
constexpr FieldRule login_body[] = {{"machine", text, maybe, "Where the command runs, as the person reads it."}};
constexpr FieldRule login_secret_body[] = {{"secret", text, required, "What the login was answered with."}};
constexpr FieldRule login_answer_body[] = {{"code", name, required, "As the command shows it."},
                                           {"answer", name, required, "'confirm' or 'refuse'."}};
constexpr FieldRule login_query[] = {{"code", name, maybe, "As the command shows it."}};
constexpr FieldRule oidc_query[] = {{"state", text, maybe, "Of the sign-in that was begun."},
                                    {"code", long_text, maybe, "The issuer's."},
                                    {"iss", text, maybe, "The issuer (RFC 9207)."},
                                    {"error", text, maybe, "Why the issuer did not sign in."},
                                    {"error_description", long_text, maybe, "The same in words."}};
constexpr FieldRule page_target_query[] = {{"to", text, maybe, "Where to go then: /open/<workspace> or /dashboard."}};
constexpr FieldRule enrol_body[] = {{"name", name, required, "The host's id: 1 to 64 of a-z A-Z 0-9 and '-'."},
                                    {"public_key", text, required, "Its CURVE key in Z85; the secret half stays where it was made."},
                                    {"incarnation", id, required, "This life of the machine."},
                                    {"clock", instant, required, "What time it has."},
                                    {"pool", name, maybe, "Where it means to go; another pool's token is refused."},
                                    {"version", text, maybe, "Of its agent."}};
constexpr FieldRule page_query[] = {{"cursor", id, maybe, "The 'next' of the page before."},
                                    {"limit", number, maybe, "Items of a page."}};
constexpr FieldRule list_query[] = {{"cursor", id, maybe, "The 'next' of the page before."},
                                    {"limit", number, maybe, "Items of a page."},
                                    {"user", name, maybe, "Only of this user."},
                                    {"state", name, maybe, "Only in this state."}};
constexpr FieldRule facts_query[] = {{"subject", id, maybe, "Only about this id."},
                                     {"from", number, maybe, "From this position."},
                                     {"cursor", id, maybe, "The 'next' of the page before."},
                                     {"limit", number, maybe, "Facts of a page."}};
constexpr FieldRule events_query[] = {{"types", words, maybe, "Beginnings of names, as 'claim.,workspace.'."},
                                      {"subject", id, maybe, "Only about this id."},
                                      {"from", id, maybe, "A position to begin at (0: the first), or the id of the last event seen."}};
constexpr FieldRule compat_claim_body[] = {{"userId", name, required, "The user."},
                                           {"projectId", project, required, "The project."}};
constexpr FieldRule compat_release_body[] = {{"userId", name, maybe, "All workspaces of this user."},
                                             {"instanceId", id, maybe, "All workspaces on this instance."},
                                             {"workspaceId", id, maybe, "This workspace."}};
constexpr FieldRule compat_destroy_body[] = {{"machineId", id, required, "The instance to end."}};
constexpr FieldRule compat_register_body[] = {{"instanceId", id, required, "The instance."},
                                              {"publicIp", text, maybe, "Its public address."},
                                              {"privateIp", text, maybe, "Its private address."}};
constexpr FieldRule compat_heartbeat_body[] = {{"instanceId", id, required, "The instance."}};

constexpr auto everyone = Reach::everyone;
constexpr auto known = Reach::known;
constexpr auto operators = Reach::operators;
constexpr auto hosts = Reach::hosts;
constexpr auto agents = Reach::agents;
constexpr auto reads = Effect::reads;
constexpr auto changes = Effect::changes;
constexpr auto v1 = Style::v1;
constexpr auto compat = Style::compat;
constexpr auto page = Style::page;

// clang-format off
#define OP(word) Operation::word, #word
constexpr Route table[] = {
    {OP(claim), "POST", "/v1/claims", known, changes, v1, "Get or make the workspace of (user, project)", {}, claim_body, "Claim"},
    {OP(list_claims), "GET", "/v1/claims", known, reads, v1, "Claims: waiting ones and those of the last two days", list_query, {}, "Claims"},
    {OP(get_claim), "GET", "/v1/claims/{id}", known, reads, v1, "One claim, without its link", {}, {}, "ClaimState"},
    {OP(list_workspaces), "GET", "/v1/workspaces", known, reads, v1, "Workspaces", list_query, {}, "Workspaces"},
    {OP(get_workspace), "GET", "/v1/workspaces/{id}", known, reads, v1, "One workspace", {}, {}, "Workspace"},
    {OP(get_tape), "GET", "/v1/workspaces/{id}/tape", known, reads, v1, "When which signal of use held it, over its last day", {}, {}, "Tape"},
    {OP(release), "POST", "/v1/workspaces/{id}/release", known, changes, v1, "Stop it and give its slot back; its files stay", {}, why_body, "Workspace"},
    {OP(stop), "POST", "/v1/workspaces/{id}/stop", known, changes, v1, "The same act as release", {}, why_body, "Workspace"},
    {OP(start), "POST", "/v1/workspaces/{id}/start", known, changes, v1, "Start a stopped one again, with its files", {}, why_body, "Workspace"},
    {OP(destroy), "POST", "/v1/workspaces/{id}/destroy", known, changes, v1, "Stop it and erase its files, for good", {}, why_body, "Workspace"},
    {OP(extend), "POST", "/v1/workspaces/{id}/extend", known, changes, v1, "Move the end of its lease; starts a stopped one", {}, extend_body, "Workspace"},
    {OP(hold), "POST", "/v1/workspaces/{id}/hold", known, changes, v1, "Do not stop it for idleness until then", {}, hold_body, "Workspace"},
    {OP(link), "POST", "/v1/workspaces/{id}/link", known, changes, v1, "A fresh one-use link to open it", {}, {}, "Claim"},
    {OP(save_home), "POST", "/v1/workspaces/{id}/save", known, changes, v1, "Archive its files now, while it runs", {}, {}, "Workspace"},
    {OP(choose_home), "POST", "/v1/workspaces/{id}/restore", known, changes, v1, "Bring that archive of its files back at its next start", {}, restore_body, "Workspace"},
    {OP(list_hosts), "GET", "/v1/hosts", operators, reads, v1, "Hosts, their slots and load", page_query, {}, "Hosts"},
    {OP(get_host), "GET", "/v1/hosts/{id}", operators, reads, v1, "One host", {}, {}, "Host"},
    {OP(cordon), "POST", "/v1/hosts/{id}/cordon", operators, changes, v1, "Place nothing new on this host", {}, why_body, "Host"},
    {OP(uncordon), "POST", "/v1/hosts/{id}/uncordon", operators, changes, v1, "Place on this host again", {}, why_body, "Host"},
    {OP(drain), "POST", "/v1/hosts/{id}/drain", operators, changes, v1, "Empty it: place nothing new there and stop what runs, now or by a time; it stays", {}, drain_body, "Host"},
    {OP(end_host), "POST", "/v1/hosts/{id}/end", operators, changes, v1, "End this host, with its machine; or undo that until its seal", {}, end_host_body, "HostEnd"},
    {OP(list_pools), "GET", "/v1/pools", known, reads, v1, "Pools: policy numbers and what there is", page_query, {}, "Pools"},
    {OP(list_facts), "GET", "/v1/facts", known, reads, v1, "The ledger: what was decided, why, on what evidence", facts_query, {}, "Facts"},
    {OP(events), "GET", "/v1/events", known, reads, v1, "Server-sent events: facts from a position, then what happens", events_query, {}, ""},
    {OP(status), "GET", "/v1/status", known, reads, v1, "Counts of hosts, slots, workspaces, claims", {}, {}, "Status"},
    {OP(health), "GET", "/v1/health", everyone, reads, v1, "Whether the parts that the gateway needs answer", {}, {}, "Health"},
    {OP(openapi), "GET", "/v1/openapi.json", everyone, reads, v1, "This document", {}, {}, "OpenApi"},
    {OP(who), "GET", "/v1/me", known, reads, v1, "Whose token this is", {}, {}, "Me"},
    {OP(end_own_token), "POST", "/v1/me/end", known, changes, v1, "End the very token, or session, that this is asked with", {}, {}, "Revoked"},
    {OP(list_tokens), "GET", "/v1/tokens", operators, reads, v1, "Tokens, without their text", {}, {}, "Tokens"},
    {OP(mint_token), "POST", "/v1/tokens", operators, changes, v1, "Mint a token; its text is shown this once", {}, token_body, "Token"},
    {OP(revoke_token), "POST", "/v1/tokens/{id}/revoke", operators, changes, v1, "End a token", {}, {}, "Revoked"},
    {OP(mint_host_token), "POST", "/v1/host-tokens", operators, changes, v1, "Mint a token by which machines enrol; its text is shown this once", {}, host_token_body, "HostToken"},
    {OP(enrol), "POST", "/v1/enrol", hosts, changes, v1, "A machine enrols its key, and learns what its agent needs", {}, enrol_body, "Enrolled"},
    {OP(get_enrolment), "GET", "/v1/enrol/{id}", hosts, reads, v1, "What became of a machine that enrolled", {}, {}, "Enrolment"},
    {OP(get_session), "GET", "/v1/session", everyone, reads, v1, "Who is signed in here, and how one can", {}, {}, "Session"},
    {OP(sign_in), "POST", "/v1/session", everyone, changes, v1, "Sign in by a one-time link or a token; the answer sets a cookie", {}, sign_in_body, "Session"},
    {OP(sign_out), "POST", "/v1/session/end", known, changes, v1, "Sign out: ends the session of the cookie", {}, {}, "Session"},
    {OP(list_users), "GET", "/v1/users", operators, reads, v1, "Who may come in, and who has workspaces", page_query, {}, "Users"},
    {OP(invite_user), "POST", "/v1/users/{id}/invite", operators, changes, v1, "Make a sign-in link, which works once; it is shown this once", {}, invite_body, "Invite"},
    {OP(end_user), "POST", "/v1/users/{id}/end", operators, changes, v1, "End all sessions, sign-in links and tokens of a user", {}, {}, "UserEnded"},
    {OP(open_workspace), "GET", "/open/{id}", everyone, reads, page, "Lead a signed-in browser to a workspace, which it can start here", {}, {}, ""},
    {OP(open_script), "GET", "/dashboard/open.js", everyone, reads, page, "Its script", {}, {}, ""},
    {OP(sign_in_page), "GET", "/sign-in", everyone, reads, page, "Where people sign in", page_target_query, {}, ""},
    {OP(sign_in_script), "GET", "/dashboard/sign_in.js", everyone, reads, page, "Its script", {}, {}, ""},
    {OP(begin_login), "POST", "/v1/logins", everyone, changes, v1, "A command wants to act for a person: the code that the person confirms", {}, login_body, "Login"},
    {OP(take_login), "POST", "/v1/logins/{id}/token", everyone, changes, v1, "The token of a login that was confirmed, once; 'waiting' before", {}, login_secret_body, "LoginToken"},
    {OP(get_login), "GET", "/v1/logins", known, reads, v1, "Which command asks with this code", login_query, {}, "LoginAsked"},
    {OP(answer_login), "POST", "/v1/logins/answer", known, changes, v1, "Confirm or refuse it, as oneself", {}, login_answer_body, "LoginAsked"},
    {OP(login_page), "GET", "/sign-in/login", everyone, reads, page, "Where a person confirms a login", login_query, {}, ""},
    {OP(login_script), "GET", "/dashboard/login.js", everyone, reads, page, "Its script", {}, {}, ""},
    {OP(begin_oidc), "GET", "/sign-in/oidc", everyone, reads, page, "Leads to the issuer's sign-in", page_target_query, {}, ""},
    {OP(end_oidc), "GET", "/sign-in/oidc/done", everyone, reads, page, "Where the issuer leads back to", oidc_query, {}, ""},
    {OP(healthz), "GET", "/healthz", everyone, reads, page, "The process answers", {}, {}, "Alive"},
    {OP(livez), "GET", "/livez", everyone, reads, page, "The process answers", {}, {}, "Alive"},
    {OP(readyz), "GET", "/readyz", everyone, reads, page, "What it needs answers too; 503 when not", {}, {}, "Health"},
    {OP(metrics), "GET", "/metrics", everyone, reads, page, "Prometheus text", {}, {}, ""},
    {OP(dashboard), "GET", "/dashboard", everyone, reads, page, "The dashboard; it asks for a token", {}, {}, ""},
    {OP(dashboard_script), "GET", "/dashboard/app.js", everyone, reads, page, "Its script", {}, {}, ""},
    {OP(dashboard_stream), "GET", "/dashboard/stream.js", everyone, reads, page, "The event stream that its tabs share", {}, {}, ""},
    {OP(dashboard_style), "GET", "/dashboard/style.css", everyone, reads, page, "Its style", {}, {}, ""},
    {OP(home), "GET", "/", everyone, reads, page, "The dashboard", {}, {}, ""},
    {OP(compat_health), "GET", "/health", everyone, reads, compat, "Whether the parts that the gateway needs answer", {}, {}, "Health"},
    {OP(compat_status), "GET", "/status", operators, reads, compat, "Machines, as older clients read them", {}, {}, "CompatStatus"},
    {OP(compat_claim), "POST", "/claim", known, changes, compat, "Get or make the workspace of (userId, projectId)", {}, compat_claim_body, "CompatClaim"},
    {OP(compat_release), "POST", "/release", known, changes, compat, "Stop workspaces by user, instance or id", {}, compat_release_body, "CompatDone"},
    {OP(compat_destroy), "POST", "/destroy", operators, changes, compat, "End an instance", {}, compat_destroy_body, "CompatDone"},
    {OP(compat_register), "POST", "/register", agents, changes, compat, "A foreign agent reports its instance", {}, compat_register_body, "CompatDone"},
    {OP(compat_heartbeat), "POST", "/heartbeat", agents, changes, compat, "A foreign agent is alive", {}, compat_heartbeat_body, "CompatDone"},
    {OP(compat_project), "GET", "/{project}", known, changes, compat, "Get or make the caller's workspace of this project", {}, {}, "CompatProject"},
};
#undef OP
// clang-format on

constexpr std::size_t segments_max = 8;

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> found;
    while (!path.empty() && found.size() <= segments_max) {
        path.remove_prefix(1);  // the slash
        const auto end = path.find('/');
        found.push_back(path.substr(0, end));
        path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
    }
    return found;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

const std::set<std::string, std::less<>>& reserved() {
    static const std::set<std::string, std::less<>> words = [] {
        std::set<std::string, std::less<>> made{"v2", "admin", "assets", "login", "logout", "_berth", "favicon.ico", "robots.txt"};
        for (const auto& route : table) {
            const auto first = segments_of(route.path).front();
            if (!first.empty() && !is_parameter(first)) made.emplace(first);
        }
        return made;
    }();
    return words;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::span<const Route> routes() { return table; }

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus_is_space) c = ' ';
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        out += c;
    }
    return out;
}

Match match_route(std::string_view method, std::string_view path) {
    Match match;
    if (!path.starts_with('/')) return match;
    const auto wanted = segments_of(path);
    for (const auto& route : table) {
        const auto have = segments_of(route.path);
        if (have.size() != wanted.size()) continue;
        std::string parameter;
        bool fits = true;
        for (std::size_t i = 0; fits && i < have.size(); ++i) {
            if (!is_parameter(have[i])) {
                fits = have[i] == wanted[i];
                continue;
            }
            auto decoded = percent_decoded(wanted[i], false);
            fits = decoded && !decoded->empty();
            if (fits) parameter = std::move(*decoded);
        }
        // Reserved words are no projects, so that a misspelt method of theirs is no claim.
        if (!fits || (route.operation == Operation::compat_project && is_reserved(parameter))) continue;
        match.path_known = true;
        const bool has_head = route.method == "GET" && route.effect == Effect::reads && route.operation != Operation::events &&
                              route.operation != Operation::open_workspace && route.operation != Operation::begin_oidc &&
                              route.operation != Operation::end_oidc;
        match.allow += (match.allow.empty() ? "" : ", ") + std::string{route.method};
        match.has_head = match.has_head || has_head;
        const bool as_head = method == "HEAD" && has_head;
        if (!match.route && (route.method == method || as_head)) {
            match.route = &route;
            match.parameter = std::move(parameter);
        }
    }
    return match;
}

bool is_reserved(std::string_view project) { return reserved().contains(project); }

}  // namespace berth::gateway
