// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/gateway/raw_http.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace berth::testing {

Wire::Wire(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

Wire::~Wire() {
    if (fd_ >= 0) ::close(fd_);
}

bool Wire::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::optional<std::string> Wire::read_some(Duration within) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(within.count())) <= 0) return std::nullopt;
    std::array<char, 64 * 1024> part;
    const auto got = ::recv(fd_, part.data(), part.size(), 0);
    if (got < 0) return std::string{};
    return std::string{part.data(), static_cast<std::size_t>(got)};
}

WireAnswer parse_answer(const std::string& bytes) {
    WireAnswer answer;
    const auto head_end = bytes.find("\r\n\r\n");
    if (!bytes.starts_with("HTTP/1.1 ") || head_end == std::string::npos) return answer;
    answer.status = std::stoi(bytes.substr(9, 3));
    for (auto at = bytes.find("\r\n") + 2; at < head_end;) {
        const auto end = bytes.find("\r\n", at);
        const auto line = bytes.substr(at, end - at);
        auto name = line.substr(0, line.find(": "));
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        answer.headers[name] = line.find(": ") == std::string::npos ? "" : line.substr(line.find(": ") + 2);
        at = end + 2;
    }
    answer.body = bytes.substr(head_end + 4);
    return answer;
}

WireAnswer exchange(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body,
                    const std::vector<std::string>& headers, Duration within) {
    Wire wire(port);
    if (!wire.connected()) return {};
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", method, target, port);
    for (const auto& header : headers) text += header + "\r\n";
    if (!body.empty() || method == "POST") text += fmt::format("Content-Length: {}\r\n", body.size());
    wire.send(text + "\r\n" + body);
    return parse_answer(wire.receive([](const std::string&) { return false; }, within));
}

}  // namespace berth::testing
