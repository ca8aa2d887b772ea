// SPDX-License-Identifier: Apache-2.0
#include "cli/browser.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/command.hpp"
#include "cli/text.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth::cli {

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') out += "&amp;";
        else if (c == '<') out += "&lt;";
        else if (c == '"') out += "&quot;";
        else out += c;
    }
    return out;
}

}  // namespace

Result<Exit> open_in_browser(const std::string& link) {
    const char* chosen = std::getenv("BROWSER");
    const std::string wanted = chosen != nullptr && *chosen != '\0' ? chosen : "xdg-open";
    const auto program = wanted.find('/') == std::string::npos ? os::program_on_path(wanted) : wanted;
    if (program.empty()) {
        remark("no browser to open here (set BROWSER); this link works once, within 60 s:");
        print(link + "\n");
        return Exit::ok;
    }
    // Every user of this machine can read an argument list, so the browser gets a file of ours.
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    const auto page = fmt::format("{}/berth-open-{}.html",
                                  runtime != nullptr && *runtime != '\0' ? runtime : "/tmp", ::getuid());
    ::unlink(page.c_str());
    TRY(os::write_file(page,
                   fmt::format("<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"
                               "<meta http-equiv=\"refresh\" content=\"0;url={}\"><title>berth</title>\n", escaped(link)),
                   0600));
    TRY(os::start_program({.arguments = {program, "file://" + page}}));
    remark("opening in the browser (the link works once, within 60 s)");
    return Exit::ok;
}

}  // namespace berth::cli
