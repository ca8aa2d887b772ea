// SPDX-License-Identifier: Apache-2.0
#include "shell/inside.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/diagnostics.hpp"
#include "os/files.hpp"

namespace berth::shell {

namespace {

constexpr Duration beat_period{1'000};
constexpr Duration silence_max{5'000};    // then it is not healthy
constexpr int client_patience_ms = 1'000;
constexpr std::size_t request_bytes_max = 4'096;
constexpr int backlog = 8;

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

double in_status(std::string_view status, std::string_view key) {
    const auto at = status.find(key);
    return at == std::string_view::npos ? 0 : std::strtod(status.data() + at + key.size(), nullptr);
}

bool readable(int fd, int patience_ms) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, patience_ms) == 1 && (one.revents & POLLIN) != 0;
}

}  // namespace

std::string figures_text(std::string_view process, const std::vector<Figure>& figures) {
    std::map<std::string, std::string> families;   // one after the other, whatever order they were told in
    for (const auto& figure : figures) {
        const auto name = fmt::format("berth_{}_{}", process, figure.name);
        auto& family = families[name];
        if (family.empty()) family = fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(figure.help), name, name.ends_with("_total") ? "counter" : "gauge");
        std::string labels;
        for (const auto& [key, value] : figure.labels) labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", key, escaped(value));
        family += labels.empty() ? fmt::format("{} {}\n", name, figure.value) : fmt::format("{}{{{}}} {}\n", name, labels, figure.value);
    }
    std::string text;
    for (const auto& [name, family] : families) text += family;
    return text;
}

std::vector<Figure> figures_of_this_process(Instant started_at, Instant now) {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    const auto status = os::read_file("/proc/self/status").value_or("");
    std::error_code ignored;
    double descriptors = 0;
    for (auto at = std::filesystem::directory_iterator("/proc/self/fd", ignored); !ignored && at != std::filesystem::directory_iterator{}; at.increment(ignored)) ++descriptors;
    return {{"uptime_seconds", "Since this process started.", static_cast<double>((now - started_at).count()) / 1000},
            {"cpu_seconds_total", "CPU time, user and system.", seconds(used.ru_utime) + seconds(used.ru_stime)},
            {"memory_bytes", "Resident memory.", in_status(status, "VmRSS:") * 1024},
            {"memory_peak_bytes", "Most resident memory.", in_status(status, "VmHWM:") * 1024},
            {"threads", "Threads.", in_status(status, "Threads:")},
            {"descriptors", "Open file descriptors.", descriptors}};
}

Inside::Inside(bus::Loop& loop, std::string name, std::string path)
    : loop_(loop), name_(std::move(name)), path_(std::move(path)), started_at_(loop.now()), beat_at_(loop.now()) {}

Result<std::unique_ptr<Inside>> Inside::open(bus::Loop& loop, const std::string& state, const std::string& name) {
    const auto path = fmt::format("{}/run/{}.sock", state, name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return fail(ErrorKind::invalid, "{} is too long for a unix socket ({} characters at most): choose a shorter state folder", path, sizeof(address.sun_path) - 1);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    std::error_code ignored;
    std::filesystem::create_directories(state + "/run", ignored);
    TRY(os::remove_file(path));            // an earlier life's
    std::unique_ptr<Inside> inside{new Inside(loop, name, path)};
    inside->listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto good = inside->listener_ >= 0 && ::bind(inside->listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                      ::chmod(path.c_str(), 0600) == 0 && ::listen(inside->listener_, backlog) == 0 && ::pipe2(inside->stop_, O_CLOEXEC) == 0;
    if (!good) return os::failed("listen at", path, errno);
    inside->beat();
    loop.every(beat_period, [it = inside.get()] { it->beat(); });
    inside->thread_ = std::thread([it = inside.get()] { it->serve(); });
    return inside;
}

Inside::~Inside() {
    if (thread_.joinable()) {
        (void)!::write(stop_[1], "x", 1);
        thread_.join();
    }
    for (const int fd : {listener_, stop_[0], stop_[1]}) {
        if (fd >= 0) ::close(fd);
    }
    (void)os::remove_file(path_);
}

void Inside::beat() {
    const auto now = loop_.now();
    lag_max_ = std::max(lag_max_ * 59 / 60, now - beat_at_ - beat_period);   // the worst of about the last minute
    beat_at_ = now;
    std::vector<Figure> figures{{"loop_lag_seconds", "How late the loop's timers ran at worst in about the last minute.", static_cast<double>(std::max(lag_max_, Duration{0}).count()) / 1000}};
    if (figures_) {
        for (auto& figure : figures_()) figures.push_back(std::move(figure));
    }
    auto text = figures_text(name_, figures);
    steady_beat_ms_ = steady_ms();
    const std::lock_guard lock(guard_);
    text_ = std::move(text);
    told_at_ = now;
}

std::string Inside::answer_to(std::string_view request) const {
    const auto answer = [](std::string_view status, std::string_view type, std::string_view body) {
        return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status, type, body.size(), body);
    };
    const auto silent = steady_ms() - steady_beat_ms_;
    if (request.starts_with("GET /healthz ")) {
        const bool good = silent <= silence_max.count();
        return answer(good ? "200 OK" : "503 Service Unavailable", "application/json",
                      good ? std::string{"{\"status\":\"ok\"}\n"} : fmt::format("{{\"status\":\"failing\",\"error\":\"the loop of berth-{} did not move for {} ms\"}}\n", name_, silent));
    }
    if (!request.starts_with("GET /metrics ")) return answer("404 Not Found", "text/plain", "GET /healthz, GET /metrics\n");
    std::string text;
    Instant now;
    {
        const std::lock_guard lock(guard_);
        text = text_;
        now = told_at_;
    }
    auto figures = figures_of_this_process(started_at_, now);     // only when asked: who has 10,000 descriptors counts them for long
    figures.push_back({"loop_silence_seconds", "Since the loop moved last.", static_cast<double>(silent) / 1000});
    return answer("200 OK", "text/plain; version=0.0.4; charset=utf-8", figures_text(name_, figures) + text);
}

void Inside::serve() {
    for (;;) {
        pollfd both[2] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
        if (::poll(both, 2, -1) < 0 && errno != EINTR) return;
        if (both[1].revents != 0) return;
        if ((both[0].revents & POLLIN) == 0) continue;
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) continue;
        std::string request;
        std::array<char, request_bytes_max> part;
        while (request.size() < request_bytes_max && request.find("\r\n\r\n") == std::string::npos && readable(client, client_patience_ms)) {
            const auto got = ::recv(client, part.data(), part.size(), 0);
            if (got <= 0) break;
            request.append(part.data(), static_cast<std::size_t>(got));
        }
        const auto answer = answer_to(request);
        std::size_t sent = 0;
        while (sent < answer.size()) {
            pollfd one{client, POLLOUT, 0};
            if (::poll(&one, 1, client_patience_ms) != 1) break;
            const auto put = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
            if (put <= 0) break;
            sent += static_cast<std::size_t>(put);
        }
        ::close(client);
    }
}

}  // namespace berth::shell
