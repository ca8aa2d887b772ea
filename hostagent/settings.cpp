// SPDX-License-Identifier: Apache-2.0
#include "hostagent/settings.hpp"

#include <utility>

#include "hostagent/workers.hpp"

namespace berth::hostagent {

namespace {

constexpr std::string_view section = "hostagent";
constexpr Duration period_min{10};

/// Only what concerns Part, so that the keys of the other part are not unknown to it.
template <Reflected Part>
Result<Part> read_part(const Config& config, std::vector<std::string_view>& known) {
    Config only;
    std::apply(
        [&](const auto&... field) {
            (
                [&] {
                    known.push_back(field.name);
                    const auto setting = config.find(section, field.name);
                    if (setting) only.set(section, field.name, setting->value, setting->origin);
                }(),
                ...);
        },
        Part::fields());
    return read_section<Part>(only, section);
}

}  // namespace

Result<Settings> read_settings(const Config& config) {
    std::vector<std::string_view> known;
    Settings settings;
    settings.core = TRY(read_part<Policy>(config, known));
    settings.shell = TRY(read_part<ShellPolicy>(config, known));
    settings.docker = TRY(read_section<DockerPolicy>(config, "docker"));
    TRY(config.refuse_unknown(section, known));
    if (settings.core.port_first == 0 || settings.core.port_count == 0 ||
        settings.core.port_first + settings.core.port_count > 65'536) {
        return fail(ErrorKind::invalid, "hostagent.port_first and port_count must lie within 1 to 65535");
    }
    if (settings.shell.workers == 0 || settings.shell.workers > workers_max) {
        return fail(ErrorKind::invalid, "hostagent.workers is 1 to {}", workers_max);
    }
    if (settings.shell.home_workers == 0 || settings.shell.home_workers > workers_max) {
        return fail(ErrorKind::invalid, "hostagent.home_workers is 1 to {}", workers_max);
    }
    if (settings.core.heartbeat_min > settings.core.heartbeat_max) {
        return fail(ErrorKind::invalid, "hostagent.heartbeat_min is above heartbeat_max");
    }
    const std::pair<const char*, Duration> periods[] = {{"tick", settings.shell.tick},
                                                        {"request_timeout", settings.shell.request_timeout},
                                                        {"register_retry", settings.shell.register_retry},
                                                        {"activity_every", settings.shell.activity_every},
                                                        {"editor_timeout", settings.shell.editor_timeout},
                                                        {"proxy_check", settings.shell.proxy_check},
                                                        {"heartbeat_min", settings.core.heartbeat_min},
                                                        {"inventory_every", settings.core.inventory_every},
                                                        {"prepare_deadline", settings.core.prepare_deadline},
                                                        {"bind_deadline", settings.core.bind_deadline},
                                                        {"remove_deadline", settings.core.remove_deadline},
                                                        {"home_retry", settings.core.home_retry},
                                                        {"home_deadline", settings.shell.home_deadline},
                                                        {"home_progress_every", settings.shell.home_progress_every}};
    for (const auto& [name, period] : periods) {
        if (period < period_min) return fail(ErrorKind::invalid, "hostagent.{} is at least {}", name, to_text(period_min));
    }
    return settings;
}

}  // namespace berth::hostagent
