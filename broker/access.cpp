// SPDX-License-Identifier: Apache-2.0
#include "broker/access.hpp"

#include <map>

namespace berth::broker {

namespace {

class Table {
public:
    Table() {
        for_each_entry([this](const auto& entry) {
            (entry.kind == MessageKind::request ? requests_ : events_)
                .emplace(entry.name, CatalogRow{entry.name, entry.kind, entry.routing, entry.senders, entry.receivers,
                                                entry.meaning});
        });
    }
    const CatalogRow* event(std::string_view name) const { return find(events_, name); }
    const CatalogRow* request(std::string_view name) const { return find(requests_, name); }

private:
    using Rows = std::map<std::string_view, CatalogRow>;
    static const CatalogRow* find(const Rows& rows, std::string_view name) {
        const auto found = rows.find(name);
        return found == rows.end() ? nullptr : &found->second;
    }
    Rows events_;
    Rows requests_;
};

const Table& table() {
    static const Table made;
    return made;
}

bool key_fits(const CatalogRow& row, const Topic& topic) {
    return topic.key.empty() == (row.routing == Routing::plain);
}

}  // namespace

const CatalogRow* may_publish(const Sender& sender, const Topic& topic) {
    const auto* row = table().event(topic.name);
    if (row == nullptr || !row->senders.has(sender.role) || !key_fits(*row, topic)) return nullptr;
    if (sender.role == Role::host && (row->routing != Routing::by_host || topic.key != sender.name)) {
        return topic.name.starts_with("broker.") ? row : nullptr;
    }
    return row;
}

const CatalogRow* may_request(const Sender& sender, const Topic& topic) {
    const auto* row = table().request(topic.name);
    if (row == nullptr || !row->senders.has(sender.role) || !key_fits(*row, topic)) return nullptr;
    return row;
}

std::string own_service(const Sender& sender) {
    if (sender.role == Role::allocator) return "allocator";
    if (sender.role == Role::scaler) return "scaler";
    if (sender.role == Role::host) return service_of("host.", sender.name);
    return {};
}

bool goes_to_subscribers(const CatalogRow& row) {
    if (row.kind == MessageKind::request || row.name.starts_with("broker.")) return false;
    for (const auto role : {Role::allocator, Role::scaler, Role::reaper, Role::gateway, Role::client, Role::tap}) {
        if (row.receivers.has(role)) return true;
    }
    return false;
}

bool goes_to_host(const CatalogRow& row) {
    return row.kind != MessageKind::request && row.routing == Routing::by_host && row.receivers.has(Role::host);
}

}  // namespace berth::broker
