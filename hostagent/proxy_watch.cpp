// SPDX-License-Identifier: Apache-2.0
#include "hostagent/proxy_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/diagnostics.hpp"
#include "hostagent/small_file.hpp"

namespace berth::hostagent {

namespace {

constexpr Duration while_starting{20};
constexpr Duration pause_first{100};
constexpr Duration pause_max{10'000};
constexpr Duration starts_window{600'000};

std::vector<std::string> own_environment() {
    std::vector<std::string> words;
    for (char** word = environ; word != nullptr && *word != nullptr; ++word) words.emplace_back(*word);
    return words;
}

std::uint32_t read_port(const std::string& state) {
    const auto text = read_small_file(state + "/proxy.port");
    std::uint32_t port = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), port);
    return port;
}

bool is_proxy_of(pid_t pid, const std::string& state) {
    const auto arguments = read_small_file(fmt::format("/proc/{}/cmdline", pid));
    if (!arguments || arguments->find(std::string{'\0'} + state + std::string{'\0'}) == std::string::npos) return false;
    const auto first = arguments->find('\0');   // a script's own name stands second
    const auto second = arguments->find('\0', first + 1);
    const auto words = std::string_view{*arguments}.substr(0, second);
    return words.substr(0, first).ends_with("berth-proxy") || words.ends_with("berth-proxy");
}

}  // namespace

std::optional<ProcessMark> find_proxy(const std::string& state) {
    const auto mark = read_mark(state + "/proxy.pid");
    // The pid alone may be another program's by now.
    return mark && runs(*mark) && is_proxy_of(mark->pid, state) ? mark : std::nullopt;
}

std::vector<ProcessMark> find_all_proxies(const std::string& state) {
    std::vector<ProcessMark> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        const auto pid = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
        if (pid <= 1 || !is_proxy_of(pid, state)) continue;
        if (const auto mark = mark_of(pid)) found.push_back(*mark);
    }
    return found;
}

Duration ProxyWatch::look(Instant now) {
    if (setup_.program == "none") {
        port_ = setup_.port;
        return policy_.proxy_check;
    }
    const auto mark = find_proxy(setup_.state);
    if (child_.pid != 0) bury(child_.pid);
    if (mark && ::access((setup_.state + "/run/proxy.ready").c_str(), F_OK) == 0) {
        const auto port = read_port(setup_.state);
        if (!good_ || port != port_) log_info("proxy.serves", {{"pid", mark->pid}, {"port", port}});
        good_ = true;
        port_ = port;
        pause_ = Duration{0};
        return policy_.proxy_check;
    }
    if (good_) log_warn("proxy.ended", {{"port", port_}});
    good_ = false;
    if (!mark && !runs(child_) && now >= start_at_) start(now);
    return while_starting;
}

void ProxyWatch::start(Instant now) {
    while (!starts_.empty() && starts_.front() + starts_window <= now) starts_.pop_front();
    pause_ = std::clamp(pause_ * 2, pause_first, pause_max);
    start_at_ = now + pause_;
    if (starts_.size() >= policy_.proxy_starts_max) return;   // again when the oldest is forgotten
    starts_.push_back(now);
    ChildOrder order{.environment = own_environment(), .output = setup_.state + "/proxy.log"};
    order.arguments = {setup_.program, "--state", setup_.state, "--host-id", setup_.host,
                       "--listen-address", setup_.listen_address, "--port", std::to_string(setup_.port),
                       "--log-level", setup_.log_level};
    if (!setup_.config.empty()) order.arguments.insert(order.arguments.end(), {"--config", setup_.config});
    const auto mark = start_child(order);
    if (!mark) {
        log_warn("proxy.not_started", {{"why", mark.error().text}});
    } else {
        child_ = *mark;
        log_info("proxy.started", {{"pid", mark->pid}});
    }
}

}  // namespace berth::hostagent
