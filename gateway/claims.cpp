// SPDX-License-Identifier: Apache-2.0
// The three routes that ask for a workspace.
#include <algorithm>
#include <charconv>

#include "gateway/asked.hpp"

namespace berth::gateway {

namespace {

constexpr Duration claim_slack{10'000};  // over the claim's own deadline: then the bus failed us
constexpr std::size_t key_max = 128;

// "abc" in quotes, as the draft wants it, or bare.
Result<std::optional<IdempotencyKey>> key_of(const HttpRequest& request) {
    auto text = request.header("idempotency-key");
    if (text.empty()) return std::optional<IdempotencyKey>{};
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"'; });
    if (text.empty() || text.size() > key_max || !plain) {
        return fail(ErrorKind::invalid, "Idempotency-Key: 1 to {} visible characters, in quotes or bare", key_max);
    }
    return std::optional{IdempotencyKey{std::string{text}}};
}

std::optional<Duration> preferred_wait(const HttpRequest& request) {
    const auto prefer = request.header("prefer");
    const auto at = prefer.find("wait=");
    if (at == std::string_view::npos) return std::nullopt;
    unsigned seconds = 0;
    const auto* begin = prefer.data() + at + 5;
    const auto [stop, error] = std::from_chars(begin, prefer.data() + prefer.size(), seconds);
    return error == std::errc{} && stop != begin ? std::optional{Duration{seconds * 1000LL}} : std::nullopt;
}

Step claim_of(const Asked& asked, const UserId& user, const ProjectName& project, const IdempotencyKey& key) {
    const auto& policy = asked.picture.policy;
    ClaimRequest request{.key = key, .user = user, .project = project, .principal = asked.caller.principal()};
    if (const auto pool = asked.body.text("pool")) request.pool = PoolName{*pool};
    request.ttl_ms = asked.body.duration("ttl_ms");
    auto wait = asked.body.duration("wait_ms");
    if (!wait) wait = preferred_wait(asked.request);
    request.wait_ms = std::min(wait.value_or(policy.claim_wait), policy.claim_wait_max);
    auto dress = asked.dress();
    dress.known_before = asked.picture.view.claim_of(*request.principal, key) != nullptr;
    // Even who does not wait is answered when the start ends, so the bound is that of a wait.
    const auto timeout = std::max(*request.wait_ms, policy.claim_wait) + claim_slack;
    return Ask{std::move(request), timeout, std::move(dress)};
}

// Older clients send no key; each of their requests is its own, and (user, project) has one workspace.
Step older_claim(const Asked& asked, const UserId& user, const std::string& project) {
    if (!asked.caller.may_act_for(user)) return asked.not_allowed(fmt::format("this token may not claim for user {}", user.value));
    const auto key = key_of(asked.request);
    if (!key) return asked.bad_key(key.error().text);
    return claim_of(asked, user, ProjectName{project}, key->value_or(IdempotencyKey{"http-" + asked.turn.request_id}));
}

}  // namespace

Step claim(const Asked& asked) {
    const auto key = key_of(asked.request);
    if (!key) return asked.bad_key(key.error().text);
    if (!*key) {
        return asked.bad_key("the header Idempotency-Key is missing: with it, asking again gives the same workspace and never a second one");
    }
    const auto named = asked.body.text("user");
    if (!named && asked.caller.is_operator()) return asked.bad_field("user", "is missing: an operator's token names whose workspace");
    const UserId user = named ? UserId{*named} : asked.caller.user;
    if (!asked.caller.may_act_for(user)) return asked.not_allowed(fmt::format("this token may not claim for user {}", user.value));
    return claim_of(asked, user, ProjectName{*asked.body.text("project")}, **key);
}

Step compat_claim(const Asked& asked) {
    return older_claim(asked, UserId{*asked.body.text("userId")}, *asked.body.text("projectId"));
}

Step compat_project(const Asked& asked) {
    if (!asked.picture.compat.claim_by_get) {
        return asked.refused(ErrorKind::not_found, "GET /<project> is switched off here (compat.claim_by_get); POST /v1/claims instead");
    }
    if (const auto checked = check_name("project", asked.parameter); !checked) {
        return asked.refused({400, ErrorKind::invalid, checked.error().text, "projectId", Refusal::bad_field});
    }
    return older_claim(asked, asked.caller.user, asked.parameter);
}

}  // namespace berth::gateway
