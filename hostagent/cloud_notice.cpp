// SPDX-License-Identifier: Apache-2.0
#include "hostagent/cloud_notice.hpp"

#include <nlohmann/json.hpp>

#include "base/diagnostics.hpp"

namespace berth::hostagent {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds ask_every{5};

std::string text_at(const Json& object, const char* key) {
    const auto at = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

}  // namespace

std::optional<EndNotice> end_notice_of(const CloudWords& words) {
    if (!words.spot_action.empty()) {
        const auto said = Json::parse(words.spot_action, nullptr, false);
        const auto action = text_at(said, "action");
        EndNotice notice{fmt::format("Amazon takes this spot instance back ({})", action.empty() ? "it does not say how" : action), std::nullopt};
        if (const auto at = from_rfc3339(text_at(said, "time"))) notice.ends_at = *at;
        return notice;
    }
    if (words.lifecycle == "Terminated") return EndNotice{"its Auto Scaling group ends this instance", std::nullopt};
    if (!words.rebalance.empty()) return EndNotice{"Amazon may soon take this spot instance back (rebalance recommendation)", std::nullopt};
    return std::nullopt;
}

CloudNoticeWatch::CloudNoticeWatch(aws::MetadataSetup setup) : metadata_(clock_, std::move(setup)) {}

std::optional<EndNotice> CloudNoticeWatch::look() {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_ && !asking_.exchange(true)) {
        next_ = now + ask_every;
        worker_.submit([this] {
            ask();
            asking_ = false;
        });
    }
    const std::lock_guard hold{mutex_};
    return last_;
}

void CloudNoticeWatch::ask() {
    CloudWords words;
    for (const auto& [path, to] : {std::pair{"meta-data/spot/instance-action", &words.spot_action},
                                   {"meta-data/autoscaling/target-lifecycle-state", &words.lifecycle},
                                   {"meta-data/events/recommendations/rebalance", &words.rebalance}}) {
        auto answer = metadata_.get(path);
        if (answer) {
            *to = std::move(*answer);
        } else if (answer.error().kind != ErrorKind::not_found) {
            if (!std::exchange(silent_, true)) log_warn("host.metadata_silent", {{"why", answer.error().text + "; a notice that this machine ends would not be seen"}});
            return;
        }
    }
    silent_ = false;
    const std::lock_guard hold{mutex_};
    last_ = end_notice_of(words);
}

}  // namespace berth::hostagent
