// SPDX-License-Identifier: Apache-2.0
#include "redis/connection.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "os/files.hpp"

namespace berth::redis {

namespace {

constexpr std::array<std::string_view, 6> passing_words{"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS"};

timeval time_of(Duration length) {
    return {static_cast<time_t>(length.count() / 1'000), static_cast<suseconds_t>(length.count() % 1'000 * 1'000)};
}

Reply value_of(const redisReply& from) {
    Reply reply;
    switch (from.type) {
        case REDIS_REPLY_INTEGER:
            reply.kind = Reply::Kind::number;
            reply.number = from.integer;
            break;
        case REDIS_REPLY_ARRAY:
            reply.kind = Reply::Kind::list;
            for (std::size_t i = 0; i < from.elements; ++i) reply.list.push_back(value_of(*from.element[i]));
            break;
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
        case REDIS_REPLY_ERROR:
            reply.kind = Reply::Kind::text;
            reply.text.assign(from.str, from.len);
            break;
        default:
            break;
    }
    return reply;
}

}  // namespace

Error refusal_of(std::string_view said, const std::string& command, const Place& place, const Access& access) {
    const auto word = said.substr(0, said.find(' '));
    const auto is = [&](std::string_view one) { return word == one; };
    if (is("OOM")) {
        return {ErrorKind::no_capacity, fmt::format("{} is full (maxmemory), nothing was written: raise `maxmemory` in redis.conf, or with CONFIG SET", place.name)};
    }
    if (is("MISCONF")) return {ErrorKind::unavailable, fmt::format("{} can not write to its disk and takes nothing: {}", place.name, said)};
    if (is("READONLY")) {
        return {ErrorKind::unavailable, fmt::format("{} is a replica, or became one at a failover: name the master (docs/stores.md)", place.name)};
    }
    if (is("WRONGPASS") || is("NOAUTH")) {
        return {ErrorKind::denied, fmt::format("{} wants another user or password than [{}] user and password_file give: {}", place.name, access.section, said)};
    }
    if (is("NOPERM")) return {ErrorKind::denied, fmt::format("{} does not let this user do {}: {}", place.name, command, said)};
    if (said.find("invalid password") != std::string_view::npos || said.find("without any password") != std::string_view::npos) {
        return {ErrorKind::denied, fmt::format("{} does not take the password of [{}] password_file: {}", place.name, access.section, said)};
    }
    if (said.find("DB index") != std::string_view::npos) return {ErrorKind::invalid, fmt::format("{} has no such database: {}", place.name, said)};
    return {ErrorKind::unavailable, fmt::format("{} refused {}: {}", place.name, command, said)};
}

bool is_passing(const Error& refusal) {
    return std::any_of(passing_words.begin(), passing_words.end(), [&](const auto word) { return refusal.text.find(word) != std::string::npos; });
}

Result<std::unique_ptr<Connection>> Connection::open(const Place& place, const Access& access) {
    // hiredis writes to a server that is gone without MSG_NOSIGNAL: that is an error, and no reason to die.
    ::signal(SIGPIPE, SIG_IGN);
    std::unique_ptr<Connection> connection{new Connection(place, access)};
    const auto limit = time_of(access.connect);
    auto* context = place.socket.empty() ? redisConnectWithTimeout(place.host.c_str(), place.port, limit)
                                         : redisConnectUnixWithTimeout(place.socket.c_str(), limit);
    connection->context_ = context;
    if (context == nullptr) return fail(ErrorKind::internal, "no memory to connect to {}", place.name);
    if (context->err != 0) {
        return fail(ErrorKind::unavailable, "nobody answers at {} ({}): start the server, or mend its address", place.name, context->errstr);
    }
    redisSetTimeout(context, time_of(access.answer));
    if (place.socket.empty()) redisEnableKeepAlive(context);   // of TCP alone; on a unix socket it is an error
    connection->open_ = true;
    TRY(connection->greet());
    return connection;
}

Connection::~Connection() {
    if (context_ != nullptr) redisFree(context_);
}

Result<void> Connection::greet() {
    if (!access_.password_file.empty()) {
        auto password = os::read_file(access_.password_file);
        if (!password) return fail(password.error().kind, "[{}] password_file: {}", access_.section, password.error().text);
        password->erase(password->find_last_not_of(" \t\r\n") + 1);
        Words words{"AUTH"};
        if (!access_.user.empty()) words.push_back(access_.user);
        words.push_back(std::move(*password));
        TRY(ask(words));
    }
    TRY(ask({"SELECT", std::to_string(place_.database)}));
    TRY(ask({"CLIENT", "SETNAME", "berth"}));
    return {};
}

Result<void> Connection::send(const Words& words) {
    std::vector<const char*> starts;
    std::vector<std::size_t> lengths;
    for (const auto& word : words) {
        starts.push_back(word.data());
        lengths.push_back(word.size());
    }
    if (redisAppendCommandArgv(context_, static_cast<int>(words.size()), starts.data(), lengths.data()) == REDIS_OK) return {};
    return broke(words.front());
}

Result<Reply> Connection::receive(const std::string& command) {
    void* got = nullptr;
    if (redisGetReply(context_, &got) != REDIS_OK || got == nullptr) return broke(command);
    const std::unique_ptr<redisReply, void (*)(redisReply*)> reply(static_cast<redisReply*>(got), [](redisReply* one) { freeReplyObject(one); });
    if (reply->type == REDIS_REPLY_ERROR) return fail(refusal_of({reply->str, reply->len}, command, place_, access_));
    return value_of(*reply);
}

Result<Reply> Connection::ask(const Words& words) {
    TRY(send(words));
    return receive(words.front());
}

Result<std::vector<Reply>> Connection::ask_all(const std::vector<Words>& commands) {
    for (const auto& words : commands) TRY(send(words));
    std::vector<Reply> replies;
    std::optional<Error> refused;
    for (const auto& words : commands) {
        auto reply = receive(words.front());
        if (reply) {
            replies.push_back(std::move(*reply));
        } else {
            if (!refused) refused = reply.error();
            if (!open_) break;
        }
    }
    if (refused) return fail(*refused);
    return replies;
}

Result<void> Connection::be_patient(Duration longer) {
    if (redisSetTimeout(context_, time_of(access_.answer + longer)) != REDIS_OK) return broke("a timeout");
    return {};
}

tl::unexpected<Error> Connection::broke(const std::string& command) {
    open_ = false;
    const bool slow = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    return fail(slow ? ErrorKind::timeout : ErrorKind::unavailable, "{} gave no answer to {} ({})", place_.name, command,
                slow ? fmt::format("within {} ms", access_.answer.count()) : std::string{context_->errstr});
}

}  // namespace berth::redis
