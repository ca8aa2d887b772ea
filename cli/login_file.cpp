// SPDX-License-Identifier: Apache-2.0
#include "cli/login_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/outside_text.hpp"
#include "cli/table.hpp"
#include "os/files.hpp"

namespace berth::cli {

Result<std::string> login_file() {
    auto folder = environment_text("XDG_CONFIG_HOME");
    if (folder.empty()) {
        const auto home = environment_text("HOME");
        if (home.empty()) return fail(ErrorKind::not_found, "neither XDG_CONFIG_HOME nor HOME says where settings of yours stand");
        folder = home + "/.config";
    }
    return folder + "/berth/login.json";
}

Result<std::optional<KeptLogin>> kept_login() {
    const auto path = login_file();
    if (!path) return std::optional<KeptLogin>{};
    const auto text = os::read_file(*path);
    if (!text && text.error().kind == ErrorKind::not_found) return std::optional<KeptLogin>{};
    if (!text) return fail(text.error());
    struct stat facts {};
    if (::stat(path->c_str(), &facts) == 0 && (facts.st_mode & 0077U) != 0) {
        return fail(ErrorKind::denied, "others may read {}, which holds your token: chmod 600 it, or `berth login` again", *path);
    }
    const auto said = Json::parse(*text, nullptr, false);
    KeptLogin login{text_at(said, "url"), text_at(said, "token")};
    if (!said.is_object() || login.url.empty() || login.token.empty()) {
        return fail(ErrorKind::corrupt, "{} names no url and token: remove it, or `berth login` again", *path);
    }
    login.token = TRY(outside_word("the token in " + *path, login.token));
    return std::optional{std::move(login)};
}

Result<void> keep_login(const KeptLogin& login) {
    const auto path = TRY(login_file());
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (error) return fail(ErrorKind::denied, "cannot make the folder of {}: {}", path, error.message());
    return os::write_file(path, to_pretty_json({{"url", login.url}, {"token", login.token}}));
}

Result<void> forget_login() { return os::remove_file(TRY(login_file())); }

}  // namespace berth::cli
