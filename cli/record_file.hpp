// SPDX-License-Identifier: Apache-2.0
// The file that `berth tap --record` writes: a new one, line by line, so that what came is there whenever it ends.
#pragma once

#include <memory>
#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace berth::cli {

class RecordFile {
public:
    /// Makes it (0600); one that is there already is left alone.
    static Result<std::unique_ptr<RecordFile>> make(const std::string& path);
    Result<void> write(const std::string& line);

private:
    RecordFile(std::string path, int descriptor) : path_(std::move(path)), file_(descriptor) {}
    const std::string path_;
    Descriptor file_;
    std::size_t bytes_ = 0;
};

}  // namespace berth::cli
