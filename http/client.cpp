// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include <curl/curl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "base/socket_path.hpp"

namespace berth::http {

namespace {

constexpr Duration longest_turn{250};        // between two looks whether to give up
constexpr Duration longest_sleep{60'000};    // when nobody can give up
constexpr std::size_t local_bytes_max = 64 * 1024;

enum class Over { no, header, body };

struct Exchange {
    Request request;
    Answer answer;
    Client::OnDone done;
    Client::OnChunk chunk;
    Client::OnUpload upload;
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::FILE* file = nullptr;
    std::uint64_t sent = 0;
    std::uint64_t total = 0;
    std::size_t header_bytes = 0;
    std::array<char, CURL_ERROR_SIZE> error{};
    Over over = Over::no;

    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        if (easy != nullptr) curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
        if (file != nullptr) std::fclose(file);
    }
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* to) {
    auto& exchange = *static_cast<Exchange*>(to);
    const std::string_view bytes{data, size * count};
    long status = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
    if (exchange.chunk && status / 100 == 2) {
        exchange.chunk(bytes);
    } else if (exchange.answer.body.size() + bytes.size() > exchange.request.body_bytes_max) {
        exchange.over = Over::body;
        return 0;
    } else {
        exchange.answer.body += bytes;
    }
    return bytes.size();
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* to) {
    auto& exchange = *static_cast<Exchange*>(to);
    const std::string_view line{data, size * count};
    exchange.header_bytes += line.size();
    if (exchange.header_bytes > exchange.request.header_bytes_max) {
        exchange.over = Over::header;
        return 0;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return line.size();
    std::string name{line.substr(0, colon)};
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    auto value = line.substr(colon + 1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
    exchange.answer.headers[name] = value;
    return line.size();
}

std::size_t on_read(char* to, std::size_t size, std::size_t count, void* from) {
    auto& exchange = *static_cast<Exchange*>(from);
    const auto got = std::fread(to, 1, size * count, exchange.file);
    exchange.sent += got;
    if (exchange.upload) exchange.upload(exchange.sent, exchange.total);
    return got;
}

Error error_of(const Exchange& exchange, CURLcode code) {
    const auto& request = exchange.request;
    const auto& where = request.unix_socket.empty() ? request.url : request.unix_socket;
    if (exchange.over == Over::body) {
        return {ErrorKind::limit, fmt::format("the answer of {} is over {} bytes", where, request.body_bytes_max)};
    }
    if (exchange.over == Over::header) {
        return {ErrorKind::limit, fmt::format("the headers of {} are over {} bytes", where, request.header_bytes_max)};
    }
    const std::string_view detail = exchange.error[0] != '\0' ? exchange.error.data() : curl_easy_strerror(code);
    auto kind = ErrorKind::unavailable;
    if (code == CURLE_OPERATION_TIMEDOUT) kind = ErrorKind::timeout;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) kind = ErrorKind::invalid;
    if (code == CURLE_PEER_FAILED_VERIFICATION) kind = ErrorKind::denied;
    if (code == CURLE_SSL_CACERT_BADFILE) kind = ErrorKind::not_found;
    return {kind, fmt::format("{} {}: {}", request.method, where, detail)};
}

Result<void> open_body(Exchange& exchange) {
    const auto& path = exchange.request.body_file;
    exchange.file = std::fopen(path.c_str(), "rbe");
    struct stat facts = {};
    if (exchange.file == nullptr || ::fstat(::fileno(exchange.file), &facts) != 0) {
        return fail(ErrorKind::not_found, "cannot read {}", path);
    }
    exchange.total = static_cast<std::uint64_t>(facts.st_size);
    curl_easy_setopt(exchange.easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(exchange.easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(exchange.easy, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(exchange.easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(exchange.total));
    curl_easy_setopt(exchange.easy, CURLOPT_UPLOAD_BUFFERSIZE, 1024L * 1024);
    return {};
}

Result<void> dress(Exchange& exchange, const std::string& user_agent) {
    const auto& wanted = exchange.request;
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(exchange.easy, option, value); };
    set(CURLOPT_URL, wanted.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, user_agent.c_str());
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(wanted.deadline.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(wanted.connect_deadline.count()));
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_ERRORBUFFER, exchange.error.data());
    if (!wanted.unix_socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, wanted.unix_socket.c_str());
    if (!wanted.unix_socket.empty() || is_loopback(wanted.url) || is_link_local(wanted.url)) set(CURLOPT_PROXY, "");
    if (!wanted.ca_file.empty()) {
        if (::access(wanted.ca_file.c_str(), R_OK) != 0) return fail(ErrorKind::not_found, "cannot read {}", wanted.ca_file);
        set(CURLOPT_CAINFO, wanted.ca_file.c_str());
    }
    if (!wanted.body_file.empty()) {
        TRY(open_body(exchange));
    } else if (!wanted.body.empty() || wanted.method == "POST" || wanted.method == "PUT") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(wanted.body.size()));
        set(CURLOPT_POSTFIELDS, wanted.body.c_str());
    } else if (wanted.method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
    }
    set(CURLOPT_CUSTOMREQUEST, wanted.method.c_str());
    const auto add = [&](const std::string& line) { exchange.headers = curl_slist_append(exchange.headers, line.c_str()); };
    add("Expect:");
    for (const auto& line : wanted.headers) add(line);
    if (!wanted.content_type.empty()) add("Content-Type: " + wanted.content_type);
    if (!wanted.bearer.empty()) add("Authorization: Bearer " + wanted.bearer);
    set(CURLOPT_HTTPHEADER, exchange.headers);
    return {};
}

}  // namespace

struct Client::Inside {
    Setup setup;
    CURLM* multi = nullptr;
    std::uint64_t next_id = 1;
    std::map<std::uint64_t, std::unique_ptr<Exchange>> running;
    std::map<std::uint64_t, std::pair<OnDone, Error>> refused;   // before anything was sent; told at the next turn

