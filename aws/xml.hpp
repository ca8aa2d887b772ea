// SPDX-License-Identifier: Apache-2.0
// Answers of the Query protocols, read without their namespaces. What is not there is empty, what is not
// known is passed over: new fields and states must not break an old berth.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::aws {

using Node = pugi::xml_node;

/// The text of the node at that path of names ("state/name"); empty when it is not there.
std::string text_of(Node node, const char* path);
bool flag_of(Node node, const char* path);                // "true"
std::int64_t number_of(Node node, const char* path, std::int64_t otherwise = 0);
/// None when it is missing or no time.
std::optional<Instant> time_of(Node node, const char* path);
/// The elements of a list: the `member`s or `item`s of the node at that path.
std::vector<Node> list_of(Node node, const char* path);

}  // namespace berth::aws
