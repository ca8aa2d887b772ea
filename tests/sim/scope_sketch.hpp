// SPDX-License-Identifier: Apache-2.0
// The likeness of one actor or packet in the small world: two with one sketch can not be told apart by
// anything that may follow. Numbers that the cores only compare are kept apart as marks, and a mark
// counts by its place: two states whose marks stand in the same places are alike, whatever the numbers
// are. Left out is what no step of this world reads: texts, ports, moments that are only told.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "allocator/state.hpp"
#include "base/reflect.hpp"
#include "events/host.hpp"
#include "events/ledger.hpp"

namespace berth::sim {

/// What a number counts, and so, where in a state its place is:
enum class Scale : std::uint8_t {
    claim, workspace, term, container,    // the order among all of its scale
    position,                             // between which terms it lies: it is compared with nothing else
    time,                                 // over, within one wait, or later
    command,                              // which of the commands that the allocator waits for; the others are one
    beat, change,                         // which slots of its host are no newer: later answers and lists may judge them
    life,                                 // whether it is the present one of its host
};
constexpr std::size_t scales = 10;
constexpr std::size_t scope_hosts_max = 2;

struct Mark {
    Scale scale = Scale::claim;
    std::uint8_t host = 0;                // from `beat` on: of which host, from 1
    std::uint64_t value = 0;
    friend auto operator<=>(const Mark&, const Mark&) = default;
    std::size_t index() const { return static_cast<std::size_t>(scale) * scope_hosts_max + (host == 2 ? 1 : 0); }
};
constexpr bool is_ranked(Scale scale) { return scale <= Scale::container; }

struct Sketch {
    std::string form;                     // everything but the marks, which stand in it as places
    std::vector<Mark> marks;
    std::vector<Mark> anchors;            // with which commands, beats, changes and lives are compared
    std::vector<std::uint64_t> counters;  // whose next value is only ever a new one: they do not make a state another one

    template <class T>
    Sketch& operator<<(const T& value) {
        add(value);
        return *this;
    }
    void mark(Scale scale, std::uint64_t value, std::uint32_t host = 0) {
        marks.push_back({scale, static_cast<std::uint8_t>(host), value});
        form += '#';
    }
    void anchor(Scale scale, std::uint64_t value, std::uint32_t host = 0) { anchors.push_back({scale, static_cast<std::uint8_t>(host), value}); }

private:
    static std::uint64_t number_in(std::string_view text, std::size_t from) {
        std::uint64_t number = 0;
        std::from_chars(text.data() + from, text.data() + text.size(), number);
        return number;
    }
    static bool is_only_told(std::string_view field) {
        constexpr std::array names{"text", "url", "why", "evidence", "body_hash", "port", "registered_at", "changed_at", "created_at",
                                   "granted_at", "accepted_at", "ended_at", "failed_at", "confirmed_at", "bound_at", "deadline"};
        return std::find(names.begin(), names.end(), field) != names.end();
    }
    void raw(std::uint64_t value) { form.append(reinterpret_cast<const char*>(&value), sizeof value); }

    void add(Position value) { add_number(Scale::position, value.value, 0xFFFF'FFFF); }    // after the term that begins there
    void add(Term value) { add_number(Scale::term, begin_of(value).value, value.value & 0xF'FFFF); }
    void add(const ClaimId& id) { add_number(Scale::claim, id.empty() ? 0 : number_in(id.value, 2)); }   // c-<position>
    void add(const WorkspaceId& id) {     // w<position>-<eight digits of whose it is>
        std::uint64_t whose = 0;
        if (!id.empty()) std::from_chars(id.value.data() + id.value.size() - 8, id.value.data() + id.value.size(), whose, 16);
        add_number(Scale::workspace, id.empty() ? 0 : number_in(id.value, 1), whose);
    }
    void add_number(Scale scale, std::uint64_t value, std::uint64_t rest = 0) {
        if (value == 0) form += '0';
        else mark(scale, value << 32 | rest);
    }
    void add(const ContainerId& id) {     // h-<host>-<slot>-b<life>-<number>
        if (id.empty()) return void(form += '0');
        const auto& text = id.value;
        const auto life = text.find("-b");
        form += text.substr(0, life);
        const auto number = text.rfind('-');
        mark(Scale::container, number_in(text, life + 2) * 1'000 + number_in(text, number + 1));
    }
    void add(const HostLoad&) {}          // decides nothing here
    void add(const SlotReport& report) { *this << report.slot << report.phase << report.epoch << report.workspace; }
    void add(const BindReply&) {}
    void add(const WorkspaceView& workspace) {            // of a lease that is over, only where it was
        *this << workspace.workspace << workspace.user << workspace.project << workspace.state << workspace.host << workspace.epoch << workspace.leased;
        if (workspace.leased) *this << workspace.incarnation << workspace.slot << workspace.claim.has_value() << workspace.expires_at;
    }
    void add(const ClaimView& claim) {                    // of one that has ended, only how
        *this << claim.asked.key << claim.state;
        if (claim.open()) *this << claim.asked << claim.tries;
    }
    void add(const std::pair<const ClaimId, ClaimView>& entry) {
        if (entry.second.open()) *this << entry.first;
        *this << entry.second;
    }
    void add(const allocator::Rank& rank) { *this << rank.failures << rank.no_standby << rank.free_slots << rank.host; }
    void add(Instant at) { mark(Scale::time, static_cast<std::uint64_t>(at.time_since_epoch().count())); }
    void add(Duration value) { raw(static_cast<std::uint64_t>(value.count())); }
    void add(const std::string& text) { form += text + '\0'; }
    template <class Tag>
    void add(const Id<Tag>& id) { add(id.value); }
    template <class Tag>
    void add(Number<Tag> number) { raw(number.value); }
    template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
    void add(T value) { raw(static_cast<std::uint64_t>(value)); }
    template <class T>
    void add(const std::optional<T>& value) {
        form += value ? '+' : '-';
        if (value) add(*value);
    }
    template <class A, class B>
    void add(const std::pair<A, B>& pair) { *this << pair.first << pair.second; }
    template <class T>
    requires requires(const T& all) { all.begin(); all.size(); } && (!std::is_same_v<T, std::string>)
    void add(const T& all) {
        raw(all.size());
        for (const auto& each : all) add(each);
    }
    template <class... T>
    void add(const std::variant<T...>& value) {
        raw(value.index());
        std::visit([&](const auto& what) { add(what); }, value);
    }
    template <class T>
    void add_field(std::string_view name, const T& value) {
        if (!is_only_told(name)) add(value);
    }
    template <class T>
    void add_field(std::string_view name, const std::optional<T>& value) {
        form += value ? '+' : '-';
        if (value) add_field(name, *value);
    }
    template <Reflected T>
    void add(const T& what) {
        std::apply([&](const auto&... field) { (add_field(field.name, what.*field.member), ...); }, T::fields());
    }
};

}  // namespace berth::sim
