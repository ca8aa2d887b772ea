// SPDX-License-Identifier: Apache-2.0
// The very bytes of a request's head, looked at before any parser reads them: whatever two readers
// could understand in two ways is refused, not repaired (request smuggling).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace berth::proxy {

/// What is wrong with a head that ends in an empty line; nullopt when every reader reads it alike.
/// The text is fixed and never repeats the request.
std::optional<std::string_view> fault_of_head(std::string_view head, std::size_t fields_max);

/// What can be made out of a head that is too long to be read to its end.
struct Glimpse {
    std::string_view method;
    std::string_view path;        // origin form; empty otherwise
    std::string_view host;
    std::string_view cookies;     // up to the last whole one
};
Glimpse glimpse_of(std::string_view beginning);

}  // namespace berth::proxy
