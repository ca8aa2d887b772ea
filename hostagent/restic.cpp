// SPDX-License-Identifier: Apache-2.0
#include "hostagent/restic.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/diagnostics.hpp"
#include "hostagent/home.hpp"
#include "hostagent/restic_run.hpp"

namespace berth::hostagent {

namespace {

using Json = nlohmann::json;

constexpr std::size_t forget_at_once = 200;       // ids in one command line

std::string tag_of(const WorkspaceId& workspace) { return "workspace=" + workspace.value; }

/// Ids of those of the workspace among what `which` (an id, or nothing) finds.
Result<std::vector<std::string>> find_snapshots(const ResticSetup& setup, const HomeRule& rule, const WorkspaceId& workspace, const std::string& which) {
    std::string text;
    ResticCall call{.arguments = {"snapshots", "--json", "--tag", tag_of(workspace)}};
    if (!which.empty()) call.arguments.push_back(which);
    call.on_line = [&](const std::string& line) {
        if (line.starts_with('[')) text = line;
    };
    TRY(run_restic(setup, rule, call));
    const auto list = Json::parse(text, nullptr, false);
    if (text == "null") return std::vector<std::string>{};
    if (!list.is_array()) return fail(ErrorKind::internal, "restic did not list the snapshots of {} in a form that is known here", workspace.value);
    std::vector<std::string> found;
    for (const auto& one : list) {
        const auto tags = one.value("tags", Json::array());
        const bool is_its = std::any_of(tags.begin(), tags.end(), [&](const Json& tag) { return tag == tag_of(workspace); });
        auto id = one.value("id", "");
        if (is_its && !id.empty() && id.starts_with(which)) found.push_back(std::move(id));
    }
    return found;
}

// What restic says while it saves.
struct Telling {
    std::string snapshot;
    std::uint64_t bytes = 0;
    std::uint32_t vanished = 0;           // files that were there when it looked first
    std::string unread;                   // the first other one

    void hear(const std::string& line, const OnBytes& moved) {
        if (!line.starts_with('{')) return;
        const auto said = Json::parse(line, nullptr, false);
        if (!said.is_object()) return;
        const auto type = said.value("message_type", "");
        if (type == "status") moved(said.value("bytes_done", std::uint64_t{0}), said.value("total_bytes", std::uint64_t{0}));
        if (type == "summary") {
            snapshot = said.value("snapshot_id", "");
            bytes = said.value("total_bytes_processed", std::uint64_t{0});
        }
        if (type != "error") return;
        const auto text = said.contains("error") ? said["error"].dump() : line;
        if (text.find("no such file") != std::string::npos || text.find("\"Err\":2}") != std::string::npos) ++vanished;
        else if (unread.empty()) unread = fmt::format("{}: {}", said.value("item", "a file"), text.substr(0, 200));
    }
};

}  // namespace

Restic::Restic(ResticSetup setup) : setup_(std::move(setup)) {}

std::shared_ptr<std::mutex> Restic::guard_of(const WorkspaceId& workspace) {
    const std::lock_guard lock(guard_);
    std::erase_if(guards_, [](const auto& entry) { return entry.second.expired(); });
    auto guard = guards_[workspace].lock();
    if (!guard) guards_[workspace] = guard = std::make_shared<std::mutex>();
    return guard;
}

Result<void> Restic::check(const HomeRule& rule) {
    TRY(run_restic(setup_, rule, {.arguments = {"cat", "config"}}));
    return {};
}

Result<KeptHome> Restic::save(const SaveOrder& order, const OnBytes& moved) {
    const auto guard = guard_of(order.workspace);
    const std::lock_guard lock(*guard);
    if (::access(order.home.c_str(), F_OK) != 0) {
        if (!order.parent.empty()) return fail(ErrorKind::conflict, "{} is gone from this machine; its last archive stays the newest", order.home);
        std::error_code error;
        std::filesystem::create_directory(order.home, error);   // an environment that was to get it never came so far
        if (error) return fail(ErrorKind::internal, "cannot make {}: {}", order.home, error.message());
    }
    Telling telling;
    ResticCall call{.folder = setup_.homes};
    call.arguments = {"backup", "--json", "--host", setup_.host.value, "--tag",
                      fmt::format("{},epoch={},host={}{}", tag_of(order.workspace), order.epoch.value, setup_.host.value, order.last ? ",last" : "")};
    const auto plain = call.arguments;
    if (!order.parent.empty()) call.arguments.insert(call.arguments.end(), {"--parent", order.parent});
    call.arguments.push_back(order.workspace.value);
    call.on_line = [&](const std::string& line) { telling.hear(line, moved); };
    auto outcome = run_restic(setup_, order.rule, call);
    if (!outcome && outcome.error().kind == ErrorKind::not_found && !order.parent.empty()) {   // somebody forgot that parent
        call.arguments = plain;
        call.arguments.push_back(order.workspace.value);
        outcome = run_restic(setup_, order.rule, call);
    }
    if (!outcome) return fail(outcome.error());
    if (!telling.unread.empty()) return fail(ErrorKind::denied, "not all files could be read, so it counts as none: {}", telling.unread);
    if (order.last && (*outcome != 0 || telling.vanished > 0)) return fail(ErrorKind::conflict, "files of {} went away while they were saved; it counts as none", order.workspace.value);
    // What counts is what the repository has, not what was sent.
    const auto found = TRY(find_snapshots(setup_, order.rule, order.workspace, telling.snapshot));
    if (telling.snapshot.empty() || found.size() != 1) {
        return fail(ErrorKind::internal, "{} does not show the snapshot '{}' of {} that restic says it made", order.rule.repository, telling.snapshot, order.workspace.value);
    }
    return KeptHome{found[0], telling.bytes};
}

Result<void> Restic::restore(const RestoreOrder& order, const OnBytes& moved) {
    const auto guard = guard_of(order.workspace);
    const std::lock_guard lock(*guard);
    if (!order.archive) return {};
    const auto found = TRY(find_snapshots(setup_, order.rule, order.workspace, order.archive->snapshot));
    if (found.size() != 1) {
        return fail(ErrorKind::not_found, "{} has no snapshot {} of {}: it was forgotten there, or this is another repository; `berth home list {}` names others",
                    order.rule.repository, order.archive->snapshot.substr(0, 8), order.workspace.value, order.workspace.value);
    }
    const auto draft = TRY(begin_home_draft(setup_.homes, order.workspace));
    ResticCall call{.arguments = {"restore", found[0], "--target", draft}};
    call.on_written = [&](std::uint64_t written) { moved(std::min(written, order.archive->bytes), order.archive->bytes); };
    TRY(run_restic(setup_, order.rule, call));
    return finish_home_draft(setup_.homes, order.workspace, draft);
}

Result<void> Restic::forget(const WorkspaceId& workspace, const HomeRule& rule) {
    const auto guard = guard_of(workspace);
    const std::lock_guard lock(*guard);
    const auto all = TRY(find_snapshots(setup_, rule, workspace, ""));
    for (std::size_t from = 0; from < all.size(); from += forget_at_once) {
        ResticCall call{.arguments = {"forget"}};
        for (auto at = from; at < std::min(all.size(), from + forget_at_once); ++at) call.arguments.push_back(all[at]);
        TRY(run_restic(setup_, rule, call));
    }
    return {};
}

}  // namespace berth::hostagent
