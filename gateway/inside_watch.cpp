// SPDX-License-Identifier: Apache-2.0
#include "gateway/inside_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "http/client.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t processes_max = 32;
constexpr Duration patience{1'000};

std::vector<std::string> sockets_in(const std::string& folder) {
    std::vector<std::string> found;
    std::error_code error;
    for (auto at = std::filesystem::directory_iterator(folder, error); !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
        if (at->path().extension() == ".sock" && found.size() < processes_max) found.push_back(at->path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

InsideWatch::InsideWatch(std::string state, Duration period, Tell tell)
    : state_(std::move(state)), period_(period), tell_(std::move(tell)), thread_([this] { run(); }) {}

InsideWatch::~InsideWatch() {
    {
        const std::lock_guard lock(guard_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void InsideWatch::run() {
    std::unique_lock lock(guard_);
    while (!ending_) {
        lock.unlock();
        std::string answers, text;
        for (const auto& socket : sockets_in(state_ + "/run")) {
            const auto name = std::filesystem::path(socket).stem().string();
            const auto said = http::get_local(socket, "/metrics", patience);
            const bool good = said && said->status == 200;
            if (good) text += said->body;
            answers += fmt::format("berth_process_answers{{process=\"{}\"}} {}\n", name, good ? 1 : 0);
        }
        if (!answers.empty()) answers = "# HELP berth_process_answers 1 while that process tells of itself.\n# TYPE berth_process_answers gauge\n" + answers;
        tell_(answers + text);
        lock.lock();
        changed_.wait_for(lock, period_, [this] { return ending_; });
    }
}

}  // namespace berth::gateway
