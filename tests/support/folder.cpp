// SPDX-License-Identifier: Apache-2.0
#include "tests/support/folder.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.hpp"

namespace berth::testing {

Folder::Folder() : path_((std::filesystem::temp_directory_path() / "berth-test-XXXXXX").string()) {
    check(::mkdtemp(path_.data()) != nullptr, "a temporary folder can be made");
}

Folder::~Folder() {
    if (std::getenv("BERTH_KEEP") != nullptr) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_text(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream{path} << text;
}

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace berth::testing
