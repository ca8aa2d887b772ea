// SPDX-License-Identifier: Apache-2.0
// The load on HTTP servers: connections that are kept, on each one request at a time. A cycle is one request,
// or two of which the second names what the first one's answer told.
//
//   bench_http
//   {"do": "closed", "port": P, "connections": C, "seconds": S, "steps": [{"head": …, "body": …, "take": …, "until": …}]}
// In head and body {n} is the cycle's number and {x} what was taken: the text between `take` and `until`,
// which is a quotation mark when it is not told.
// "head" is a request line with fields, without the last empty line; Content-Length is added for a body.
#include <fmt/format.h>

#include <vector>

#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/tcp.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth::bench;

struct Step {
    std::string head, body, take, until;
};

std::string filled(std::string text, const std::string& mark, const std::string& with) {
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + with.size())) text.replace(at, mark.size(), with);
    return text;
}

/// The size of a whole answer with Content-Length at the beginning of `in`; 0 while it is not whole.
std::size_t whole_answer(const std::string& in) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string::npos) return 0;
    for (auto at = in.find("\r\n"); at < end; at = in.find("\r\n", at + 2)) {
        constexpr std::string_view name = "\r\ncontent-length:";
        if (::strncasecmp(in.data() + at, name.data(), name.size()) != 0) continue;
        const auto size = end + 4 + std::stoul(in.substr(at + name.size(), 24));
        return in.size() >= size ? size : 0;
    }
    throw std::runtime_error("an answer without Content-Length: " + in.substr(0, 300));
}

struct Connection {
    int fd = -1;
    std::string in, taken;
    std::size_t step = 0;
    std::uint64_t number = 0;
    Steady::time_point begun, asked;
};

class Load {
public:
    Json closed(const Json& asked) {
        steps_.clear();
        for (const auto& step : asked.at("steps")) {
            steps_.push_back({step.at("head"), step.value("body", ""), step.value("take", ""), step.value("until", "\"")});
        }
        plain_ = steps_.size() == 1 && steps_[0].body.empty() && steps_[0].head.find('{') == std::string::npos;
        ready_ = ::epoll_create1(EPOLL_CLOEXEC);
        std::vector<Connection> all(asked.at("connections").get<std::size_t>());
        first_ = cycles_ = {};
        ended_ = failed_ = 0;
        const auto begun = Steady::now();
        end_ = begun + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(asked.at("seconds")));
        open_ = all.size();
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].fd = connect_to(asked.at("port"));
            watch(ready_, all[i].fd, i);
            begin(all[i]);
        }
        while (open_ > 0) {
            std::array<epoll_event, 64> events{};
            const int count = ::epoll_wait(ready_, events.data(), static_cast<int>(events.size()), 30'000);
            if (count == 0) throw std::runtime_error("no answer for 30 s");
            for (int i = 0; i < count; ++i) read_from(all[events[static_cast<std::size_t>(i)].data.u64]);
        }
        ::close(ready_);
        return {{"count", ended_ - failed_}, {"failed", failed_}, {"error", failed_ ? error_ : ""}, {"seconds", seconds_since(begun)},
                {"latency", first_.json()}, {"cycle", cycles_.json()}};
    }

private:
    void begin(Connection& one) {
        one.begun = Steady::now();
        one.step = 0;
        one.number = ++numbers_;
        ask(one);
    }
    void ask(Connection& one) {
        const auto& step = steps_[one.step];
        one.asked = Steady::now();
        if (plain_) return send_all(one.fd, step.head + "\r\n");
        const auto fill = [&](const std::string& text) { return filled(filled(text, "{n}", std::to_string(one.number)), "{x}", one.taken); };
        const auto body = fill(step.body);
        send_all(one.fd, fill(step.head) + (body.empty() ? "" : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size())) +
                             "\r\n" + body);
    }
    void read_from(Connection& one) {
        std::array<char, 131'072> bytes;
        const auto got = ::recv(one.fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) throw std::runtime_error("the server closed a connection");
        one.in.append(bytes.data(), static_cast<std::size_t>(got));
        const auto size = whole_answer(one.in);
        if (size == 0) return;
        const bool good = one.in.compare(9, 1, "2") == 0;
        const auto& take = steps_[one.step].take;
        if (const auto at = take.empty() ? std::string::npos : one.in.find(take); at != std::string::npos) {
            const auto from = at + take.size();
            one.taken = one.in.substr(from, one.in.find(steps_[one.step].until, from) - from);
        }
        if (!good) error_ = one.in.substr(0, 400);
        one.in.erase(0, size);
        if (one.step == 0) first_.add(Steady::now() - one.asked);
        if (good && ++one.step < steps_.size()) return ask(one);
        ++ended_;
        failed_ += good ? 0 : 1;
        const auto now = Steady::now();
        cycles_.add(now - one.begun);
        if (now < end_) return begin(one);
        ::close(one.fd);
        --open_;
    }

    std::vector<Step> steps_;
    bool plain_ = false;
    int ready_ = -1;
    Histogram first_, cycles_;
    Steady::time_point end_;
    std::size_t open_ = 0, ended_ = 0, failed_ = 0;
    std::uint64_t numbers_ = 0;
    std::string error_;
};

}  // namespace

int main() {
    Load load;
    return serve_turns({{"ready", true}}, {{"closed", [&](const Json& asked) { return load.closed(asked); }}});
}
