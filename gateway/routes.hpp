// SPDX-License-Identifier: Apache-2.0
// The one table of the HTTP surface: method, path, who may, what it takes and gives. Requests are
// matched by it, bodies are checked by it, the OpenAPI document is written from it, and the first
// words of its paths are the names that no project may have. A route that is not here answers 404.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::gateway {

inline constexpr std::uint64_t host_token_uses_max = 10'000;   // machines that one token lets in

enum class Operation {
           claim, list_claims, get_claim, list_workspaces, get_workspace, get_tape, release, stop, start, destroy,
           extend, hold, link, save_home, choose_home, list_hosts, get_host, cordon, uncordon, drain, end_host, list_pools, list_facts, events, status, health,
           openapi, who, end_own_token, list_tokens, mint_token, revoke_token, mint_host_token, enrol, get_enrolment, get_session, sign_in, sign_out,
           list_users, invite_user, end_user, open_workspace, sign_in_page, sign_in_script, open_script, begin_oidc, end_oidc,
           begin_login, take_login, get_login, answer_login, login_page, login_script, healthz, livez, readyz, metrics, dashboard,
           dashboard_script, dashboard_stream, dashboard_style, home, compat_health, compat_status, compat_claim, compat_release,
           compat_destroy, compat_register, compat_heartbeat, compat_project
};

enum class Reach {
    everyone,    // without a token
    known,       // any token; users see and touch what is theirs
    operators,
    hosts,       // a host's token, and no other
    agents       // a host's token, or an operator's
};
enum class Effect { reads, changes };
enum class Style {
    v1,          // problem+json
    compat,      // {"error": "…"}
    page         // for people and monitoring
};

BERTH_ENUM(FieldKind,
           name,         // 1–64 of [a-zA-Z0-9._@-]
           project,      // a name that is not reserved
           id,           // 1–128 of [a-zA-Z0-9._:@/-]
           text,         // up to 200 characters, none of them a control character
           duration_ms,  // whole number of milliseconds
           instant,      // RFC 3339
           number,       // whole number, not negative
           words,        // comma-separated words, up to 500 characters
           long_text)    // up to 4000 characters, none of them a control character

enum class Need { optional, required };

struct FieldRule {
    std::string_view name;
    FieldKind kind;
    Need need;
    std::string_view meaning;
};

struct Route {
    Operation operation;
    std::string_view name;                // of the operation, in documents
    std::string_view method;
    std::string_view path;                // "/v1/workspaces/{id}/stop"
    Reach reach;
    Effect effect;
    Style style;
    std::string_view summary;
    std::span<const FieldRule> query;
    std::span<const FieldRule> body;
    std::string_view answer;              // name of the schema of its good answer; empty: no JSON
};

std::span<const Route> routes();

struct Match {
    const Route* route = nullptr;         // null: none
    bool path_known = false;              // with another method
    std::string allow;                    // the methods of that path in the table
    bool has_head = false;                // and HEAD beside them
    std::string parameter;                // what stands for {…}, decoded
};
Match match_route(std::string_view method, std::string_view path);

/// The first words of the table's paths, and a few that browsers and crawlers ask for.
bool is_reserved(std::string_view project);

/// %41 and, in a query, '+'. Nothing when it is malformed or hides a NUL.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace berth::gateway
