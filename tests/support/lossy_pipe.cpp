// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lossy_pipe.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace berth::testing {

namespace {

constexpr int look_every_ms = 20;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

bool send_all(int to, const char* bytes, std::size_t size) {
    while (size > 0) {
        const auto sent = ::send(to, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

}  // namespace

LossyPipe::LossyPipe(const std::string& at, const std::string& target) : target_(target) {
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(at);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(socket_, 8) != 0) {
        throw std::runtime_error("cannot listen at " + at);
    }
    thread_ = std::thread([this] { serve(); });
}

LossyPipe::~LossyPipe() {
    ends_ = true;
    thread_.join();
    ::close(socket_);
}

void LossyPipe::lose_answer_to(const std::string& word) {
    word_ = word;
    armed_ = true;
}

// One client at a time, which is what a ledger is.
void LossyPipe::serve() {
    while (!ends_) {
        pollfd wait{socket_, POLLIN, 0};
        if (::poll(&wait, 1, look_every_ms) <= 0) continue;
        const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) continue;
        carry(client);
        ::close(client);
    }
}

void LossyPipe::carry(int client) {
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(target_);
    bool goes_on = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    bool loses = false;
    std::array<char, 65'536> bytes;
    while (goes_on && !ends_) {
        std::array<pollfd, 2> wait{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
        if (::poll(wait.data(), wait.size(), look_every_ms) <= 0) continue;
        for (std::size_t i = 0; goes_on && i < wait.size(); ++i) {
            if (wait[i].revents == 0) continue;
            const auto got = ::recv(wait[i].fd, bytes.data(), bytes.size(), 0);
            if (got <= 0) {
                goes_on = false;
            } else if (i == 1 && loses) {
                ++lost_;
                goes_on = false;
            } else {
                const std::string_view text{bytes.data(), static_cast<std::size_t>(got)};
                if (i == 0 && armed_ && text.find(word_) != std::string_view::npos) {
                    loses = true;
                    armed_ = false;
                }
                goes_on = send_all(i == 0 ? server : client, text.data(), text.size());
            }
        }
    }
    ::close(server);
}

}  // namespace berth::testing
