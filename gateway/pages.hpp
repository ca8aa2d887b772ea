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
std::string_view sign_in_page();
std::string_view sign_in_script();
std::string_view login_page();
std::string_view login_script();
std::string_view open_page();
std::string_view open_script();

}  // namespace berth::gateway
