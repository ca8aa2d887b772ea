// SPDX-License-Identifier: Apache-2.0
// berth-workspace: the environment of the process engine. A small web server on 127.0.0.1 that is
// started without a user and learns its home later, from bind.json in its slot's folder: enough for
// tests, benches and machines without containers.
//
//   GET /         a page that names workspace, user and home       GET /healthz  as code-server's
//   GET /sse      one tick each 100 ms, ?count=N of them           POST /echo    the body, streamed back
//   WS  /ws       "write NAME TEXT" and "read NAME" in the home; all else comes back as it is
#include <CLI/CLI.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "base/result.hpp"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::use_awaitable;
using asio::ip::tcp;
using Parser = http::request_parser<http::buffer_body>;

constexpr std::uint64_t body_bytes_max = 1ULL << 30;
constexpr std::size_t message_bytes_max = 16 * 1024 * 1024;
constexpr std::uint32_t header_bytes_max = 64 * 1024;
constexpr int ticks_max = 100'000;
constexpr std::chrono::milliseconds tick{100};
constexpr std::chrono::milliseconds alive_for{1'000};

struct Bound {
    std::string workspace, user, project, home;
};

/// One file directly in the home.
berth::Result<void> check_file_name(const std::string& name) {
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos || name.size() > 64) {
        return berth::fail(berth::ErrorKind::invalid, "a name has 1 to 64 characters, no '/' and no '.' in front");
    }
    return {};
}

class Workspace {
public:
    explicit Workspace(std::string folder) : folder_(std::move(folder)) {}

    /// Nothing until it was given to somebody.
    const std::optional<Bound>& bound() {
        if (bound_) return bound_;
        std::ifstream file(folder_ + "/bind.json");
        const auto body = nlohmann::json::parse(file, nullptr, false);
        if (body.is_object()) {
            bound_ = Bound{body.value("workspace", ""), body.value("user", ""), body.value("project", ""), body.value("home", "")};
        }
        return bound_;
    }
    const std::string& folder() const { return folder_; }

    void used() { last_use_ = now_ms(); }
    std::string health() const {
        const bool alive = last_use_ > 0 && now_ms() - last_use_ < alive_for.count();
        return nlohmann::json{{"status", alive ? "alive" : "expired"}, {"lastHeartbeat", last_use_}}.dump();
    }

    /// The answer to one text message.
    std::string obey(const std::string& text) {
        std::istringstream words(text);
        std::string verb, name;
        words >> verb;
        if (verb != "write" && verb != "read") return text;
        words >> name;
        if (!bound()) return "error: no home yet";
        if (const auto good = check_file_name(name); !good) return "error: " + good.error().text;
        const auto path = bound_->home + "/" + name;
        if (verb == "write") {
            std::string content;
            std::getline(words >> std::ws, content, '\0');
            std::ofstream file(path, std::ios::trunc);
            file << content << std::flush;
            return file ? "written " + name : "error: cannot write " + name;
        }
        std::ifstream file(path);
        std::ostringstream content;
        content << file.rdbuf();
        return file ? content.str() : "error: no file " + name;
    }

private:
    static std::int64_t now_ms() {
        const auto since = std::chrono::system_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    }

    std::string folder_;
    std::optional<Bound> bound_;
    std::int64_t last_use_ = 0;
};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<') out += "&lt;";
        else if (c == '&') out += "&amp;";
        else out += c;
    }
    return out;
}

std::string page(Workspace& workspace) {
    const auto& bound = workspace.bound();
    const auto body = bound ? fmt::format("<h1>{}</h1><p>project {} of {}</p><p>home {}</p><p>folder {}</p>", escaped(bound->workspace),
                                          escaped(bound->project), escaped(bound->user), escaped(bound->home), escaped(workspace.folder()))
                            : fmt::format("<h1>nobody's workspace</h1><p>folder {}</p>", escaped(workspace.folder()));
    return "<!doctype html><html lang=en><meta charset=utf-8><title>berth workspace</title><body>" + body + "</body></html>\n";
}

asio::awaitable<void> answer(beast::tcp_stream& stream, const Parser& parser, http::status status, const std::string& type, std::string body) {
    http::response<http::string_body> response{status, parser.get().version()};
    response.set(http::field::content_type, type);
    response.set(http::field::cache_control, "no-store");
    response.keep_alive(parser.get().keep_alive());
    response.body() = std::move(body);
    response.prepare_payload();
    if (parser.get().method() == http::verb::head) response.body().clear();
    co_await http::async_write(stream, response, use_awaitable);
}

/// Reads the body and throws it away, so that the connection can be used again.
asio::awaitable<void> skip_body(beast::tcp_stream& stream, beast::flat_buffer& buffer, Parser& parser) {
    std::array<char, 16 * 1024> piece{};
    while (!parser.is_done()) {
        parser.get().body().data = piece.data();
        parser.get().body().size = piece.size();
        beast::error_code error;
        co_await http::async_read(stream, buffer, parser, asio::redirect_error(use_awaitable, error));
        if (error && error != http::error::need_buffer) throw beast::system_error(error);
    }
}

