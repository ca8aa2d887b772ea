// SPDX-License-Identifier: Apache-2.0
// Environments in containers, by the Docker Engine API. Every container is made from one hardened
// template that no user input can alter (I28), bears labels that name cluster, host,
// slot and incarnation, and publishes no port: it listens on a socket in its slot's folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "hostagent/engine.hpp"

namespace berth {

struct DockerPolicy {
    std::string socket = "/var/run/docker.sock";
    std::string image = "berth/workspace:4";
    std::string image_tar;                 // imported when the engine has no such image
    std::string cluster = "berth";
    std::uint64_t memory_bytes = 2ULL << 30;
    double cpus = 1;
    std::uint32_t pids = 512;
    std::uint32_t uid = 1000;
    std::uint64_t slot_folder_bytes = 256ULL << 20;
    std::uint64_t tmp_bytes = 0;           // of /tmp, kept in memory and counted as such; 0: on the engine's disk
    std::string health_path = "/healthz";
    // What no workspace reaches, beside the machine it runs on: the metadata services of clouds.
    std::vector<std::string> closed{"169.254.0.0/16", "168.63.129.16", "100.100.100.200", "fd00:ec2::/32"};
    Duration call_deadline{20'000};
    Duration import_deadline{300'000};
    BERTH_FIELDS(DockerPolicy, socket, image, image_tar, cluster, memory_bytes, cpus, pids, uid,
                 slot_folder_bytes, tmp_bytes, health_path, closed, call_deadline, import_deadline)
};

/// `slots_dir` holds the slot folders of this host; `host` goes into the labels.
std::unique_ptr<Engine> make_docker_engine(DockerPolicy policy, std::string host, std::string slots_dir);

/// The body of POST /containers/create: the template, for its test.
std::string docker_template(const DockerPolicy& policy, const std::string& host, const std::string& network,
                            const std::string& slot_folder, const PrepareOrder& order);

}  // namespace berth
