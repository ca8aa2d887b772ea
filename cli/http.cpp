// SPDX-License-Identifier: Apache-2.0
#include "cli/http.hpp"

#include <curl/curl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/check.hpp"
#include "cli/interrupt.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t body_max = 64 * 1024 * 1024;
constexpr Duration longest_turn{250};

struct Exchange {
    HttpRequest request;
    HttpAnswer answer;
    Http::OnDone done;
    Http::OnChunk chunk;
    Http::OnUpload upload;
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::FILE* file = nullptr;
    std::uint64_t sent = 0;
    std::uint64_t total = 0;
    std::string error = std::string(CURL_ERROR_SIZE, '\0');
    bool too_large = false;

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
    } else if (exchange.answer.body.size() + bytes.size() > body_max) {
        exchange.too_large = true;
        return 0;
    } else {
        exchange.answer.body += bytes;
    }
    return bytes.size();
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* to) {
    auto& exchange = *static_cast<Exchange*>(to);
    const std::string_view line{data, size * count};
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && exchange.answer.headers.size() < 200) {
        std::string name{line.substr(0, colon)};
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        auto value = line.substr(colon + 1);
        while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
        while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
        exchange.answer.headers[name] = value;
    }
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
    const std::string_view detail = exchange.error[0] != '\0' ? exchange.error.c_str() : curl_easy_strerror(code);
    const auto& where = exchange.request.unix_socket.empty() ? exchange.request.url : exchange.request.unix_socket;
    if (exchange.too_large) {
        return {ErrorKind::limit, fmt::format("the answer of {} is over {} bytes", where, body_max)};
    }
    const auto kind = code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::timeout
                      : code == CURLE_URL_MALFORMAT    ? ErrorKind::invalid
                                                       : ErrorKind::unavailable;
    return {kind, fmt::format("{} {}: {}", exchange.request.method, where, detail)};
}

}  // namespace

struct Http::Inside {
    CURLM* multi = nullptr;
    std::uint64_t next_id = 1;
    std::map<std::uint64_t, std::unique_ptr<Exchange>> running;
    std::vector<std::pair<OnDone, Error>> stillborn;
};

Http::Http() : inside_(std::make_unique<Inside>()) {
    static const auto once = curl_global_init(CURL_GLOBAL_ALL);
    check(once == CURLE_OK, "libcurl starts");
    inside_->multi = curl_multi_init();
    check(inside_->multi != nullptr, "libcurl gives a multi handle");
}

Http::~Http() {
    for (auto& [id, exchange] : inside_->running) curl_multi_remove_handle(inside_->multi, exchange->easy);
    inside_->running.clear();
    curl_multi_cleanup(inside_->multi);
}

