// SPDX-License-Identifier: Apache-2.0
// Archives of homes by restic (docs/homes.md). A snapshot bears the tags workspace=…, epoch=… and host=…; it is
// never changed, so one that comes late lies beside the others, and which one counts is the ledger's to say.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "hostagent/archiver.hpp"

namespace berth::hostagent {

struct ResticSetup {
    std::string program;                  // empty: restic on the PATH
    HostId host;
    std::string state;                    // the host's folder: the cache and the usual password file lie there
    std::string homes;
    Duration deadline{0};                 // of one call
    Duration progress_every{0};
};

class Restic final : public Archiver {
public:
    explicit Restic(ResticSetup setup);

    Result<void> check(const HomeRule& rule) override;
    Result<KeptHome> save(const SaveOrder& order, const OnBytes& moved) override;
    Result<void> restore(const RestoreOrder& order, const OnBytes& moved) override;
    Result<void> forget(const WorkspaceId& workspace, const HomeRule& rule) override;

private:
    std::shared_ptr<std::mutex> guard_of(const WorkspaceId& workspace);

    ResticSetup setup_;
    std::mutex guard_;
    std::map<WorkspaceId, std::weak_ptr<std::mutex>> guards_;   // of what is under way
};

/// A clear line of what restic said, and its kind.
Error restic_error(const HomeRule& rule, const std::string& password_file, std::string_view words);

}  // namespace berth::hostagent
