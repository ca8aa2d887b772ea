// SPDX-License-Identifier: Apache-2.0
// What `berth up` will do, decided from plain values: which settings the flags mean, which container
// engine is taken, which processes run in which order with which arguments. Pure; up.cpp does it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"
#include "events/envelope.hpp"

namespace berth::cli {

BERTH_ENUM(EngineWanted, automatic, docker, process)

struct UpFlags {
    std::string state;
    std::string config;
    std::optional<std::uint32_t> port;
    std::optional<std::uint32_t> hosts_max;
    std::optional<std::uint32_t> buffer;
    std::optional<std::uint32_t> slots;
    EngineWanted engine = EngineWanted::automatic;
    std::string image_tar;
    std::string image;
    std::vector<std::string> sets;        // "section.key=value"
    std::string log_level;
};

// ---- settings

struct Setting {
    std::string section;                  // "pool.default"
    std::string key;
    std::string value;                    // as in TOML, or bare text
    std::string from;                     // the flag that says so
    BERTH_FIELDS(Setting, section, key, value, from)
};

/// What the flags say, in order; a later one wins.
Result<std::vector<Setting>> settings_of(const UpFlags& flags);
Result<Setting> parse_set(const std::string& text);
/// The names under which an environment would override these settings (base/config.hpp): children
/// do not inherit them, because flags win.
std::string environment_name(const Setting& setting);

/// The sections that some process reads; "pool" stands for every [pool.<name>],
/// "provider" for every [provider.<name>].
std::vector<std::string> known_sections();

// ---- container engine

struct EngineAnswer {
    std::string socket;
    std::string api;                      // "1.41"; empty when it did not answer
    std::string problem;                  // why not
    BERTH_FIELDS(EngineAnswer, socket, api, problem)
};
struct EngineFacts {
    std::vector<EngineAnswer> answers;    // in order of preference
    std::string dockerd;                  // path of the program, empty when it is not installed
    bool is_root = false;
    std::string private_socket;           // where a private one would listen
    bool named = false;                   // $DOCKER_HOST says which engine it shall be
    std::int64_t other_dockerd = 0;       // pid of one that runs on this machine and is not ours; 0: none
};
BERTH_ENUM(EngineKind, use_docker, start_docker, use_process)
struct EngineChoice {
    EngineKind kind = EngineKind::use_process;
    std::string socket;
    std::string said;                     // the line for the person
    BERTH_FIELDS(EngineChoice, kind, socket, said)
};
/// The socket in $DOCKER_HOST; empty when it is not set or no unix:// address.
std::string named_socket(const std::string& docker_host);
/// Sockets worth asking, in order: the one that $DOCKER_HOST names and no other, else the usual ones.
std::vector<std::string> sockets_to_ask(const std::string& docker_host, const std::string& runtime_dir,
                                        const std::string& private_socket);
Result<EngineChoice> choose_engine(EngineWanted wanted, const EngineFacts& facts);
std::vector<std::string> dockerd_arguments(const std::string& dockerd, const std::string& folder);

// ---- processes

struct Service {
    std::string name;                     // "broker"; also of its log, pid and ready file
    std::vector<std::string> arguments;   // the first is the program's path
    std::string log;
    std::string ready;
    std::string pid_file;
    BERTH_FIELDS(Service, name, arguments, log, ready, pid_file)
};
/// In the order in which they start; they end in the reverse order, after the hosts.
std::vector<Service> services_of(const UpFlags& flags, const std::string& programs);

/// Ends what a host started that lives on without it (hostagent/README.md).
std::vector<std::string> ending_arguments(const std::string& state, const std::string& host, const std::string& programs);

struct KeyWanted {
    std::string name;
    Role role;
    BERTH_FIELDS(KeyWanted, name, role)
};
std::vector<KeyWanted> keys_of_one_machine();

/// $BERTH_STATE, $XDG_STATE_HOME/berth, ~/.local/state/berth; absolute.
Result<std::string> state_folder(const std::string& flag, const std::map<std::string, std::string>& environment,
                                 const std::string& working_folder);

}  // namespace berth::cli
