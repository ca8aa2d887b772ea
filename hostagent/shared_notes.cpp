// SPDX-License-Identifier: Apache-2.0
#include "hostagent/shared_notes.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/descriptor.hpp"
#include "os/files.hpp"

namespace berth::hostagent {

namespace {

constexpr std::size_t entries_max = 1'024;       // of the folder

std::optional<PresenceNote> read_note(int folder, const char* name) {
    // Nothing here may block: a pipe without a writer would.
    const Descriptor file{::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat status {};
    if (file.number() < 0 || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    if (status.st_size <= 0 || static_cast<std::size_t>(status.st_size) > note_bytes_max) return std::nullopt;
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    if (::pread(file.number(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return std::nullopt;
    return parse_note(text, Instant{Duration{status.st_mtim.tv_sec * 1'000 + status.st_mtim.tv_nsec / 1'000'000}});
}

}  // namespace

Result<std::vector<PresenceNote>> read_notes(const std::string& folder) {
    const auto path = folder + "/presence";
    const int number = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (number < 0) return os::failed("open", path, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{::fdopendir(number), &::closedir};
    if (!entries) {
        ::close(number);
        return fail(ErrorKind::internal, "cannot list {}", path);
    }
    std::vector<PresenceNote> notes;
    std::size_t seen = 0;
    while (const auto* entry = ::readdir(entries.get())) {
        if (++seen > entries_max || notes.size() == notes_max) return fail(ErrorKind::limit, "{} holds more than notes of {} windows", path, notes_max);
        if (!std::string_view{entry->d_name}.ends_with(".note")) continue;
        if (auto note = read_note(number, entry->d_name)) notes.push_back(std::move(*note));
    }
    return notes;
}

Result<void> put_notice(const std::string& folder, const std::string& text) {
    const auto path = folder + "/notice";
    if (text.empty()) return os::remove_file(path);
    TRY(os::write_file(path, text, os::mode_of_notices));
    // Whatever the umask of who started us: the editor's user reads it.
    return ::chmod(path.c_str(), os::mode_of_notices) == 0 ? Result<void>{} : os::failed("open to its reader", path, errno);
}

}  // namespace berth::hostagent
