// SPDX-License-Identifier: Apache-2.0
// A look inside of a process: /healthz and /metrics on the unix socket <state>/run/<name>.sock, from a thread of its own, so
// that a loop which hangs is seen from outside. The gateway gathers all of one machine under its own /metrics.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "bus/loop.hpp"

namespace berth::shell {

/// One number of a process; `name` without "berth_<process>_", and "_total" at its end when it only grows.
struct Figure {
    std::string name;
    std::string help;
    double value = 0;
    std::vector<std::pair<std::string, std::string>> labels = {};   // bounded: never an id or a name of a person
};
using Figures = std::function<std::vector<Figure>()>;

/// "berth_reaper_signals_total{kind=\"idle\"} 3", each family with its HELP and TYPE.
std::string figures_text(std::string_view process, const std::vector<Figure>& figures);
/// What the system knows of this very process: CPU, memory, descriptors, threads.
std::vector<Figure> figures_of_this_process(Instant started_at, Instant now);

class Inside {
public:
    /// Listens at once. Its loop says each second that it lives, and takes `figures` (on the loop's own thread).
    static Result<std::unique_ptr<Inside>> open(bus::Loop& loop, const std::string& state, const std::string& name);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

    void show(Figures figures) { figures_ = std::move(figures); }

private:
    Inside(bus::Loop& loop, std::string name, std::string path);
    void beat();
    void serve();
    std::string answer_to(std::string_view request) const;

    bus::Loop& loop_;
    const std::string name_;
    const std::string path_;
    const Instant started_at_;
    Figures figures_;                     // of the loop's thread, like what follows
    Instant beat_at_;
    Duration lag_max_{0};
    std::atomic<std::int64_t> steady_beat_ms_{0};
    mutable std::mutex guard_;
    std::string text_;                    // under guard_, like what follows
    Instant told_at_;
    int listener_ = -1;
    int stop_[2] = {-1, -1};
    std::thread thread_;
};

}  // namespace berth::shell
