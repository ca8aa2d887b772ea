// SPDX-License-Identifier: Apache-2.0
#include "projector/machines_file.hpp"

#include <nlohmann/json.hpp>

namespace berth::projector {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* id_key = "instanceId";
constexpr const char* ours = "managedBy";             // who looks after it is the table's word, not the file's

Result<Fields> fields_of(const Json& machine, const std::string& where) {
    if (!machine.is_object()) return fail(ErrorKind::invalid, "{} is no object", where);
    Fields fields;
    for (const auto& [name, value] : machine.items()) {
        if (name == ours || value.is_null()) continue;
        if (!value.is_string() && !value.is_number() && !value.is_boolean()) return fail(ErrorKind::invalid, "{}: {} is no text", where, name);
        auto text = value.is_string() ? value.get<std::string>() : value.dump();
        if (!text.empty()) fields[name] = std::move(text);
    }
    return fields;
}

}  // namespace

std::string to_machines_file(const Picture& machines) {
    auto all = Json::array();
    for (const auto& [key, fields] : machines) {
        auto one = Json::object();
        one[id_key] = key;
        for (const auto& [name, value] : fields) {
            if (name != ours) one[name] = value;
        }
        all.push_back(std::move(one));
    }
    return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Picture> read_machines_file(std::string_view text) {
    if (text.size() > machines_file_bytes_max) return fail(ErrorKind::limit, "a file of machines has {} bytes at most", machines_file_bytes_max);
    const auto read = Json::parse(text, nullptr, false);
    if (!read.is_array() && !read.is_object()) return fail(ErrorKind::invalid, "it is no list of machines: [{{\"instanceId\": …}}, …]");
    Picture machines;
    std::size_t number = 0;
    for (const auto& [key, machine] : read.items()) {
        ++number;
        auto fields = TRY(fields_of(machine, read.is_object() ? fmt::format("'{}'", key) : fmt::format("machine {}", number)));
        auto id = fields.extract(id_key);
        const auto name = !id.empty() ? id.mapped() : read.is_object() ? key : std::string{};
        if (name.empty()) return fail(ErrorKind::invalid, "machine {} has no instanceId", number);
        if (read.is_object() && name != key) return fail(ErrorKind::invalid, "'{}' says that it is '{}'", key, name);
        if (!fields.contains("status")) return fail(ErrorKind::invalid, "'{}' has no status, which the table's index needs", name);
        if (!machines.emplace(name, std::move(fields)).second) return fail(ErrorKind::invalid, "'{}' is there twice", name);
    }
    return machines;
}

}  // namespace berth::projector
