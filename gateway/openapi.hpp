// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document. Paths, parameters and bodies are written from the route table and the
// schemas from the very structs that answers are made of, so that it can not tell of anything else.
#pragma once

#include <string>

namespace berth::gateway {

/// Served at /v1/openapi.json: always the same text.
const std::string& openapi_document();

}  // namespace berth::gateway
