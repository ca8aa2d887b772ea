// SPDX-License-Identifier: Apache-2.0
#include "bus/sequences.hpp"

#include <algorithm>

namespace berth::bus {

std::optional<std::uint64_t> SequenceSource::next(const std::string& topic) {
    const auto found = topics_.find(topic);
    if (found != topics_.end()) return ++found->second;
    if (topics_.size() >= topics_max) return std::nullopt;
    topics_.emplace(topic, 1);
    return 1;
}

std::optional<std::uint64_t> SequenceWatch::note(const std::string& sender, const std::string& source,
                                                 const std::string& topic, std::uint64_t sequence) {
    auto found = senders_.find(sender);
    if (found == senders_.end()) {
        if (senders_.size() >= senders_max) return std::nullopt;
        senders_.emplace(sender, Seen{source, {{topic, sequence}}});
        return std::nullopt;
    }
    auto& seen = found->second;
    if (seen.source != source) {
        seen = Seen{source, {{topic, sequence}}};
        return sequence == 0 ? 0 : sequence - 1;
    }
    const auto last = seen.topics.find(topic);
    if (last == seen.topics.end()) {
        if (seen.topics.size() < topics_max) seen.topics.emplace(topic, sequence);
        return std::nullopt;
    }
    const auto before = last->second;
    last->second = std::max(before, sequence);
    if (sequence <= before + 1) return std::nullopt;
    return sequence - before - 1;
}

}  // namespace berth::bus
