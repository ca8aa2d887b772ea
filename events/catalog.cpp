// SPDX-License-Identifier: Apache-2.0
#include "events/catalog.hpp"

#include <vector>

namespace berth {

namespace {

const std::vector<CatalogRow>& rows() {
    static const std::vector<CatalogRow> made = [] {
        std::vector<CatalogRow> list;
        for_each_entry([&](const auto& entry) {
            list.push_back({entry.name, entry.kind, entry.routing, entry.senders, entry.receivers, entry.meaning});
        });
        return list;
    }();
    return made;
}

template <class Wanted>
const CatalogRow* find(std::string_view name, Wanted&& wanted) {
    for (const auto& row : rows()) {
        if (row.name == name && wanted(row.kind)) return &row;
    }
    return nullptr;
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
    template <class T>
    void add_member(const std::optional<T>& maybe) {
        if (maybe) add_member(*maybe);
    }
    template <class T>
    void add_member(const T&) {}
};

}  // namespace

const CatalogRow* find_row(std::string_view name, MessageKind kind) {
    return find(name, [&](MessageKind found) { return found == kind; });
}
const CatalogRow* find_event_row(std::string_view name) {
    return find(name, [](MessageKind kind) { return kind != MessageKind::request; });
}
const CatalogRow* find_request_row(std::string_view name) { return find_row(name, MessageKind::request); }

std::vector<std::string> subjects_of(const Fact& fact) {
    Subjects subjects;
    std::visit([&](const auto& value) { subjects.add(value); }, fact);
    return subjects.found;
}

std::string_view type_of(const Fact& fact) {
    return std::visit([](const auto& value) { return event_name<std::decay_t<decltype(value)>>; }, fact);
}

}  // namespace berth
