// SPDX-License-Identifier: Apache-2.0
// The word that this machine will end: SIGPWR (as a UPS daemon, a hypervisor or systemd sends it), or a file
// that somebody writes, or a provider. A file's first line may be the time of the end, RFC 3339; the rest says why.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/descriptor.hpp"
#include "base/time.hpp"
#include "events/host.hpp"
#include "hostagent/cloud_notice.hpp"

namespace berth::hostagent {

/// Before any thread is started: from then on SIGPWR ends nothing, and the watch gets it.
void keep_end_signal();

class EndNoticeWatch {
public:
    /// `cloud`: where a provider's notices are asked for; none: it has none.
    EndNoticeWatch(std::string file, std::unique_ptr<CloudNoticeWatch> cloud);
    /// The notice as it stands; nothing when there is none, or when its file was taken away. Never waits.
    std::optional<EndNotice> look();

private:
    std::string file_;
    Descriptor signals_;
    std::optional<EndNotice> signalled_;
    std::unique_ptr<CloudNoticeWatch> cloud_;
};

/// Of the file's content.
EndNotice parse_end_notice(std::string_view text, const std::string& file);

}  // namespace berth::hostagent