std::uint64_t Http::start(HttpRequest request, OnDone done, OnChunk chunk, OnUpload upload) {
    auto owned = std::make_unique<Exchange>();
    auto& exchange = *owned;
    exchange.request = std::move(request);
    exchange.done = std::move(done);
    exchange.chunk = std::move(chunk);
    exchange.upload = std::move(upload);
    exchange.easy = curl_easy_init();
    check(exchange.easy != nullptr, "libcurl gives a handle");
    const auto& wanted = exchange.request;
    const auto id = inside_->next_id++;

    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(exchange.easy, option, value); };
    set(CURLOPT_URL, wanted.url.c_str());
    set(CURLOPT_CUSTOMREQUEST, wanted.method.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, "berth-cli");
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(wanted.timeout.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(wanted.connect_timeout.count()));
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_ERRORBUFFER, exchange.error.data());
    set(CURLOPT_PRIVATE, reinterpret_cast<char*>(id));
    if (!wanted.unix_socket.empty()) {
        set(CURLOPT_UNIX_SOCKET_PATH, wanted.unix_socket.c_str());
        set(CURLOPT_PROXY, "");
    }
    const auto add = [&](const std::string& line) { exchange.headers = curl_slist_append(exchange.headers, line.c_str()); };
    add("Expect:");
    for (const auto& line : wanted.headers) add(line);
    if (!wanted.content_type.empty()) add("Content-Type: " + wanted.content_type);
    if (!wanted.bearer.empty()) add("Authorization: Bearer " + wanted.bearer);
    if (!wanted.upload_file.empty()) {
        exchange.file = std::fopen(wanted.upload_file.c_str(), "rbe");
        if (exchange.file == nullptr) {
            inside_->stillborn.emplace_back(exchange.done, Error{ErrorKind::not_found, "cannot read " + wanted.upload_file});
            return id;
        }
        struct stat facts = {};
        if (::fstat(::fileno(exchange.file), &facts) == 0) exchange.total = static_cast<std::uint64_t>(facts.st_size);
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_READFUNCTION, on_read);
        set(CURLOPT_READDATA, &exchange);
        set(CURLOPT_UPLOAD_BUFFERSIZE, 1024L * 1024);
        add("Transfer-Encoding: chunked");
    } else if (!wanted.body.empty() || wanted.method == "POST" || wanted.method == "PUT") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(wanted.body.size()));
        set(CURLOPT_POSTFIELDS, wanted.body.c_str());
    }
    set(CURLOPT_HTTPHEADER, exchange.headers);
    curl_multi_add_handle(inside_->multi, exchange.easy);
    inside_->running.emplace(id, std::move(owned));
    return id;
}

void Http::cancel(std::uint64_t id) {
    const auto at = inside_->running.find(id);
    if (at == inside_->running.end()) return;
    curl_multi_remove_handle(inside_->multi, at->second->easy);
    inside_->running.erase(at);
}

void Http::turn(Duration wait) {
    auto stillborn = std::move(inside_->stillborn);
    inside_->stillborn.clear();
    for (auto& [done, error] : stillborn) done(fail(error));

    curl_waitfd signals = {};
    signals.fd = Interrupt::fd();
    signals.events = CURL_WAIT_POLLIN;
    int active = 0;
    curl_multi_perform(inside_->multi, &active);
    int left = 0;
    const auto finish_all = [&] {
        bool any = false;
        while (auto* message = curl_multi_info_read(inside_->multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            any = true;
            char* raw = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &raw);
            const auto code = message->data.result;
            const auto at = inside_->running.find(reinterpret_cast<std::uintptr_t>(raw));
            check(at != inside_->running.end(), "libcurl finishes what was started");
            auto exchange = std::move(at->second);
            inside_->running.erase(at);
            curl_multi_remove_handle(inside_->multi, exchange->easy);
            curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &exchange->answer.status);
            if (code == CURLE_OK) {
                exchange->done(std::move(exchange->answer));
            } else {
                exchange->done(fail(error_of(*exchange, code)));
            }
        }
        return any;
    };
    if (finish_all()) return;
    const bool watch = signals.fd >= 0 && !Interrupt::seen();
    curl_multi_poll(inside_->multi, watch ? &signals : nullptr, watch ? 1 : 0, static_cast<int>(wait.count()), nullptr);
    curl_multi_perform(inside_->multi, &active);
    finish_all();
}

Result<HttpAnswer> Http::ask(HttpRequest request, OnUpload upload, const std::function<bool()>& give_up) {
    std::optional<Result<HttpAnswer>> outcome;
    const auto where = request.url;
    const auto id = start(std::move(request), [&](Result<HttpAnswer> answer) { outcome = std::move(answer); }, {},
                          std::move(upload));
    while (!outcome) {
        turn(longest_turn);
        if (!outcome && (give_up ? give_up() : Interrupt::seen())) {
            cancel(id);
            return fail(ErrorKind::timeout, "interrupted while waiting for {}", where);
        }
    }
    return std::move(*outcome);
}

std::string url_encoded(std::string_view text) {
    std::string encoded;
    for (const unsigned char c : text) {
        if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
            encoded += static_cast<char>(c);
        } else {
            encoded += fmt::format("%{:02X}", c);
        }
    }
    return encoded;
}

}  // namespace berth::cli
