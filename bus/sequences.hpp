// SPDX-License-Identifier: Apache-2.0
// Counts what a sender published and finds what was lost on the way (I21). A sequence belongs to
// (source, topic), so that a subscriber to some topics only sees gaps that are gaps for it. The
// source changes with each start of a process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace berth::bus {

/// Numbers for what this process publishes: 1, 2, 3… for each topic.
class SequenceSource {
public:
    static constexpr std::size_t topics_max = 65'536;
    /// Empty when there are too many topics to count; receivers then can not notice a loss.
    std::optional<std::uint64_t> next(const std::string& topic);

private:
    std::map<std::string, std::uint64_t> topics_;
};

/// What was received from everyone. The first message from a sender is where counting begins.
class SequenceWatch {
public:
    static constexpr std::size_t senders_max = 65'536;
    static constexpr std::size_t topics_max = 65'536;   // of one sender

    /// How many messages are missing before this one; 0 with a value when only the source changed,
    /// that is, its process was started again. Repeated or older numbers are no gap.
    std::optional<std::uint64_t> note(const std::string& sender, const std::string& source, const std::string& topic,
                                      std::uint64_t sequence);

private:
    struct Seen {
        std::string source;
        std::map<std::string, std::uint64_t> topics;
    };
    std::map<std::string, Seen> senders_;
};

}  // namespace berth::bus
