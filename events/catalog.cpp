// SPDX-License-Identifier: Apache-2.0
#include "events/catalog.hpp"

#include <optional>
#include <unordered_map>
#include <vector>

namespace berth {

namespace {

struct RowsOfName {
    std::optional<CatalogRow> event;      // any kind but request
    std::optional<CatalogRow> request;
};

// By name: every message that the broker passes on is looked up.
const RowsOfName& rows_of(std::string_view name) {
    static const std::unordered_map<std::string_view, RowsOfName> made = [] {
        std::unordered_map<std::string_view, RowsOfName> table;
        for_each_entry([&](const auto& entry) {
            auto& rows = table[entry.name];
            auto& row = entry.kind == MessageKind::request ? rows.request : rows.event;
            row = CatalogRow{entry.name, entry.kind, entry.routing, entry.senders, entry.receivers, entry.meaning};
        });
        return table;
    }();
    static const RowsOfName none;
    const auto found = made.find(name);
    return found == made.end() ? none : found->second;
}

// Adds the fields by which a person may look a fact up.
class Subjects {
public:
    template <Reflected T>
    void add(const T& fact) {
        std::apply([&](const auto&... field) { (add_member(fact.*field.member), ...); }, T::fields());
    }
    std::vector<std::string> found;

private:
    void keep(const std::string& id) {
        if (!id.empty()) found.push_back(id);
    }
    void add_member(const WorkspaceId& id) { keep(id.value); }
    void add_member(const HostId& id) { keep(id.value); }
    void add_member(const ClaimId& id) { keep(id.value); }
    void add_member(const LaunchId& id) { keep(id.value); }
    void add_member(const PoolName& id) { keep(id.value); }
    void add_member(const UserId& id) { keep(id.value); }
    void add_member(const IdempotencyKey& id) { keep(id.value); }
    void add_member(const HostRef& ref) { keep(ref.host.value); }
    void add_member(const std::vector<WorkspaceId>& ids) {
        for (const auto& id : ids) keep(id.value);
    }
    void add_member(const std::vector<LeaseOrder>& orders) {
        for (const auto& order : orders) keep(order.workspace.value);
    }
    template <class T>
    void add_member(const std::optional<T>& maybe) {
        if (maybe) add_member(*maybe);
    }
    template <class T>
    void add_member(const T&) {}
};

}  // namespace

const CatalogRow* find_event_row(std::string_view name) {
    const auto& row = rows_of(name).event;
    return row ? &*row : nullptr;
}
const CatalogRow* find_request_row(std::string_view name) {
    const auto& row = rows_of(name).request;
    return row ? &*row : nullptr;
}

std::vector<std::string> subjects_of(const Fact& fact) {
    Subjects subjects;
    std::visit([&](const auto& value) { subjects.add(value); }, fact);
    return subjects.found;
}

std::string_view type_of(const Fact& fact) {
    return std::visit([](const auto& value) { return event_name<std::decay_t<decltype(value)>>; }, fact);
}

}  // namespace berth
