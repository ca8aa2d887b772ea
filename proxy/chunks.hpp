// SPDX-License-Identifier: Apache-2.0
// Memory for bytes on their way: borrowed while they move, given back before anything waits, so that
// a thousand idle WebSockets hold none of it.
#pragma once

#include <memory>
#include <vector>

#include "proxy/policy.hpp"

namespace berth::proxy {

class Chunks {
public:
    class Chunk {
    public:
        explicit Chunk(Chunks& owner) : owner_(owner), bytes_(owner.take()) {}
        ~Chunk() { owner_.give_back(std::move(bytes_)); }
        Chunk(const Chunk&) = delete;
        Chunk& operator=(const Chunk&) = delete;
        char* bytes() { return bytes_.get(); }

    private:
        Chunks& owner_;
        std::unique_ptr<char[]> bytes_;
    };

private:
    std::unique_ptr<char[]> take() {
        if (spare_.empty()) return std::unique_ptr<char[]>{new char[chunk_bytes]};
        auto bytes = std::move(spare_.back());
        spare_.pop_back();
        return bytes;
    }
    void give_back(std::unique_ptr<char[]> bytes) {
        if (spare_.size() < chunks_kept_max) spare_.push_back(std::move(bytes));
    }

    std::vector<std::unique_ptr<char[]>> spare_;
};

}  // namespace berth::proxy
