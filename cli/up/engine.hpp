// SPDX-License-Identifier: Apache-2.0
// The container engine of this machine, through its HTTP API on a unix socket: does it answer, does
// it have the image, which containers bear our label. Docker and podman speak the same here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/http.hpp"
#include "cli/up/plan.hpp"
#include "cli/up/policy.hpp"

namespace berth::cli {

using GiveUp = std::function<bool()>;

/// GET /_ping within the policy's deadline; a socket that is not there is a plain "absent".
EngineAnswer ask_engine(Http& http, const std::string& socket, const UpPolicy& policy, const GiveUp& give_up);
/// Where that program is on $PATH or in the usual sbin folders; empty when nowhere.
std::string program_on_path(const std::string& name);

class DockerApi {
public:
    DockerApi(Http& http, std::string socket, const UpPolicy& policy, GiveUp give_up)
        : http_(http), socket_(std::move(socket)), policy_(policy), give_up_(std::move(give_up)) {}

    Result<bool> has_image(const std::string& name);
    /// Imports a root file system as an image; `changes` are Dockerfile lines.
    Result<void> import_image(const std::string& tar, const std::string& name, const std::vector<std::string>& changes,
                              Http::OnUpload progress);
    /// Ids of the containers, running or not, that bear `label` ("key=value").
    Result<std::vector<std::string>> containers(const std::string& label);
    /// Ends and removes them, all at once. Whoever wants to know what is gone lists again.
    void remove(const std::vector<std::string>& ids, Duration within);
    /// Removes the networks with `label` that no container uses; whether none of them is left.
    Result<bool> remove_networks(const std::string& label, Duration within);

private:
    HttpRequest request(const std::string& method, const std::string& path) const;
    Http& http_;
    std::string socket_;
    UpPolicy policy_;
    GiveUp give_up_;
};

}  // namespace berth::cli
