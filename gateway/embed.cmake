# SPDX-License-Identifier: Apache-2.0
# Writes the dashboard's files into a .cpp: cmake -DFROM=<folder> -DTO=<file> -P embed.cmake
set(text "// Made by embed.cmake from gateway/dashboard.\n#include \"gateway/pages.hpp\"\n\nnamespace berth::gateway {\n")
foreach(pair "dashboard_page=index.html" "dashboard_script=app.js" "dashboard_stream=stream.js" "dashboard_style=style.css"
        "sign_in_page=sign_in.html" "sign_in_script=sign_in.js" "login_page=login.html" "login_script=login.js" "open_page=open.html" "open_script=open.js")
    string(REPLACE "=" ";" parts "${pair}")
    list(GET parts 0 name)
    list(GET parts 1 file)
    file(READ "${FROM}/${file}" content HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," content "${content}")
    string(APPEND text "static const char ${name}_bytes[] = {${content}0};\n")
    string(APPEND text "std::string_view ${name}() { return {${name}_bytes, sizeof(${name}_bytes) - 1}; }\n")
endforeach()
string(APPEND text "}  // namespace berth::gateway\n")
file(WRITE "${TO}" "${text}")
