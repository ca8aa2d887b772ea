// SPDX-License-Identifier: Apache-2.0
#include "hostagent/local_http.hpp"

#include <curl/curl.h>

#include <memory>

namespace berth::hostagent {

namespace {

constexpr std::size_t body_bytes_max = 64 * 1024;

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* to) {
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size * count > body_bytes_max) return 0;
    body.append(bytes, size * count);
    return size * count;
}

}  // namespace

Result<LocalAnswer> get_local(std::uint32_t port, const std::string& path, Duration deadline) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{curl_easy_init(), &curl_easy_cleanup};
    if (!curl) return fail(ErrorKind::internal, "libcurl gave no handle");
    LocalAnswer answer;
    const auto url = fmt::format("http://127.0.0.1:{}{}", port, path);
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(deadline.count()));
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
    const auto code = curl_easy_perform(curl.get());
    if (code != CURLE_OK) return fail(ErrorKind::unavailable, "no answer from {}: {}", url, curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
}

}  // namespace berth::hostagent
