// SPDX-License-Identifier: Apache-2.0
// The load on Redis: cycles of a claim and a release, each one Lua script (bench/peers/redis.py), or beats as
// SET … EX. It speaks RESP itself, so that the client costs Redis' side as little as it can.
//
//   bench_redis PORT CLAIM-SHA RELEASE-SHA
//   {"do": "closed", "connections": C, "outstanding": N, "seconds": S}   N on each connection
//   {"do": "open", "per_second": R, "seconds": S}                        Poisson, one connection
//   {"do": "beats", "connections": C, "per_second": R, "seconds": S}     evenly, each its own key
#include <fmt/format.h>

#include <deque>
#include <vector>

#include "bench/plumbing/poisson.hpp"
#include "bench/plumbing/tcp.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth::bench;

std::string command(const std::vector<std::string>& words) {
    auto text = fmt::format("*{}\r\n", words.size());
    for (const auto& word : words) text += fmt::format("${}\r\n{}\r\n", word.size(), word);
    return text;
}

/// One reply at `at`: its text and where the next begins; nothing while it is not whole. No nested arrays.
struct Reply {
    std::string text;
    std::size_t next;
    bool bad;
};
std::optional<Reply> reply_at(const std::string& in, std::size_t at) {
    const auto end = in.find("\r\n", at);
    if (at >= in.size() || end == std::string::npos) return std::nullopt;
    const auto line = in.substr(at + 1, end - at - 1);
    if (in[at] != '$') return Reply{line, end + 2, in[at] == '-'};
    const auto size = std::stol(line);
    if (size < 0) return Reply{"", end + 2, true};
    const auto whole = end + 2 + static_cast<std::size_t>(size) + 2;
    if (in.size() < whole) return std::nullopt;
    return Reply{in.substr(end + 2, static_cast<std::size_t>(size)), whole, false};
}

struct Waiting {
    Steady::time_point at;
    bool claim;
};
struct Connection {
    int fd = -1;
    std::string in, out;
    std::deque<Waiting> waiting;
};

class Load {
public:
    Load(std::uint16_t port, std::string claim, std::string release) : port_(port), claim_(std::move(claim)), release_(std::move(release)) {}

