// SPDX-License-Identifier: Apache-2.0
// Holds real answers against the OpenAPI document: enough of JSON Schema for what schemas.cpp writes.
#pragma once

#include <string>

#include "tests/integration/gateway/raw_http.hpp"

namespace berth::testing {

/// What is wrong with this answer by the document; empty when nothing is.
std::string against_document(const std::string& method, const std::string& target, const WireAnswer& answer);

}  // namespace berth::testing
