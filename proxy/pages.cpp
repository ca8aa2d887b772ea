// SPDX-License-Identifier: Apache-2.0
#include "proxy/pages.hpp"

#include <fmt/format.h>

namespace berth::proxy {

namespace {

struct Words {
    unsigned status;
    std::string_view title;
    std::string_view text;
    unsigned retry_after_s = 0;
};

constexpr std::string_view open_again =
    "Open it again from the dashboard, or with <code>berth open</code>.";

Words words_for(Refusal why) {
    switch (why) {
        case Refusal::malformed:
            return {400, "This request cannot be read", "It is not HTTP as every server would read it."};
        case Refusal::head_too_large:
            return {431, "This request's head is too large",
                    "Most likely a program of this workspace has set cookies that are too large. They can be dropped: "
                    "press again while this page comes back."};
        case Refusal::cookies_too_large:
            return {431, "The cookies of this program are too large",
                    "Programs that run in this workspace have set more cookies than a server takes. The editor works on "
                    "without them; for this page to work they have to be dropped."};
        case Refusal::method_refused:
            return {405, "This method is not served", "CONNECT and TRACE never are; here only GET is."};
        case Refusal::no_such_page:
            return {404, "There is no such page", "Addresses below /_berth/ are the proxy's own."};
        case Refusal::unknown_workspace:
            return {404, "No workspace is at this address",
                    "It may have moved to another host, or ended. See the dashboard, or <code>berth "
                    "list</code>."};
        case Refusal::starting: return {503, "The workspace is starting", "Try again in a moment.", 2};
        case Refusal::stopped:
            return {410, "The workspace has stopped",
                    "Its files are kept. Start it again from the dashboard, or with <code>berth start</code>."};
        case Refusal::unconfirmed:
            return {503, "This host has lost its control plane",
                    "The workspace runs on; access comes back as soon as the host hears from it again.", 15};
        case Refusal::no_session: return {401, "You have no session for this workspace", open_again};
        case Refusal::cookie_lost:
            return {401, "Your browser did not keep the session",
                    "A link was opened here a moment ago, but the cookie that it gave did not come back. Allow cookies "
                    "for this address (a private window, an extension or a page within a page may refuse them), then "
                    "open the same link again: it is not used up and is good for a minute."};
        case Refusal::ended_session: return {401, "Your session for this workspace has ended", open_again};
        case Refusal::other_session:
            return {403, "This workspace is not yours", "Your session is for another one."};
        case Refusal::foreign_origin:
            return {403, "Another site asked for this",
                    "Only the workspace's own pages may connect or change something."};
        case Refusal::bad_link:
            return {403, "This link does not work here",
                    "A link is good for one minute. Ask for a new one: from the dashboard, or with "
                    "<code>berth open</code>."};
        case Refusal::used_link:
            return {
                403, "This link was used before",
                "A link works once. Ask for a new one: from the dashboard, or with <code>berth open</code>."};
        case Refusal::prefetched:
            return {403, "This link was not opened", "It works once, and only as a page of its own."};
        case Refusal::too_many:
            return {503, "Too many connections are open", "Close some pages of this workspace.", 5};
        case Refusal::memory_unreadable:
            return {503, "The host cannot read its memory",
                    "Nobody can be let in until it can. Ask who runs berth here.", 5};
        case Refusal::container_refused:
            return {502, "The workspace does not answer", "It may be starting again; try in a moment.", 2};
        case Refusal::container_silent: return {504, "The workspace took too long to answer", "Try again."};
        case Refusal::container_broken: return {502, "The workspace gave no proper answer", "Try again."};
    }
    return {500, "Something went wrong", ""};
}

/// A new link would help, or a look at what became of the workspace.
bool has_way_back(Refusal why) {
    return is_led_back(why) || why == Refusal::cookie_lost || why == Refusal::other_session ||
           why == Refusal::bad_link || why == Refusal::used_link;
}

std::string plain(std::string_view text) {
    std::string result;
    bool inside = false;
    for (const char letter : text) {
        if (letter == '<') inside = true;
        if (!inside) result += letter;
        if (letter == '>') inside = false;
    }
    return result;
}

std::string forget_button(std::string_view root) {
    return fmt::format("<form method=\"post\" action=\"{}{}\"><button class=\"button\">Drop these cookies</button></form>",
                       forget_path, root);
}

bool wants_json(std::string_view accept) {
    const auto json = accept.find("json");
    return json != std::string_view::npos && json < accept.find("text/html");
}

}  // namespace

std::string way_back(std::string_view gateway_url, const WorkspaceId& workspace) {
    return gateway_url.empty() ? std::string{} : fmt::format("{}/open/{}", gateway_url, workspace.value);
}

bool is_led_back(Refusal why) {
    return why == Refusal::no_session || why == Refusal::ended_session || why == Refusal::stopped || why == Refusal::unknown_workspace;
}

Answer refuse(Refusal why, std::string_view accept, std::string_view detail, std::string_view back,
              std::string_view root) {
    const auto words = words_for(why);
    Answer answer{.status = words.status, .retry_after_s = words.retry_after_s};
    const bool shows_back = !back.empty() && has_way_back(why);
    if (wants_json(accept)) {
        answer.type = "application/problem+json";
        answer.body =
            fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"detail":"{}","code":"{}"{}}})"
                        "\n",
                        words.title, words.status, detail.empty() ? plain(words.text) : std::string{detail},
                        to_string(why), shows_back ? fmt::format(R"(,"open":"{}")", back) : "");
        return answer;
    }
    answer.type = "text/html; charset=utf-8";
    const auto again = words.retry_after_s == 0   // a page that mends itself looks for itself
                           ? std::string{}
                           : fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">", words.retry_after_s);
    answer.body = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\">"
        "<title>{0}</title>{5}<link rel=\"stylesheet\" href=\"/_berth/page.css\">\n"
        "<main><h1>{0}</h1><p>{1}</p>{2}{6}<p class=\"code\">{3} {4}</p></main></html>\n",
        words.title, words.text, detail.empty() ? std::string{} : fmt::format("<p>{}.</p>", detail),
        words.status, to_string(why), again,
        why == Refusal::head_too_large || why == Refusal::cookies_too_large ? forget_button(root)
        : shows_back ? fmt::format("<p><a class=\"button\" href=\"{}\">Open it again</a></p>", back) : std::string{});
    return answer;
}

Answer health() { return {.type = "application/json", .body = "{\"status\":\"ok\"}\n"}; }

Answer style_sheet() {
    return {
        .type = "text/css; charset=utf-8",
        .body =
            ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}"
            "main{max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.5rem;line-height:1.25}"
            ".button{display:inline-block;font:inherit;color:inherit;border:1px solid;border-radius:.4rem;"
            "padding:.4rem .9rem;background:none;text-decoration:none;cursor:pointer}"
            "code{font-family:ui-monospace,monospace}.code{opacity:.7;font-size:.85rem;margin-top:2rem}\n"};
}

Answer redirect(std::string location, std::string cookie) {
    Answer answer{.status = 302, .location = std::move(location)};
    if (!cookie.empty()) answer.cookies.push_back(std::move(cookie));
    return answer;
}

Answer forgotten(std::string location, std::vector<std::string> cookies) {
    return {.status = 303, .location = std::move(location), .cookies = std::move(cookies)};
}

}  // namespace berth::proxy
