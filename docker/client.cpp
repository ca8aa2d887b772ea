// SPDX-License-Identifier: Apache-2.0
#include "docker/client.hpp"

#include <curl/curl.h>

#include <cstdio>
#include <memory>

namespace berth::docker {

namespace {

constexpr std::size_t answer_bytes_max = 8 * 1024 * 1024;
constexpr std::string_view api = "http://docker/v1.41";

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* to) {
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size * count > answer_bytes_max) return 0;
    body.append(bytes, size * count);
    return size * count;
}

struct Closer {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using Handle = std::unique_ptr<CURL, Closer>;

Result<Answer> perform(CURL* curl, const std::string& socket, std::string_view method, const std::string& path, Duration deadline) {
    Answer answer;
    const auto url = fmt::format("{}{}", api, path);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(deadline.count()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    const auto code = curl_easy_perform(curl);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return fail(ErrorKind::timeout, "the container engine at {} did not answer {} {} within {}", socket, method, path, to_text(deadline));
    }
    if (code != CURLE_OK) {
        return fail(ErrorKind::unavailable, "the container engine at {} cannot be reached: {}", socket, curl_easy_strerror(code));
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

}  // namespace

Result<Answer> Client::call(std::string_view method, const std::string& path, const std::string& json, Duration deadline) const {
    const Handle curl{curl_easy_init()};
    if (!curl) return fail(ErrorKind::internal, "libcurl gave no handle");
    const std::string verb{method};
    std::unique_ptr<curl_slist, Closer> headers;
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, verb.c_str());
    if (method == "POST") {
        headers.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
        curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, json.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(json.size()));
    }
    return perform(curl.get(), socket_, method, path, deadline);
}

Result<Answer> Client::upload(const std::string& path, const std::string& file, Duration deadline) const {
    const Handle curl{curl_easy_init()};
    if (!curl) return fail(ErrorKind::internal, "libcurl gave no handle");
    const std::unique_ptr<std::FILE, Closer> from{std::fopen(file.c_str(), "rb")};
    if (!from) return fail(ErrorKind::not_found, "cannot read {}; script/image makes it", file);
    std::fseek(from.get(), 0, SEEK_END);
    const auto size = std::ftell(from.get());
    std::rewind(from.get());
    const std::unique_ptr<curl_slist, Closer> headers{curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/x-tar"), "Expect:")};
    curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_READDATA, from.get());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
    return perform(curl.get(), socket_, "POST", path, deadline);
}

std::string Client::escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '~') {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace berth::docker
