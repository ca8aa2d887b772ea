// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/local/instance_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace berth::scaler {

namespace {

constexpr std::size_t bytes_max = 64 * 1024;

using Json = nlohmann::json;

ErrorKind kind_of(int code) {
    switch (code) {
        case ENOENT: return ErrorKind::not_found;
        case EACCES:
        case EPERM:
        case EROFS: return ErrorKind::denied;
        case ENOSPC:
        case EDQUOT: return ErrorKind::no_capacity;
        default: return ErrorKind::unavailable;
    }
}

LocalInstance from(const Json& json) {
    LocalInstance instance;
    instance.host = json.at("host").get<std::string>();
    instance.launch.value = json.at("launch").get<std::string>();
    instance.incarnation.value = json.at("incarnation").get<std::string>();
    instance.pool.value = json.at("pool").get<std::string>();
    instance.slots = json.at("slots").get<std::uint32_t>();
    instance.address = json.at("address").get<std::string>();
    instance.proxy_port = json.at("proxy_port").get<std::uint32_t>();
    instance.state = enum_from<InstanceState>(json.at("state").get<std::string>()).value();
    instance.protected_from_scale_in = json.at("protected").get<bool>();
    instance.launched_at = from_rfc3339(json.at("launched_at").get<std::string>()).value();
    if (json.contains("ended_at")) instance.ended_at = from_rfc3339(json.at("ended_at").get<std::string>()).value();
    return instance;
}

}  // namespace

Result<std::string> read_whole(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return fail(kind_of(errno), "cannot read {}: {}", path, std::strerror(errno));
    std::string text(bytes_max, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::read(file, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(file);
    text.resize(size);
    return text;
}

Result<void> write_whole(const std::string& path, std::string_view text) {
    const auto beside = path + ".new";
    const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fail(kind_of(errno), "cannot write {}: {}", beside, std::strerror(errno));
    const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    const int code = errno;
    ::close(file);
    if (!whole) return fail(kind_of(code), "cannot write {}: {}", beside, std::strerror(code));
    if (std::rename(beside.c_str(), path.c_str()) != 0) {
        return fail(kind_of(errno), "cannot write {}: {}", path, std::strerror(errno));
    }
    return {};
}

Result<LocalInstance> read_instance(const std::string& path) {
    const auto text = TRY(read_whole(path));
    try {
        return from(Json::parse(text));
    } catch (const std::exception& error) {  // of the JSON library, an enum or a date
        return fail(ErrorKind::corrupt, "{} is no instance of ours ({}): put it right, or move its folder away", path, error.what());
    }
}

Result<void> write_instance(const std::string& path, const LocalInstance& instance) {
    Json json{{"host", instance.host},
              {"launch", instance.launch.value},
              {"incarnation", instance.incarnation.value},
              {"pool", instance.pool.value},
              {"slots", instance.slots},
              {"address", instance.address},
              {"proxy_port", instance.proxy_port},
              {"state", std::string{to_string(instance.state)}},
              {"protected", instance.protected_from_scale_in},
              {"launched_at", to_rfc3339(instance.launched_at)}};
    if (instance.ended_at) json["ended_at"] = to_rfc3339(*instance.ended_at);
    return write_whole(path, json.dump(2) + "\n");
}

Instance to_instance(const LocalInstance& instance) {
    return {.instance = instance.host,
            .incarnation = instance.incarnation,
            .launch = instance.launch,
            .pool = instance.pool,
            .state = instance.state,
            .launched_at = instance.launched_at,
            .protected_from_scale_in = instance.protected_from_scale_in};
}

}  // namespace berth::scaler
