// SPDX-License-Identifier: Apache-2.0
// What Amazon says of the end of this machine, by its metadata service (version 2): a spot interruption (two minutes
// ahead), a rebalance recommendation, an Auto Scaling group that ends it. Requirement 14.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "aws/metadata.hpp"
#include "events/host.hpp"
#include "hostagent/workers.hpp"

namespace berth::hostagent {

/// Its answers as they came; empty: it has no such thing.
struct CloudWords {
    std::string spot_action;       // {"action": "terminate", "time": "2026-11-27T22:00:00Z"}
    std::string lifecycle;         // the state that the group wants for it: "InService", "Terminated" …
    std::string rebalance;         // {"noticeTime": …}
};
/// The most certain of them. What can not be read but is there counts, without a time.
std::optional<EndNotice> end_notice_of(const CloudWords& words);

class CloudNoticeWatch {
public:
    explicit CloudNoticeWatch(aws::MetadataSetup setup);
    /// As it was last answered; a service that does not answer changes nothing. Asks anew every 5 s, as Amazon
    /// advises, on a thread of its own. Never waits.
    std::optional<EndNotice> look();

private:
    void ask();

    RealClock clock_;
    aws::Metadata metadata_;               // of the worker
    bool silent_ = false;                  // of the worker: it did not answer, and that was said
    std::chrono::steady_clock::time_point next_{};
    std::atomic<bool> asking_{false};
    std::mutex mutex_;
    std::optional<EndNotice> last_;
    Workers worker_{1};                    // last: it ends first
};

}  // namespace berth::hostagent
