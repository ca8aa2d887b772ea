// SPDX-License-Identifier: Apache-2.0
// The Docker Engine API over its unix socket: typed calls, one answer each, one deadline each. Works
// with dockerd and with podman's socket, in the version that both sides know. Knows nothing of slots or
// workspaces.
//
// Any number of threads may call; each call has a connection of its own and blocks until its deadline
// at most. Errors: `timeout` when nothing came in time or the caller gave up, `unavailable` when no
// engine is there or when it refuses (its own words are in the text), `conflict` when no version fits or
// what answers is no engine, `not_found` for what the engine or the disk does not have.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "docker/version.hpp"
#include "http/client.hpp"

namespace berth::docker {

struct Setup {
    std::string socket;
    Duration deadline{20'000};            // of a call that has none of its own
    std::function<bool()> give_up;        // asked while a call waits; may be empty
};

using Answer = http::Answer;
inline constexpr std::size_t answer_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t containers_max = 10'000;   // of one listing

struct Container {
    std::string id;
    std::map<std::string, std::string> labels;
    std::string state;                    // "running", "exited", "paused", …
};

struct ContainerState {
    bool running = false;
    std::int64_t pid = 0;                 // of its first process; 0 when it has none
    std::int64_t exit_code = -1;
    bool out_of_memory = false;           // the kernel ended a process of it for that
};

struct ContainerStats {
    std::uint64_t cpu_ns = 0;             // since its start
    std::uint64_t io_bytes = 0;           // of its disks, since its start
    std::uint64_t net_bytes = 0;          // of its networks, both ways, since its start
};

class Client {
public:
    explicit Client(Setup setup) : setup_(std::move(setup)) {}
    explicit Client(std::string socket) : Client(Setup{.socket = std::move(socket)}) {}

    /// The version that is spoken with the engine that answers now.
    Result<ApiVersion> ping(Duration deadline) const;

    // ---- containers: by id or name

    /// `body` is that of POST /containers/create.
    Result<void> create_container(const std::string& name, const std::string& body) const;
    Result<void> start_container(const std::string& container) const;
    Result<ContainerState> container_state(const std::string& container) const;
    Result<ContainerStats> container_stats(const std::string& container) const;
    /// Ends and removes it with its anonymous volumes. One that is not there is removed.
    Result<void> remove_container(const std::string& container, Duration deadline) const;
    /// All at once. Whoever wants to know what is gone lists again.
    void remove_containers(const std::vector<std::string>& containers, Duration deadline) const;
    /// Those that bear every one of the labels ("key=value"), whether they run or not.
    Result<std::vector<Container>> containers(const std::vector<std::string>& labels) const;

    // ---- images and networks

    Result<bool> has_image(const std::string& image) const;
    /// Imports a root file system as an image; `changes` are Dockerfile lines.
    Result<void> import_image(const std::string& tar, const std::string& image, const std::vector<std::string>& changes,
                              Duration deadline, http::Client::OnUpload progress = {}) const;
    Result<bool> has_network(const std::string& network) const;
    /// `body` is that of POST /networks/create. One of the same name that another made first is good.
    Result<void> create_network(const std::string& network, const std::string& body) const;
    /// As the engine gave them: "172.18.0.0/16".
    Result<std::vector<std::string>> subnets(const std::string& network) const;
    /// Removes the networks with `label` that no container uses; whether none of them is left.
    Result<bool> remove_networks(const std::string& label, Duration deadline) const;

    // ---- any other call

    /// `path` begins after the version: "/containers/json?all=1". Any HTTP status is an answer.
    Result<Answer> call(std::string_view method, const std::string& path, const std::string& json, Duration deadline) const;
    static std::string escape(std::string_view text) { return http::url_encoded(text); }
    const std::string& socket() const { return setup_.socket; }

private:
    struct Call {
        std::string_view method = "GET";
        std::string path;
        std::string json;
        std::string file;                 // the body instead, a tar
        Duration deadline{0};             // 0: the setup's
        http::Client::OnUpload progress;
    };
    Result<Answer> call(const Call& wanted) const;
    Result<Answer> send(const Call& wanted, const std::string& prefix) const;
    http::Request request_of(const Call& wanted, const std::string& prefix) const;
    http::Client client() const;
    Result<ApiVersion> version(Duration deadline) const;

    Setup setup_;
    mutable std::mutex mutex_;
    mutable std::optional<ApiVersion> version_;    // of the last ping; forgotten when the engine refuses it
};

/// The engine's own words in a refusal.
std::string message_of(const Answer& answer);

}  // namespace berth::docker