    Json closed(std::size_t connections, std::size_t outstanding, double seconds) {
        open_all(connections);
        const auto begun = reset();
        end_ = begun + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
        for (std::size_t c = 0; c < connections; ++c) {
            for (std::size_t i = 0; i < outstanding; ++i) claim(c, Steady::now());
        }
        while (ended_ < begun_) round(-1, {});
        return figures(begun);
    }
    Json open(double per_second, double seconds) {
        open_all(1);
        const auto begun = reset();
        end_ = begun;
        Poisson arrivals(per_second, seconds);
        while (!arrivals.over() || ended_ < begun_) {
            round(arrivals.fd(), [&] { arrivals.due([&](Steady::time_point at) { claim(0, at); }); });
        }
        return figures(begun);
    }
    Json beats(std::size_t connections, double per_second, double seconds) {
        open_all(connections);
        const auto begun = reset();
        end_ = begun;
        Poisson arrivals(per_second, seconds);
        std::size_t next = 0;
        const std::string body(400, 'b');
        while (!arrivals.over() || ended_ < begun_) {
            round(arrivals.fd(), [&] {
                arrivals.due([&](Steady::time_point at) {
                    ++begun_;
                    queue(next, {at, false}, command({"SET", fmt::format("host:{}", next), body, "EX", "33"}));
                    next = (next + 1) % connections;
                });
            });
        }
        return figures(begun);
    }

private:
    void open_all(std::size_t count) {
        if (all_.size() == count) return;
        for (const auto& one : all_) ::close(one.fd);
        if (ready_ >= 0) ::close(ready_);
        ready_ = ::epoll_create1(EPOLL_CLOEXEC);
        all_.assign(count, {});
        for (std::size_t i = 0; i < count; ++i) {
            all_[i].fd = connect_to(port_);
            watch(ready_, all_[i].fd, i);
        }
    }
    Steady::time_point reset() {
        first_ = {};
        cycles_ = {};
        begun_ = ended_ = failed_ = 0;
        return Steady::now();
    }
    void queue(std::size_t c, Waiting waiting, const std::string& text) {
        all_[c].waiting.push_back(waiting);
        if (all_[c].out.empty()) dirty_.push_back(c);
        all_[c].out += text;
    }
    void claim(std::size_t c, Steady::time_point at) {
        ++begun_;
        const auto number = ++claimed_;
        queue(c, {at, true}, command({"EVALSHA", claim_, "0", fmt::format("k{}", number), fmt::format("u{}", number), "p"}));
    }
    void take(std::size_t c, const Reply& reply) {
        const auto one = all_[c].waiting.front();
        all_[c].waiting.pop_front();
        failed_ += reply.bad ? 1 : 0;
        if (reply.bad) error_ = reply.text;
        if (one.claim) {
            first_.add(Steady::now() - one.at);
            if (!reply.bad) return queue(c, {one.at, false}, command({"EVALSHA", release_, "0", reply.text}));
        }
        ++ended_;
        const auto now = Steady::now();
        cycles_.add(now - one.at);
        if (now < end_) claim(c, now);
    }
    void round(int timer, const std::function<void()>& due) {
        for (const auto c : std::exchange(dirty_, {})) {
            send_all(all_[c].fd, all_[c].out);
            all_[c].out.clear();
        }
        if (timer >= 0 && timer != timer_) {
            watch(ready_, timer, timer_mark);
            timer_ = timer;
        }
        std::array<epoll_event, 256> events{};
        const int count = ::epoll_wait(ready_, events.data(), static_cast<int>(events.size()), 100);
        for (int i = 0; i < count; ++i) {
            const auto c = events[static_cast<std::size_t>(i)].data.u64;
            if (c == timer_mark) due(); else read_from(c);
        }
        if (timer < 0) timer_ = -1;
    }
    void read_from(std::size_t c) {
        std::array<char, 65'536> bytes{};
        const auto got = ::recv(all_[c].fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) throw std::runtime_error("Redis is gone");
        auto& in = all_[c].in;
        in.append(bytes.data(), static_cast<std::size_t>(got));
        std::size_t at = 0;
        while (const auto reply = reply_at(in, at)) {
            at = reply->next;
            take(c, *reply);
        }
        in.erase(0, at);
    }
    Json figures(Steady::time_point begun) {
        timer_ = -1;
        return {{"count", ended_ - failed_}, {"failed", failed_}, {"error", failed_ ? error_ : ""}, {"seconds", seconds_since(begun)},
                {"latency", first_.json()}, {"cycle", cycles_.json()}};
    }

    static constexpr std::uint64_t timer_mark = ~std::uint64_t{0};
    std::uint16_t port_;
    std::string claim_, release_, error_;
    int ready_ = -1;
    int timer_ = -1;
    std::vector<Connection> all_;
    std::vector<std::size_t> dirty_;
    Histogram first_, cycles_;
    Steady::time_point end_;
    std::uint64_t claimed_ = 0;
    std::size_t begun_ = 0, ended_ = 0, failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    Load load(static_cast<std::uint16_t>(std::stoi(argv[1])), argv[2], argv[3]);
    return serve_turns({{"ready", true}},
                       {{"closed", [&](const Json& asked) {
                             return load.closed(asked.at("connections"), asked.at("outstanding"), asked.at("seconds"));
                         }},
                        {"open", [&](const Json& asked) { return load.open(asked.at("per_second"), asked.at("seconds")); }},
                        {"beats", [&](const Json& asked) {
                             return load.beats(asked.at("connections"), asked.at("per_second"), asked.at("seconds"));
                         }}});
}
