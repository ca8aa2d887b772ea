// SPDX-License-Identifier: Apache-2.0
#include "tests/support/redis_server.hpp"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace berth::testing {

namespace {

std::string text_of(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type == REDIS_REPLY_NIL) return "";
    if (reply.type != REDIS_REPLY_ARRAY) return {reply.str, reply.len};
    std::string text;
    for (std::size_t i = 0; i < reply.elements; ++i) text += (i > 0 ? " " : "") + text_of(*reply.element[i]);
    return text;
}

/// Another may take it before the server does, which then says so in its log.
std::uint16_t free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool found = ::bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(probe);
    if (!found) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> more) : socket_(folder_ / "redis.sock"), port_(free_port()), more_(std::move(more)) { start(); }

void RedisServer::start() {
    std::vector<std::string> words{"/usr/bin/redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--unixsocket", socket_, "--dir", folder_.path(),
                                   "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"};
    words.insert(words.end(), more_.begin(), more_.end());
    child_ = std::make_unique<Child>(words, folder_ / "redis.log");
    const bool answers = eventually([&] {
        try {
            return !say({"PING"}).empty();
        } catch (const std::runtime_error&) {
            return false;
        }
    });
    if (!answers) throw std::runtime_error("redis-server did not start: " + read_text(folder_ / "redis.log"));
}

std::string RedisServer::say(const std::vector<std::string>& words) const {
    const std::unique_ptr<redisContext, void (*)(redisContext*)> context(redisConnectUnix(socket_.c_str()), redisFree);
    if (!context || context->err != 0) throw std::runtime_error("no connection to redis-server");
    std::vector<const char*> starts;
    std::vector<std::size_t> lengths;
    for (const auto& word : words) {
        starts.push_back(word.data());
        lengths.push_back(word.size());
    }
    const std::unique_ptr<redisReply, void (*)(redisReply*)> reply(
        static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(words.size()), starts.data(), lengths.data())),
        [](redisReply* one) { freeReplyObject(one); });
    if (!reply) throw std::runtime_error("no answer of redis-server");
    return text_of(*reply);
}

}  // namespace berth::testing
