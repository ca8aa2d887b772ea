// SPDX-License-Identifier: Apache-2.0
// HTTP by hand, so that a test can send what no library would.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace berth::testing {

class Wire {
public:
    explicit Wire(std::uint16_t port);
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    bool connected() const { return fd_ >= 0; }
    bool send(std::string_view bytes);
    /// What came until `is_enough`, the end of the connection, or that long.
    template <class Enough>
    std::string receive(Enough&& is_enough, Duration within = Duration{15'000}) {
        std::string all;
        while (!is_enough(all)) {
            const auto part = read_some(within);
            if (!part || part->empty()) break;
            all += *part;
        }
        return all;
    }
    std::optional<std::string> read_some(Duration within);

private:
    int fd_ = -1;
};

struct WireAnswer {
    int status = 0;                       // 0: no answer
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

/// One request and its whole answer, on a connection of its own.
WireAnswer exchange(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body,
                    const std::vector<std::string>& headers, Duration within = Duration{30'000});
WireAnswer parse_answer(const std::string& bytes);

}  // namespace berth::testing
