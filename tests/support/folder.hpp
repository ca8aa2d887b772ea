// SPDX-License-Identifier: Apache-2.0
// A temporary folder that goes when the test ends; kept when BERTH_KEEP is set, to look at.
#pragma once

#include <string>
#include <string_view>

namespace berth::testing {

class Folder {
public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(std::string_view below) const { return path_ + "/" + std::string{below}; }

private:
    std::string path_;
};

void write_text(const std::string& path, std::string_view text);
std::string read_text(const std::string& path);   // empty when it is not there

}  // namespace berth::testing
