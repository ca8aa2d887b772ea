// SPDX-License-Identifier: Apache-2.0
// The files of dashboard/, built into the program: nothing is read from disk and nothing comes from
// another site.
#pragma once

#include <string_view>

namespace berth::gateway {

std::string_view dashboard_page();
std::string_view dashboard_script();
std::string_view dashboard_stream();
std::string_view dashboard_style();

}  // namespace berth::gateway
