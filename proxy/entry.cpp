// SPDX-License-Identifier: Apache-2.0
// What the proxy answers itself: links that become sessions, its own pages, and refusals.
#include "proxy/connection.hpp"

#include <sys/socket.h>

#include <boost/asio/write.hpp>

#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "proxy/head.hpp"
#include "proxy/names.hpp"

namespace berth::proxy {

namespace {

constexpr std::string_view open_prefix = "/_berth/open?token=";

}  // namespace

net::awaitable<Connection::Next> Connection::serve_own(std::string_view path) {
    const auto method = request_->get().method();
    if (path.starts_with(forget_path)) {
        if (method != http::verb::post) co_return co_await answer_refusal(Refusal::method_refused);
        if (const auto ours = judge_provenance(false); !ours) co_return co_await answer_refusal(ours.error());
        co_return co_await forget_cookies(path, values_of(request_->get(), "Cookie"));
    }
    if (method != http::verb::get && method != http::verb::head) {
        co_return co_await answer_refusal(Refusal::method_refused);
    }
    if (path == "/_berth/health") {
        auto with = health();
        co_return co_await answer(std::move(with));
    }
    if (path == "/_berth/page.css") {
        auto with = style_sheet();
        co_return co_await answer(std::move(with));
    }
    if (!path.starts_with(open_prefix)) co_return co_await answer_refusal(Refusal::no_such_page);
    const std::string token{path.substr(open_prefix.size())};
    auto cookie = co_await open_link(token);
    if (!cookie) co_return co_await answer_refusal(cookie.error());
    auto with = redirect(context_.policy.landing, std::move(*cookie));
    co_return co_await answer(std::move(with));
}

net::awaitable<Connection::Next> Connection::forget_cookies(std::string_view path,
                                                            std::vector<std::string_view> fields) {
    const auto root = preview_root(path.substr(forget_path.size()));
    std::vector<std::string> ended;
    for (const auto& name : foreign_cookie_names(fields, cookies_dropped_max)) {
        for (auto& one : ended_cookies(name, outward_.host, root)) ended.push_back(std::move(one));
    }
    log_info("cookies.forgotten", {{"host", outward_.host}, {"fields", ended.size()}});
    auto with = forgotten(root.empty() ? "/" : fmt::format("{}/", root), std::move(ended));
    co_return co_await answer(std::move(with));
}

/// The head is too long to be read, and stays so with every request until its cookies are dropped.
net::awaitable<void> Connection::answer_long_head(std::string_view beginning) {
    const auto seen = glimpse_of(beginning);
    if (seen.method != "POST" || !seen.path.starts_with(forget_path)) {
        co_await answer_refusal(Refusal::head_too_large, {}, preview_root(seen.path));
        co_return;
    }
    outward_.host = seen.host;
    std::vector<std::string_view> fields;
    if (!seen.cookies.empty()) fields.push_back(seen.cookies);
    co_await forget_cookies(seen.path, std::move(fields));
}

/// Gives the browser a session for a link: the value of Set-Cookie, empty when it has one already. The
/// link is used up only when that session comes back (keep_link), so a browser that keeps no cookie, or
/// an answer that is lost, costs nobody a link; and of the sessions of one link, one alone is ever good.
net::awaitable<Judged<std::string>> Connection::open_link(std::string token) {
    const auto workspace = outward_.workspace;
    if (!workspace) co_return tl::make_unexpected(Refusal::unknown_workspace);
    const auto& head = request_->get();
    if (head.method() != http::verb::get) co_return tl::make_unexpected(Refusal::method_refused);
    for (const std::string_view name : {"Purpose", "Sec-Purpose", "X-Moz", "X-Purpose"}) {
        for (const auto value : values_of(head, name)) {
            if (is_prefetch(value, "")) co_return tl::make_unexpected(Refusal::prefetched);
        }
    }
    for (const auto value : values_of(head, "Sec-Fetch-Dest")) {
        if (is_prefetch("", value)) co_return tl::make_unexpected(Refusal::prefetched);
    }
    auto route = find_route(*workspace);
    if (!route) co_return tl::make_unexpected(route.error());
    const auto link = judge_link(token, *workspace, context_.host, context_.kv.secret(), now());
    Refusal why = Refusal::bad_link;
    if (link && link->epoch == route->epoch && link->user == route->user) {
        const auto holder = context_.kv.link_holder(link->id);
        if (!holder) co_return tl::make_unexpected(Refusal::memory_unreadable);
        if (!*holder) {
            context_.opened[*workspace] = now();
            log_info("link.opened", {{"workspace", *workspace}, {"epoch", route->epoch}});
            co_return new_session(*route, session_of_link(link->id, random_hex(session_id_bytes)));
        }
        why = Refusal::used_link;
    }
    const auto session = co_await judge_request(*route, false);
    if (session) co_return std::string{};   // the page was loaded again: no harm, no new session
    co_return tl::make_unexpected(why);
}

/// The value of Set-Cookie.
std::string Connection::new_session(const RouteRecord& route, std::string id) const {
    const auto& lifetime = context_.policy.session_lifetime;
    const TokenClaims session{.purpose = TokenPurpose::session,
                              .host = context_.host,
                              .workspace = route.workspace,
                              .epoch = route.epoch,
                              .user = route.user,
                              .id = std::move(id),
                              .expires_at = now() + lifetime};
    return set_cookie(cookie_name(outward_.scheme, route.workspace, apart()), mint_token(session, context_.kv.secret()), lifetime);
}

net::awaitable<Connection::Next> Connection::answer_refusal(Refusal why, std::string_view detail,
                                                            std::string_view root) {
    ++context_.counters.refused;
    log_line(LogLevel::debug, "refused", {{"why", why}, {"host", outward_.host}, {"detail", detail}});
    const auto back = outward_.workspace && request_ ? way_back(context_.policy.gateway_url, *outward_.workspace) : "";
    const bool by_person = request_ && request_->get().method() == http::verb::get &&
                           field_is("Sec-Fetch-Mode", "navigate") && field_is("Sec-Fetch-Dest", "document");
    // A link that is refused does not lead to another one: nobody is sent round and round.
    const bool by_link = request_ && request_->get().target().starts_with("/_berth/");
    auto with = by_person && !by_link && !back.empty() && is_led_back(why) ? redirect(back, "")
                                                               : refuse(why, field(http::field::accept), detail, back, root);
    const auto next = co_await answer(std::move(with));
    co_return why == Refusal::malformed || why == Refusal::head_too_large ? Next::close : next;
}

/// Keeps the connection only when the request had no body that would still have to be read.
net::awaitable<Connection::Next> Connection::answer(Answer with) {
    enter(Phase::answering);
    limit_browser(context_.policy.head_timeout);
    const bool keep = request_ && request_->is_done() && request_->get().version() == 11 &&
                      request_->keep_alive() && !context_.draining;
    http::response<http::buffer_body> head;
    head.version(11);
    head.result(with.status);
    head.set(http::field::cache_control, "no-store");
    head.set(http::field::content_type, boost::beast::string_view{with.type.data(), with.type.size()});
    head.set("X-Content-Type-Options", "nosniff");
    head.set("Referrer-Policy", "no-referrer");
    head.set("Content-Security-Policy",
             "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'");
    if (with.status == 401) head.set(http::field::www_authenticate, "Berth-Link");
    if (with.status == 405) head.set(http::field::allow, "GET");
    if (with.retry_after_s > 0) head.set(http::field::retry_after, std::to_string(with.retry_after_s));
    if (!with.location.empty()) head.set(http::field::location, with.location);
    for (const auto& cookie : with.cookies) head.insert(http::field::set_cookie, cookie);
    if (!keep) head.set(http::field::connection, "close");
    head.content_length(with.body.size());
    if (!request_ || request_->get().method() != http::verb::head) {
        head.body().data = with.body.data();
        head.body().size = with.body.size();
    }
    head.body().more = false;
    const auto end = head.body().data == nullptr || head.body().size == 0 ? WriteUpTo::head : WriteUpTo::body;
    http::response_serializer<http::buffer_body> writer{head};
    answer_begun_ = true;
    const bool written = co_await write_to_browser(writer, end);
    if (!written) co_return Next::close;
    if (!keep) co_await linger();
    co_return keep ? Next::keep : Next::close;
}

/// Reads on for a moment, so that what the browser still sends does not make TCP throw the answer away.
net::awaitable<void> Connection::linger() {
    if (context_.tls != nullptr) co_return;
    ErrorCode error;
    limit_browser(context_.policy.linger);
    browser_.socket().shutdown(tcp::socket::shutdown_send, error);
    if (upload_running_) {   // it reads, and throws away what it reads
        leave_container();
        co_await wait_for_upload(context_.policy.linger);
        co_return;
    }
    std::size_t read = 0;
    Chunk chunk(context_.chunks);
    while (!error && read < linger_bytes_max) {
        read += co_await browser_.async_read_some(net::mutable_buffer(chunk.bytes(), chunk_bytes),
                                                  net::redirect_error(net::use_awaitable, error));
    }
}

}  // namespace berth::proxy
