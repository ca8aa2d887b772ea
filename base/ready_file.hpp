// SPDX-License-Identifier: Apache-2.0
// `<state>/run/<name>.ready`: there while a process serves, and at no other time. Who starts a process
// waits for it. A life that was killed leaves it behind; the next one removes it first.
#pragma once

#include <string>
#include <string_view>

namespace berth {

class ReadyFile {
public:
    /// Makes `<state>/run` and removes what an earlier life left. What fails here shows in serves().
    ReadyFile(const std::string& state, std::string_view name);
    ~ReadyFile() { ends(); }
    ReadyFile(const ReadyFile&) = delete;
    ReadyFile& operator=(const ReadyFile&) = delete;

    /// Writes the own pid. A file that cannot be written is logged: the process serves nevertheless.
    void serves() const;
    void ends() const;

private:
    std::string path_;
};

}  // namespace berth
