// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server, as values. The one place that knows hiredis.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

struct redisContext;
struct redisReply;

namespace berth::redis {

struct Reply {
    enum class Kind { nil, text, number, list };
    Kind kind = Kind::nil;
    std::string text;
    std::int64_t number = 0;
    std::vector<Reply> list;

    bool is_nil() const { return kind == Kind::nil; }
};

struct Place {
    std::string socket;                   // empty: host and port
    std::string host;
    std::uint16_t port = 6379;
    std::uint32_t database = 0;
    std::string name;                     // for errors
};

/// How to get in, and how long to wait.
struct Access {
    std::string user;                     // empty: the default user
    std::string password_file;            // empty: no password
    std::string section;                  // of the configuration that both are from, for errors: "ledger.redis"
    Duration connect{2'000};
    Duration answer{5'000};
};

using Words = std::vector<std::string>;

class Connection {
public:
    /// Connected, known to the server, in its database. unavailable: nobody there, or it is still loading; denied:
    /// its user or password is wrong; not_found: no password_file; invalid: no such database.
    static Result<std::unique_ptr<Connection>> open(const Place& place, const Access& access);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// An error while is_open(): the server refused, and nothing was done. Otherwise nobody knows whether it was.
    Result<Reply> ask(const Words& words);
    /// All at once; the first error is that of all.
    Result<std::vector<Reply>> ask_all(const std::vector<Words>& commands);
    /// The next answers may take so much longer.
    Result<void> be_patient(Duration longer);
    bool is_open() const { return open_; }

private:
    Connection(Place place, Access access) : place_(std::move(place)), access_(std::move(access)) {}
    Result<void> greet();
    Result<void> send(const Words& words);
    Result<Reply> receive(const std::string& command);
    tl::unexpected<Error> broke(const std::string& command);

    Place place_;
    Access access_;
    redisContext* context_ = nullptr;
    bool open_ = false;
};

/// Of a server's own words ("OOM command not allowed …"), with the way out.
Error refusal_of(std::string_view said, const std::string& command, const Place& place, const Access& access);
/// Asking again may help: it is loading, busy, electing.
bool is_passing(const Error& refusal);

}  // namespace berth::redis
