// SPDX-License-Identifier: Apache-2.0
#include "hostagent/home.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/descriptor.hpp"
#include "base/rng.hpp"
#include "os/files.hpp"
#include "os/ports.hpp"

namespace berth::hostagent {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t mark_bytes = 8;

Result<void> remove_all_of(const std::string& homes, const std::string& beginning) {
    std::error_code error;
    for (auto at = fs::directory_iterator(homes, error); !error && at != fs::directory_iterator(); at.increment(error)) {
        if (!at->path().filename().string().starts_with(beginning)) continue;
        std::error_code removing;
        fs::remove_all(at->path(), removing);
        if (removing) return fail(ErrorKind::internal, "cannot remove {}: {}", at->path().string(), removing.message());
    }
    if (error && error != std::errc::no_such_file_or_directory) return fail(ErrorKind::internal, "cannot list {}: {}", homes, error.message());
    return {};
}

std::string first_line(std::string text) {
    const auto end = std::find(text.begin(), text.end(), '\n');
    text.erase(end, text.end());
    return text;
}

// A machine that loses its power right after must not have the names without what they name.
Result<void> sync_folder(const std::string& folder) {
    const Descriptor at{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (at.number() < 0 || ::syncfs(at.number()) != 0) return os::failed("sync", folder, errno);
    return {};
}

}  // namespace

Result<std::string> begin_home_draft(const std::string& homes, const WorkspaceId& workspace) {
    if (!is_dns_label(workspace.value)) return fail(ErrorKind::invalid, "'{}' is no workspace id", workspace.value.substr(0, 63));
    const auto draft = fmt::format("{}/.draft-{}", homes, workspace.value);
    std::error_code error;
    fs::remove_all(draft, error);
    if (!error) fs::create_directory(draft, error);
    if (!error) fs::permissions(draft, fs::perms::owner_all, error);
    if (error) return fail(ErrorKind::internal, "cannot make {}: {}", draft, error.message());
    return draft;
}

Result<void> finish_home_draft(const std::string& homes, const WorkspaceId& workspace, const std::string& draft) {
    const auto home = homes + "/" + workspace.value;
    const auto made = draft + "/" + workspace.value;
    std::error_code error;
    if (!fs::is_directory(made, error)) return fail(ErrorKind::internal, "the archive of {} holds no home", workspace.value);
    TRY(sync_folder(draft));
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto aside = fmt::format("{}/.aside-{}.{}", homes, workspace.value, now);
    if (std::rename(home.c_str(), aside.c_str()) != 0 && errno != ENOENT) return os::failed("put aside", home, errno);
    if (std::rename(made.c_str(), home.c_str()) != 0) return os::failed("put in place", home, errno);
    fs::remove_all(draft, error);
    return sync_folder(homes);
}

Result<void> drop_home(const std::string& homes, const WorkspaceId& workspace) {
    if (!is_dns_label(workspace.value)) return fail(ErrorKind::invalid, "'{}' is no workspace id", workspace.value.substr(0, 63));
    const auto home = homes + "/" + workspace.value;
    const auto aside = homes + "/.dropped-" + workspace.value;
    std::error_code error;
    fs::remove_all(aside, error);         // of a drop that was cut off
    if (!error && std::rename(home.c_str(), aside.c_str()) != 0 && errno != ENOENT) return os::failed("remove", home, errno);
    if (!error) fs::remove_all(aside, error);
    if (error) return fail(ErrorKind::internal, "cannot remove {}: {}", aside, error.message());
    return {};
}

Result<std::string> home_mark(const std::string& homes) {
    const auto path = homes + "/.berth-homes";
    const auto known = os::read_file(path);
    if (known && known->size() >= mark_bytes) return first_line(*known);
    if (known || known.error().kind != ErrorKind::not_found) {
        return fail(ErrorKind::internal, "{} is no marker of berth's; remove it", path);
    }
    // Whole at once, and only one of two who make it at the same time.
    const auto mark = random_hex(mark_bytes);
    const auto draft = fmt::format("{}.{}", path, mark);
    TRY(os::write_file(draft, mark + "\n", os::mode_of_notices));
    const bool mine = ::link(draft.c_str(), path.c_str()) == 0;
    const int why = errno;
    TRY(os::remove_file(draft));
    if (!mine && why != EEXIST) return os::failed("make", path, why);
    return first_line(TRY(os::read_file(path)));
}

Result<void> erase_home(const std::string& homes, const WorkspaceId& workspace) {
    const auto& name = workspace.value;
    if (!is_dns_label(name)) return fail(ErrorKind::invalid, "'{}' is no workspace id", name.substr(0, 63));
    const auto home = homes + "/" + name;
    const auto aside = homes + "/.erased-" + name;
    TRY(remove_all_of(homes, ".aside-" + name + "."));
    std::error_code error;
    std::filesystem::remove_all(homes + "/.draft-" + name, error);
    if (!error) std::filesystem::remove_all(aside, error);   // of an erasing that was cut off
    if (!error && std::rename(home.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
        return fail(ErrorKind::internal, "cannot erase {}: {}", home, std::strerror(errno));
    }
    if (!error) std::filesystem::remove_all(aside, error);
    if (error) return fail(ErrorKind::internal, "cannot erase {}: {}", aside, error.message());
    return {};
}

bool port_is_free(std::uint32_t port) {
    const auto free = os::check_port_is_free(port);
    return free || free.error().kind != ErrorKind::conflict;   // what is wrong then the engine will say
}

}  // namespace berth::hostagent
