// SPDX-License-Identifier: Apache-2.0
// When two states of the small world are alike: their actors and packets have the same forms, and their
// marks stand in the same places.
#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "tests/sim/scope_world.hpp"

namespace berth::sim {

template <class T>
std::uint32_t Gallery<T>::number_of(T what) {
    auto sketch = sketch_of(what);
    Likeness like{.pattern = hash_of(sketch.form), .anchors = std::move(sketch.anchors)};
    for (const auto& mark : sketch.marks) (is_ranked(mark.scale) ? like.ranked : like.others).push_back(mark);
    const auto occurring = like.ranked;
    std::sort(like.ranked.begin(), like.ranked.end());
    like.ranked.erase(std::unique(like.ranked.begin(), like.ranked.end()), like.ranked.end());
    for (const auto& mark : occurring) {
        like.pattern = mix(like.pattern ^ static_cast<std::uint64_t>(std::lower_bound(like.ranked.begin(), like.ranked.end(), mark) - like.ranked.begin()));
    }
    auto key = like.pattern;
    for (const auto* marks : {&like.ranked, &like.others, &like.anchors}) {
        for (const auto& mark : *marks) key = mix(key ^ mix(mark.value) ^ mark.index());
    }
    for (const auto counter : sketch.counters) key = mix(key ^ counter);
    const auto [at, fresh] = numbers_.emplace(key, static_cast<std::uint32_t>(items_.size()));
    if (fresh) items_.push_back({std::move(what), std::move(like)});
    return at->second;
}

template class Gallery<ScopeAllocator>;
template class Gallery<ScopeHost>;
template class Gallery<Packet>;

namespace {

/// What the marks of one state are held against.
class Scales {
public:
    explicit Scales(Instant now) : now_(now.time_since_epoch().count()) {}

    void gather(const auto& likeness) {
        for (const auto& mark : likeness.ranked) rank(scales_[mark.index()], mark.value);
        for (const auto& mark : likeness.anchors) scales_[mark.index()].add(mark.value);
    }
    std::uint64_t place(const Mark& mark) const {
        const auto& scale = scales_[mark.index()];
        std::uint64_t slots = 0;
        switch (mark.scale) {
            case Scale::claim:
            case Scale::workspace:
            case Scale::term:
            case Scale::container: return scale.below(mark.value);
            case Scale::position: return scales_[Mark{Scale::term}.index()].below(mark.value);
            case Scale::time: return static_cast<std::uint64_t>(std::clamp<std::int64_t>(static_cast<std::int64_t>(mark.value) - now_, 0, scope_wait.count() + 1));
            case Scale::command:
            case Scale::life: return std::find(scale.values.begin(), scale.values.begin() + scale.count, mark.value) - scale.values.begin();
            case Scale::beat:
            case Scale::change:
                for (std::size_t slot = 0; slot < scale.count; ++slot) slots |= (scale.values[slot] <= mark.value ? 1ULL : 0ULL) << slot;
                return slots;
        }
        return 0;
    }

private:
    struct Values {
        std::array<std::uint64_t, 24> values;
        std::size_t count = 0;
        void add(std::uint64_t value) {
            check(count < values.size(), "more marks than this world has room for");
            values[count++] = value;
        }
        std::uint64_t below(std::uint64_t value) const {
            return static_cast<std::uint64_t>(std::lower_bound(values.begin(), values.begin() + count, value) - values.begin());
        }
    };
    static void rank(Values& scale, std::uint64_t value) {
        const auto at = scale.below(value);
        if (at < scale.count && scale.values[at] == value) return;
        scale.add(value);
        std::rotate(scale.values.begin() + at, scale.values.begin() + scale.count - 1, scale.values.begin() + scale.count);
    }

    std::array<Values, scales * scope_hosts_max> scales_;
    std::int64_t now_;
};

}  // namespace

std::uint64_t ScopeWorld::fingerprint(const ScopeState& state) const {
    Scales places(state.now());
    const auto each = [&](const auto& visit) {
        visit(allocators_, state.allocator);
        for (std::uint32_t index = 0; index < limits_.hosts; ++index) visit(hosts_, state.hosts[index]);
    };
    each([&](const auto& gallery, std::uint32_t number) { places.gather(gallery.likeness(number)); });
    for (std::size_t index = 0; index < state.net.size(); ++index) places.gather(packets_.likeness(state.net[index]));

    const auto hash = [&](const auto& gallery, std::uint32_t number) {
        const auto& like = gallery.likeness(number);
        auto value = like.pattern;
        for (const auto& mark : like.ranked) value = mix(value ^ places.place(mark));
        for (const auto& mark : like.others) value = mix(value ^ places.place(mark));
        return value;
    };
    std::uint64_t all = 0;
    each([&](const auto& gallery, std::uint32_t number) { all = mix(all ^ hash(gallery, number)); });
    std::uint64_t loose = 0;              // what is on no line counts in any order
    for (std::size_t index = 0; index < state.net.size(); ++index) {
        const auto value = hash(packets_, state.net[index]);
        if (state.net.line(index) == 0) loose += value;
        else all = mix(all ^ value) + state.net.line(index);
    }
    return mix(mix(all ^ mix(loose)) ^ state.strikes);
}

std::uint64_t ScopeWorld::identity(const ScopeState& state) const {
    auto all = mix(state.strikes ^ std::uint64_t{state.waits} << 32 ^ std::uint64_t{state.expired} << 40) ^ state.allocator;
    for (const auto number : state.hosts) all = mix(all) ^ number;
    for (std::size_t index = 0; index < state.net.size(); ++index) all = mix(all) ^ (std::uint64_t{state.net[index]} << 8 | state.net.line(index));
    return mix(all);
}

}  // namespace berth::sim
