// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/proxy/visitor.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>

namespace berth::proxy_tests {

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool wait_for(int fd, short events, Duration wait) {
    pollfd entry{fd, events, 0};
    return ::poll(&entry, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace

std::string Reply::field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second.front();
}

Visitor::Visitor(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
        ::close(fd_);
        throw std::runtime_error("the proxy takes no connection");
    }
}
Visitor::~Visitor() {
    if (fd_ >= 0) ::close(fd_);
}

bool Visitor::try_send(std::string_view bytes) {
    while (!bytes.empty()) {
        if (!wait_for(fd_, POLLOUT, patience)) throw std::runtime_error("nobody takes what the visitor sends");
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (sent < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}
void Visitor::send(std::string_view bytes) {
    if (!try_send(bytes)) throw std::runtime_error("the other side has ended");
}

std::string Visitor::receive() {
    if (!ahead_.empty()) return std::exchange(ahead_, {});
    if (!wait_for(fd_, POLLIN, patience)) throw std::runtime_error("nothing came");
    std::string bytes(65'536, '\0');
    const auto got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

std::string Visitor::receive_exactly(std::size_t bytes) {
    std::string all;
    while (all.size() < bytes) {
        const auto piece = receive();
        if (piece.empty()) throw std::runtime_error("the stream ended too early");
        all += piece;
    }
    ahead_ = all.substr(bytes) + ahead_;
    all.resize(bytes);
    return all;
}

Reply Visitor::head() {
    std::string text;
    for (;;) {
        const auto piece = receive();
        if (piece.empty()) throw std::runtime_error("no whole answer came: '" + text + "'");
        text += piece;
        const auto end = text.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        ahead_ = text.substr(end + 4);
        text.resize(end + 2);
        break;
    }
    Reply reply;
    reply.head = text;
    reply.status = std::stoi(text.substr(9, 3));
    for (auto at = text.find("\r\n") + 2; at < text.size();) {
        const auto end = text.find("\r\n", at);
        const auto line = text.substr(at, end - at);
        const auto colon = line.find(':');
        reply.fields[lower(line.substr(0, colon))].push_back(line.substr(std::min(colon + 2, line.size())));
        at = end + 2;
    }
    return reply;
}

Reply Visitor::reply(std::string_view method) {
    auto answer = head();
    while (answer.status < 200 && answer.status != 101) answer = head();
    answer.whole = true;
    if (method == "HEAD" || answer.status == 204 || answer.status == 304 || answer.status == 101) return answer;
    if (answer.field("transfer-encoding") == "chunked") {
        for (;;) {
            std::string size;
            while (!size.ends_with("\r\n")) size += receive_exactly(1);
            const auto bytes = std::stoul(size, nullptr, 16);
            answer.body += receive_exactly(bytes);
            if (receive_exactly(2) != "\r\n") throw std::runtime_error("a chunk does not end");
            if (bytes == 0) return answer;
        }
    }
    if (answer.has("content-length")) {
        const auto length = std::stoul(answer.field("content-length"));
        while (answer.body.size() < length) {
            const auto piece = receive();
            if (piece.empty()) {
                answer.whole = false;
                return answer;
            }
            answer.body += piece;
        }
        ahead_ = answer.body.substr(length) + ahead_;
        answer.body.resize(length);
        return answer;
    }
    for (auto piece = receive(); !piece.empty(); piece = receive()) answer.body += piece;
    return answer;
}

bool Visitor::ends_within(Duration wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    for (;;) {
        const auto left = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0 || !wait_for(fd_, POLLIN, left)) return false;
        if (receive().empty()) return true;
    }
}

void Visitor::finish_sending() { ::shutdown(fd_, SHUT_WR); }

std::string request(const std::string& method, const std::string& host, const std::string& path,
                    const std::string& cookie, const std::vector<std::string>& more) {
    auto text = method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
    if (!cookie.empty()) text += "Cookie: " + cookie + "\r\n";
    for (const auto& line : more) text += line + "\r\n";
    return text + "\r\n";
}
std::string get(const std::string& host, const std::string& path, const std::string& cookie,
                const std::vector<std::string>& more) {
    return request("GET", host, path, cookie, more);
}

std::string sha256(std::string_view bytes) {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
               nullptr);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex += digits[static_cast<unsigned char>(digest[i]) >> 4];
        hex += digits[static_cast<unsigned char>(digest[i]) & 15];
    }
    return hex;
}

std::string pattern(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (std::size_t at = 0; at < bytes; at += sizeof state) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        const auto mixed = state ^ (state >> 29);
        std::memcpy(text.data() + at, &mixed, std::min(sizeof mixed, bytes - at));
    }
    return text;
}

std::string masked_frame(unsigned first_byte, std::string_view payload) {
    constexpr std::string_view mask = "\x11\x22\x33\x44";
    std::string frame{static_cast<char>(first_byte)};
    if (payload.size() < 126) {
        frame += static_cast<char>(0x80 | payload.size());
    } else {
        frame += '\xff';
        for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>((payload.size() >> shift) & 0xff);
    }
    frame += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
    return frame;
}

}  // namespace berth::proxy_tests
