// SPDX-License-Identifier: Apache-2.0
// Prints docs/events.md from the catalog, so that the document can not drift from the code.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "events/catalog.hpp"

namespace berth {
namespace {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

class Types {
public:
    template <class T>
    std::string name() {
        if constexpr (std::is_same_v<T, bool>) {
            return "bool";
        } else if constexpr (std::is_floating_point_v<T>) {
            return "number";
        } else if constexpr (std::is_integral_v<T>) {
            return "whole number";
        } else if constexpr (std::is_same_v<T, std::string>) {
            return "text";
        } else if constexpr (std::is_same_v<T, Instant>) {
            return "time (RFC 3339)";
        } else if constexpr (std::is_same_v<T, Duration>) {
            return "milliseconds";
        } else if constexpr (NamedEnum<T>) {
            std::string words;
            for (const auto word : enum_names(T{})) words += fmt::format("{}`{}`", words.empty() ? "" : " ", word);
            return words;
        } else if constexpr (is_optional<T>::value) {
            return name<typename T::value_type>() + ", may be absent";
        } else if constexpr (std::is_same_v<T, FactRecord>) {
            return "fact record";
        } else if constexpr (requires { typename T::mapped_type; }) {
            return "map of " + name<typename T::mapped_type>();
        } else if constexpr (requires { typename T::value_type; T{}.push_back(typename T::value_type(T{}.front())); }) {
            return "list of " + name<typename T::value_type>();
        } else if constexpr (!Reflected<T> && requires { T{}.value; }) {
            return std::is_same_v<std::decay_t<decltype(T{}.value)>, std::string> ? "text (id)" : "decimal text (64 bit)";
        } else {
            return define<T>();
        }
    }

    template <Reflected T>
    std::string fields() {
        std::string text;
        std::apply([&](const auto&... field) {
            ((text += fmt::format("{}`{}` {}", text.empty() ? "" : "; ", field.name,
                                  name<std::decay_t<decltype(T{}.*field.member)>>())), ...);
        }, T::fields());
        return text.empty() ? "nothing" : text;
    }

    std::map<std::string, std::string> defined;

private:
    template <class T>
    std::string define() {
        std::string full = __PRETTY_FUNCTION__;
        const auto from = full.find("T = berth::") + 11;
        const auto word = full.substr(from, full.find_first_of(";]", from) - from);
        if (!defined.contains(word)) {
            defined[word] = "";
            defined[word] = fields<T>();
        }
        return word;
    }
};

std::string words(const Roles& roles) {
    std::string text;
    for (const auto name : enum_names(Role{})) {
        if (roles.has(*enum_from<Role>(name))) text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
    }
    return text;
}

void print() {
    fmt::print("# Events and requests\n\n"
               "Generated from `events/catalog.hpp` by `tests/checks/events_document.cpp`; a test compares. To renew:\n"
               "`BERTH_UPDATE_GOLDEN=1 ctest --preset dev -R catalog_equals`. How they travel: bus.md.\n");
    Types types;
    for (const auto kind : {MessageKind::fact, MessageKind::observation, MessageKind::intent, MessageKind::request}) {
        fmt::print("\n## {}s\n\n| name | sent by | received by | meaning |\n|---|---|---|---|\n", to_string(kind));
        for_each_entry([&](const auto& entry) {
            if (entry.kind != kind) return;
            fmt::print("| `{}`{} | {} | {} | {} |\n", entry.name, entry.routing == Routing::by_host ? " + host id" : "",
                       words(entry.senders), words(entry.receivers), entry.meaning);
        });
        fmt::print("\n");
        for_each_entry([&](const auto& entry) {
            if (entry.kind != kind) return;
            using E = std::decay_t<decltype(entry)>;
            fmt::print("- `{}`: {}", entry.name, types.fields<typename E::Payload>());
            if constexpr (!std::is_same_v<typename E::Reply, NoReply>) fmt::print(" → {}", types.name<typename E::Reply>());
            fmt::print("\n");
        });
    }
    fmt::print("\n## Shapes used above\n\n");
    for (const auto& [name, fields] : types.defined) fmt::print("- {}: {}\n", name, fields);
}

}  // namespace
}  // namespace berth

int main() { berth::print(); }
