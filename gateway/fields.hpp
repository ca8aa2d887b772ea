// SPDX-License-Identifier: Apache-2.0
// A request's body or query as checked values. What the route's table does not name, what has
// another type or is out of bounds, is refused with the field's name; nothing is guessed.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "gateway/problem.hpp"
#include "gateway/routes.hpp"

namespace berth::gateway {

class Fields {
public:
    std::optional<std::string> text(std::string_view name) const;
    std::optional<Duration> duration(std::string_view name) const;
    std::optional<Instant> instant(std::string_view name) const;
    std::optional<std::uint64_t> number(std::string_view name) const;

    /// Refused with 422 and the field's name when it does not fit its rule.
    std::optional<Problem> put(const FieldRule& rule, std::string value);

private:
    std::map<std::string, std::string, std::less<>> values_;
};

struct FieldsOrProblem {
    Fields fields;
    std::optional<Problem> problem;
};

/// Older clients send more than is read.
enum class Unknown { refused, ignored };

/// A JSON object; an empty body counts as {} when nothing is required.
FieldsOrProblem read_body(std::string_view body, std::size_t depth_max, std::span<const FieldRule> rules, Unknown unknown);
FieldsOrProblem read_query(std::string_view query, std::span<const FieldRule> rules, Unknown unknown);

}  // namespace berth::gateway
