// SPDX-License-Identifier: Apache-2.0
#include "hostagent/proxy_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#include "base/diagnostics.hpp"
#include "base/outside_text.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::hostagent {

namespace {

constexpr Duration while_starting{20};
constexpr Duration pause_first{100};
constexpr Duration pause_max{10'000};
constexpr Duration starts_window{600'000};

std::uint32_t read_port(const std::string& state) {
    const auto text = os::read_file(state + "/proxy.port");
    std::uint32_t port = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), port);
    return port;
}

// A script's own name stands second.
bool is_proxy_of(pid_t pid, const std::string& state) {
    const auto arguments = os::arguments_of(pid);
    const auto is_proxy = [](const std::string& word) { return word.ends_with("berth-proxy"); };
    const auto first_two = arguments.begin() + std::min<std::ptrdiff_t>(2, std::ssize(arguments));
    return std::any_of(arguments.begin(), first_two, is_proxy) && std::find(arguments.begin(), arguments.end(), state) != arguments.end();
}

/// The last line of its log; it says why the proxy ended (a port that is taken, a certificate that is none).
std::string last_line_of(const std::string& log) {
    constexpr std::streamoff tail = 2'000;
    std::ifstream file(log, std::ios::ate);
    file.seekg(-std::min<std::streamoff>(tail, file.tellg()), std::ios::cur);
    std::string last;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty()) last = line;
    }
    return last;
}

}  // namespace

std::optional<os::ProcessMark> find_proxy(const std::string& state) {
    const auto mark = os::read_mark(state + "/proxy.pid");
    // The pid alone may be another program's by now.
    return mark && os::runs(*mark) && is_proxy_of(mark->pid, state) ? mark : std::nullopt;
}

std::vector<os::ProcessMark> find_all_proxies(const std::string& state) {
    std::vector<os::ProcessMark> found;
    for (const auto pid : os::all_processes()) {
        if (!is_proxy_of(pid, state)) continue;
        if (const auto mark = os::mark_of(pid)) found.push_back(*mark);
    }
    return found;
}

Duration ProxyWatch::look(Instant now) {
    if (setup_.program == "none") {
        port_ = setup_.port;
        return policy_.proxy_check;
    }
    const auto mark = find_proxy(setup_.state);
    if (child_.pid != 0) os::has_ended(child_.pid);
    if (mark && ::access((setup_.state + "/run/proxy.ready").c_str(), F_OK) == 0) {
        const auto port = read_port(setup_.state);
        if (!good_ || port != port_) log_info("proxy.serves", {{"pid", mark->pid}, {"port", port}});
        good_ = served_ = true;
        port_ = port;
        pause_ = Duration{0};
        return policy_.proxy_check;
    }
    if (good_) log_warn("proxy.ended", {{"port", port_}});
    good_ = false;
    if (!mark && !os::runs(child_) && now >= start_at_) start(now);
    return while_starting;
}

void ProxyWatch::start(Instant now) {
    while (!starts_.empty() && starts_.front() + starts_window <= now) starts_.pop_front();
    pause_ = std::clamp(pause_ * 2, pause_first, pause_max);
    start_at_ = now + pause_;
    if (starts_.size() >= policy_.proxy_starts_max) return;   // again when the oldest is forgotten
    starts_.push_back(now);
    if (child_.pid != 0 && !served_) {
        log_warn("proxy.did_not_serve", {{"pid", child_.pid}, {"port", setup_.port}, {"why", last_line_of(setup_.state + "/proxy.log")}, {"again_in", to_text(pause_)}});
    }
    served_ = false;
    os::ProgramOrder order{.output = setup_.state + "/proxy.log"};
    order.arguments = {setup_.program, "--state", setup_.state, "--host-id", setup_.host,
                       "--listen-address", setup_.listen_address, "--port", std::to_string(setup_.port),
                       "--log-level", setup_.log_level};
    if (!setup_.config.empty()) order.arguments.insert(order.arguments.end(), {"--config", setup_.config});
    if (const auto gateway = setup_.gateway_url_file.empty() ? std::string{} : first_line_of(setup_.gateway_url_file); !gateway.empty()) {
        order.arguments.insert(order.arguments.end(), {"--gateway-url", gateway});
    }
    const auto mark = os::start_program(order);
    if (!mark) {
        log_warn("proxy.not_started", {{"why", mark.error().text}});
    } else {
        child_ = *mark;
        log_info("proxy.started", {{"pid", mark->pid}});
    }
}

}  // namespace berth::hostagent
