// SPDX-License-Identifier: Apache-2.0
// Many things by their names, for one pass: nothing is allocated for each of them, and whoever adds
// and asks in the order of names, as listings mostly are, pays for no search. Of equal names the one
// added last is found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

template <class T>
class ByName {
public:
    explicit ByName(std::size_t expected) { entries_.reserve(expected); }

    /// Name and thing must outlive this.
    void add(std::string_view name, const T& thing) {
        sorted_ = sorted_ && (entries_.empty() || entries_.back().first <= name);
        entries_.emplace_back(name, &thing);
    }
    const T* find(std::string_view name) {
        if (!std::exchange(sorted_, true)) {
            std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        }
        auto at = entries_.begin() + static_cast<std::ptrdiff_t>(next_);
        if (at == entries_.end() || at->first != name) {
            at = std::lower_bound(entries_.begin(), entries_.end(), name, [](const auto& entry, auto wanted) { return entry.first < wanted; });
        }
        if (at == entries_.end() || at->first != name) return nullptr;
        while (at + 1 != entries_.end() && (at + 1)->first == name) ++at;
        next_ = static_cast<std::size_t>(at - entries_.begin()) + 1;
        return at->second;
    }

private:
    std::vector<std::pair<std::string_view, const T*>> entries_;
    bool sorted_ = true;
    std::size_t next_ = 0;                // most likely asked for next
};

}  // namespace berth
