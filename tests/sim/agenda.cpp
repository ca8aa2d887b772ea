// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/agenda.hpp"

#include <bit>
#include <utility>

#include "base/check.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t word_bits = 64;

}  // namespace

Agenda::Agenda() : ring_(ring_size), used_(ring_size / word_bits) {}

void Agenda::add(Task task) {
    check(task.at >= now_, "nothing is planned for the past");
    const auto at = task.at;
    const auto index = place(std::move(task));
    if (at - now_ < Duration{ring_size}) return link_near(index);
    link(later_[at], index);
}

std::optional<Task> Agenda::take(Instant until) {
    auto next = first_near();
    if (!later_.empty() && (!next || later_.begin()->first <= *next)) next = later_.begin()->first;
    if (!next || *next > until) return std::nullopt;
    now_ = *next;
    if (!later_.empty() && later_.begin()->first == now_) {
        const auto list = later_.extract(later_.begin()).mapped();
        for (auto index = list.first; index != none;) link_near(std::exchange(index, places_[index].next));
    }
    const auto slot = slot_of(now_);
    auto& list = ring_[slot];
    const auto index = list.first;
    list.first = places_[index].next;
    if (list.first == none) {
        list.last = none;
        used_[slot / word_bits] &= ~(std::uint64_t{1} << (slot % word_bits));
    }
    free_.push_back(index);
    return std::move(places_[index].task);
}

std::uint32_t Agenda::place(Task task) {
    if (free_.empty()) {
        places_.push_back({std::move(task)});
        return static_cast<std::uint32_t>(places_.size() - 1);
    }
    const auto index = free_.back();
    free_.pop_back();
    places_[index].task = std::move(task);
    return index;
}

// At its end, unless it was put off and others were planned since.
void Agenda::link(List& list, std::uint32_t index) {
    auto& mine = places_[index];
    mine.next = none;
    if (list.first == none) {
        list = {index, index, mine.task.order};
    } else if (list.last_order < mine.task.order) {
        list.last = places_[list.last].next = index;
        list.last_order = mine.task.order;
    } else if (mine.task.order < places_[list.first].task.order) {
        mine.next = std::exchange(list.first, index);
    } else {
        auto before = list.first;
        while (places_[places_[before].next].task.order < mine.task.order) before = places_[before].next;
        mine.next = std::exchange(places_[before].next, index);
    }
}

void Agenda::link_near(std::uint32_t index) {
    const auto slot = slot_of(places_[index].task.at);
    link(ring_[slot], index);
    used_[slot / word_bits] |= std::uint64_t{1} << (slot % word_bits);
}

std::optional<Instant> Agenda::first_near() const {
    const auto begin = slot_of(now_);
    const auto first_word = begin / word_bits;
    auto word = used_[first_word] & (~std::uint64_t{0} << (begin % word_bits));
    for (std::size_t step = 0; step <= used_.size(); ++step) {
        if (step > 0) word = used_[(first_word + step) % used_.size()];
        if (step == used_.size()) word &= ~(~std::uint64_t{0} << (begin % word_bits));   // round: what lies before `begin`
        if (word == 0) continue;
        const auto slot = (first_word + step) % used_.size() * word_bits + static_cast<std::size_t>(std::countr_zero(word));
        return now_ + Duration{static_cast<std::int64_t>((slot + ring_size - begin) % ring_size)};
    }
    return std::nullopt;
}

}  // namespace berth::sim