    bool given_up() const { return setup.give_up && setup.give_up(); }
    /// Tells the ends of exchanges; whether there was any.
    bool finish_all();
};

Client::Client(Setup setup) : inside_(std::make_unique<Inside>()) {
    static const auto once = curl_global_init(CURL_GLOBAL_ALL);
    check(once == CURLE_OK, "libcurl starts");
    inside_->setup = std::move(setup);
    inside_->multi = curl_multi_init();
    check(inside_->multi != nullptr, "libcurl gives a multi handle");
}

Client::~Client() {
    for (auto& [id, exchange] : inside_->running) curl_multi_remove_handle(inside_->multi, exchange->easy);
    inside_->running.clear();
    curl_multi_cleanup(inside_->multi);
}

std::uint64_t Client::start(Request request, OnDone done, OnChunk chunk, OnUpload upload) {
    const auto id = inside_->next_id++;
    auto exchange = std::make_unique<Exchange>();
    exchange->request = std::move(request);
    exchange->done = std::move(done);
    exchange->chunk = std::move(chunk);
    exchange->upload = std::move(upload);
    exchange->easy = curl_easy_init();
    check(exchange->easy != nullptr, "libcurl gives a handle");
    if (const auto good = dress(*exchange, inside_->setup.user_agent); !good) {
        inside_->refused.emplace(id, std::pair{std::move(exchange->done), good.error()});
        return id;
    }
    curl_easy_setopt(exchange->easy, CURLOPT_PRIVATE, reinterpret_cast<char*>(id));
    curl_multi_add_handle(inside_->multi, exchange->easy);
    inside_->running.emplace(id, std::move(exchange));
    return id;
}

void Client::cancel(std::uint64_t id) {
    inside_->refused.erase(id);
    const auto at = inside_->running.find(id);
    if (at == inside_->running.end()) return;
    curl_multi_remove_handle(inside_->multi, at->second->easy);
    inside_->running.erase(at);
}

bool Client::Inside::finish_all() {
    bool any = false;
    int left = 0;
    while (const auto* message = curl_multi_info_read(multi, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        any = true;
        const auto code = message->data.result;
        char* raw = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &raw);
        const auto at = running.find(reinterpret_cast<std::uintptr_t>(raw));
        check(at != running.end(), "libcurl finishes what was started");
        const auto exchange = std::move(at->second);
        running.erase(at);
        curl_multi_remove_handle(multi, exchange->easy);
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &exchange->answer.status);
        exchange->done(code == CURLE_OK ? Result<Answer>{std::move(exchange->answer)} : fail(error_of(*exchange, code)));
    }
    return any;
}

void Client::turn(Duration wait) {
    const auto refused = std::exchange(inside_->refused, {});
    for (const auto& [id, end] : refused) end.first(fail(end.second));
    int active = 0;
    curl_multi_perform(inside_->multi, &active);
    if (inside_->finish_all() || !refused.empty()) return;
    curl_waitfd wake = {};
    wake.fd = inside_->setup.wake;
    wake.events = CURL_WAIT_POLLIN;
    const bool watch = wake.fd >= 0 && !inside_->given_up();   // it stays readable
    curl_multi_poll(inside_->multi, watch ? &wake : nullptr, watch ? 1 : 0, static_cast<int>(wait.count()), nullptr);
    curl_multi_perform(inside_->multi, &active);
    inside_->finish_all();
}

Result<Answer> Client::ask(Request request, OnUpload upload) {
    std::optional<Result<Answer>> outcome;
    const auto where = request.unix_socket.empty() ? request.url : request.unix_socket;
    const auto id = start(std::move(request), [&](Result<Answer> answer) { outcome = std::move(answer); }, {}, std::move(upload));
    while (!outcome) {
        turn(inside_->setup.give_up ? longest_turn : longest_sleep);
        if (outcome || !inside_->given_up()) continue;
        cancel(id);
        return fail(ErrorKind::timeout, "interrupted while waiting for {}", where);
    }
    return std::move(*outcome);
}

Result<Answer> ask(Request request) { return Client{}.ask(std::move(request)); }

Result<Answer> get_local(std::uint32_t port, const std::string& path, Duration deadline) {
    return ask({.url = fmt::format("http://127.0.0.1:{}{}", port, path), .deadline = deadline, .body_bytes_max = local_bytes_max});
}

Result<Answer> get_local(const std::string& socket, const std::string& path, Duration deadline) {
    const auto at = TRY(SocketPath::open(socket));
    return ask({.url = "http://localhost" + path, .unix_socket = at.text(), .deadline = deadline, .body_bytes_max = local_bytes_max});
}

}  // namespace berth::http