asio::awaitable<void> echo(beast::tcp_stream& stream, beast::flat_buffer& buffer, Parser& parser) {
    const auto& request = parser.get();
    if (request[http::field::expect] == "100-continue") {
        http::response<http::empty_body> go_on{http::status::continue_, request.version()};
        co_await http::async_write(stream, go_on, use_awaitable);
    }
    http::response<http::buffer_body> response{http::status::ok, request.version()};
    response.set(http::field::content_type, "application/octet-stream");
    response.keep_alive(request.keep_alive());
    if (const auto length = parser.content_length()) response.content_length(*length);
    else response.chunked(true);
    response.body().data = nullptr;
    response.body().more = true;
    http::response_serializer<http::buffer_body> serializer{response};
    co_await http::async_write_header(stream, serializer, use_awaitable);
    std::vector<char> piece(64 * 1024);
    for (bool more = true; more;) {
        parser.get().body().data = piece.data();
        parser.get().body().size = piece.size();
        beast::error_code error;
        if (!parser.is_done()) co_await http::async_read(stream, buffer, parser, asio::redirect_error(use_awaitable, error));
        if (error && error != http::error::need_buffer) throw beast::system_error(error);
        more = !parser.is_done();
        response.body().data = piece.data();
        response.body().size = piece.size() - parser.get().body().size;
        response.body().more = more;
        if (more && response.body().size == 0) continue;
        error = {};
        co_await http::async_write(stream, serializer, asio::redirect_error(use_awaitable, error));
        if (error && error != http::error::need_buffer) throw beast::system_error(error);
    }
}

asio::awaitable<void> send_ticks(beast::tcp_stream& stream, const Parser& parser, Workspace& workspace) {
    const std::string target{parser.get().target()};
    const auto at = target.find("count=");
    const int count = at == std::string::npos ? ticks_max : std::clamp(std::atoi(target.c_str() + at + 6), 0, ticks_max);
    http::response<http::empty_body> response{http::status::ok, parser.get().version()};
    response.set(http::field::content_type, "text/event-stream");
    response.set(http::field::cache_control, "no-store");
    response.chunked(true);
    http::response_serializer<http::empty_body> serializer{response};
    co_await http::async_write_header(stream, serializer, use_awaitable);
    asio::steady_timer timer(stream.get_executor());
    for (int i = 1; i <= count; ++i) {
        const auto text = fmt::format("event: tick\ndata: {}\n\n", i);
        const auto chunk = http::make_chunk(asio::buffer(text));
        co_await asio::async_write(stream, chunk, use_awaitable);
        workspace.used();
        timer.expires_after(tick);
        co_await timer.async_wait(use_awaitable);
    }
    const auto last = http::make_chunk_last();
    co_await asio::async_write(stream, last, use_awaitable);
}

asio::awaitable<void> talk(beast::tcp_stream stream, const Parser& parser, Workspace& workspace) {
    websocket::stream<beast::tcp_stream> socket(std::move(stream));
    socket.read_message_max(message_bytes_max);
    co_await socket.async_accept(parser.get(), use_awaitable);
    for (;;) {
        beast::flat_buffer message;
        co_await socket.async_read(message, use_awaitable);
        workspace.used();
        socket.text(socket.got_text());
        if (!socket.got_text()) {
            co_await socket.async_write(message.data(), use_awaitable);
            continue;
        }
        const auto reply = workspace.obey(beast::buffers_to_string(message.data()));
        co_await socket.async_write(asio::buffer(reply), use_awaitable);
    }
}

asio::awaitable<void> serve(tcp::socket socket, Workspace& workspace) {
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    for (bool again = true; again;) {
        Parser parser;
        parser.header_limit(header_bytes_max);
        parser.body_limit(body_bytes_max);
        co_await http::async_read_header(stream, buffer, parser, use_awaitable);
        const std::string target{parser.get().target()};
        const auto path = target.substr(0, target.find('?'));
        again = parser.get().keep_alive();
        if (path != "/healthz") workspace.used();
        if (path == "/ws" && websocket::is_upgrade(parser.get())) co_return co_await talk(std::move(stream), parser, workspace);
        if (path == "/echo" && parser.get().method() == http::verb::post) {
            co_await echo(stream, buffer, parser);
            continue;
        }
        co_await skip_body(stream, buffer, parser);
        if (path == "/sse") {
            co_await send_ticks(stream, parser, workspace);
        } else if (path == "/healthz") {
            co_await answer(stream, parser, http::status::ok, "application/json", workspace.health());
        } else if (path == "/") {
            co_await answer(stream, parser, http::status::ok, "text/html; charset=utf-8", page(workspace));
        } else {
            co_await answer(stream, parser, http::status::not_found, "text/plain", "no such page\n");
        }
    }
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, Workspace& workspace) {
    for (;;) {
        beast::error_code error;
        auto socket = co_await acceptor.async_accept(asio::redirect_error(use_awaitable, error));
        if (error == asio::error::operation_aborted) co_return;
        if (error) continue;
        socket.set_option(tcp::no_delay(true), error);
        asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), workspace), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"The environment of berth's process engine: a small web server with a home."};
    std::string folder;
    std::uint16_t port = 0;
    app.add_option("--folder", folder, "the slot's folder; bind.json appears there")->required();
    app.add_option("--port", port, "on 127.0.0.1")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        asio::io_context context{1};
        Workspace workspace(folder);
        tcp::acceptor acceptor(context, {asio::ip::make_address_v4("127.0.0.1"), port});
        asio::signal_set signals(context, SIGTERM, SIGINT);
        signals.async_wait([&](auto, auto) { context.stop(); });
        asio::co_spawn(context, accept_all(acceptor, workspace), asio::detached);
        context.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "berth-workspace: port %u: %s\n", port, error.what());
        return 1;
    }
    return 0;
}
