// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/process.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "hostagent/engines/session.hpp"
#include "http/client.hpp"
#include "os/files.hpp"
#include "os/program.hpp"

namespace berth {

using os::ProcessMark;

namespace {

constexpr Duration health_poll{10};
constexpr Duration health_patience{1'000};

struct Label {
    ContainerId container;
    std::uint32_t port = 0;
};

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
}

class ProcessEngine final : public Engine {
public:
    explicit ProcessEngine(ProcessEngineSetup setup) : setup_(std::move(setup)) {
        if (setup_.command.empty()) {
            setup_.command = os::program_folder() + "/berth-workspace --folder {folder} --port {port}";
        }
    }

    Result<void> check_ready() override {
        const auto program = setup_.command.substr(0, setup_.command.find(' '));
        if (::access(program.c_str(), X_OK) != 0) {
            return fail(ErrorKind::not_found, "the process engine cannot run {}: set hostagent.process_command", program);
        }
        std::error_code error;
        std::filesystem::create_directories(setup_.slots_dir, error);
        if (error) return fail(ErrorKind::internal, "cannot make {}: {}", setup_.slots_dir, error.message());
        return {};
    }

    Result<void> prepare(const PrepareOrder& order) override {
        const auto folder = folder_of(order.slot);
        if (const auto label = read_label(folder)) {
            return fail(ErrorKind::conflict, "slot {} holds {}; {} cannot stand there", order.slot, label->container.value,
                        order.container.value);
        }
        auto outcome = start(order, folder);
        // The first error is the one to tell; what could not be removed is found by list().
        if (!outcome) (void)remove(order.container, order.slot, setup_.grace * 4);
        return outcome;
    }

    Result<void> bind(const EngineBind& order) override {
        const auto folder = folder_of(order.slot);
        const auto mark = TRY(find(order.container, order.slot));
        if (::access((folder + "/bind.json").c_str(), F_OK) == 0) {
            return fail(ErrorKind::conflict, "{} was given to someone before", order.container.value);
        }
        TRY(make_home(order.home));
        const auto link = folder + "/home";
        if (::symlink(order.home.c_str(), link.c_str()) != 0) {
            return fail(ErrorKind::internal, "cannot make {}: {}", link, std::strerror(errno));
        }
        const nlohmann::json body{{"workspace", order.workspace.value}, {"epoch", order.epoch.value},
                                  {"user", order.user.value},           {"project", order.project.value},
                                  {"home", order.home},                 {"container", order.container.value}};
        TRY(os::write_file(folder + "/bind.json", body.dump()));
        if (!os::runs(mark)) return fail(ErrorKind::unavailable, "{} ended while it was given", order.container.value);
        return {};
    }

    Result<void> ask_to_end(const ContainerId& container, std::uint32_t slot, Duration grace) override {
        const auto mark = find(container, slot);
        if (!mark) return {};
        ask_session(session_mark(container), *mark, grace);
        return {};
    }

    Result<void> remove(const ContainerId& container, std::uint32_t slot, Duration deadline) override {
        const auto folder = folder_of(slot);
        const auto label = read_label(folder);
        const bool ours = label && label->container == container;
        const auto leader = ours ? os::read_mark(folder + "/pid").value_or(ProcessMark{}) : ProcessMark{};
        TRY(end_session(session_mark(container), leader, setup_.grace, deadline));
        if (label && !ours) return {};   // the folder is another's
        std::error_code error;
        std::filesystem::remove_all(folder, error);
        if (error) return fail(ErrorKind::internal, "cannot remove {}: {}", folder, error.message());
        return {};
    }

    Result<std::vector<FoundContainer>> list() override {
        std::vector<FoundContainer> found;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(setup_.slots_dir, error)) {
            const auto name = entry.path().filename().string();
            std::uint32_t slot = 0;
            const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), slot);
            if (bad != std::errc{} || end != name.data() + name.size()) continue;
            const auto label = read_label(entry.path().string());
            if (!label) continue;
            const auto mark = os::read_mark(entry.path().string() + "/pid");
            if (mark) os::has_ended(mark->pid);
            found.push_back({.container = label->container, .slot = slot, .port = label->port,
                             .health = mark && os::runs(*mark) ? Health::running : Health::exited});
        }
        if (error && error != std::errc::no_such_file_or_directory) {
            return fail(ErrorKind::internal, "cannot list {}: {}", setup_.slots_dir, error.message());
        }
        return found;
    }

    Result<Usage> usage(const ContainerId& container) override {
        for (const auto& one : TRY(list())) {
            if (one.container != container) continue;
            const auto mark = TRY(find(container, one.slot));
            return session_usage(session_members(session_mark(container), mark));
        }
        return fail(ErrorKind::not_found, "{} is not there", container.value);
    }

private:
    std::string folder_of(std::uint32_t slot) const { return fmt::format("{}/{}", setup_.slots_dir, slot); }

    static std::optional<Label> read_label(const std::string& folder) {
        const auto text = os::read_file(folder + "/label");
        if (!text) return std::nullopt;
        std::istringstream words(*text);
        Label label;
        words >> label.container.value >> label.port;
        return label;
    }

    Result<ProcessMark> find(const ContainerId& container, std::uint32_t slot) const {
        const auto folder = folder_of(slot);
        const auto label = read_label(folder);
        const auto mark = os::read_mark(folder + "/pid");
        if (!label || label->container != container || !mark || !os::runs(*mark)) {
            return fail(ErrorKind::not_found, "{} does not run on slot {}", container.value, slot);
        }
        return *mark;
    }

    Result<void> start(const PrepareOrder& order, const std::string& folder) const {
        const auto until = std::chrono::steady_clock::now() + order.deadline;
        std::error_code error;
        std::filesystem::remove_all(folder, error);   // without a label nothing ever ran there
        if (!error) std::filesystem::create_directories(folder, error);
        if (error) return fail(ErrorKind::internal, "cannot make {}: {}", folder, error.message());
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
        TRY(os::write_file(folder + "/label", fmt::format("{} {}\n", order.container.value, order.port)));

        auto command = setup_.command;
        replace_all(command, "{port}", std::to_string(order.port));
        os::ProgramOrder child{.output = folder + "/output", .pid_file = folder + "/pid"};
        std::istringstream words(command);
        for (std::string word; words >> word;) {
            replace_all(word, "{folder}", folder);
            child.arguments.push_back(word);
        }
        const char* path = std::getenv("PATH");
        child.environment = {session_mark(order.container), "HOME=" + folder + "/home", "LANG=C.UTF-8",
                             fmt::format("PATH={}", path ? path : "/usr/local/bin:/usr/bin:/bin")};
        const auto mark = TRY(os::start_program(child));
        return wait_until_healthy(order, mark, until);
    }

    Result<void> wait_until_healthy(const PrepareOrder& order, const ProcessMark& mark,
                                    std::chrono::steady_clock::time_point until) const {
        for (;;) {
            if (!os::runs(mark)) {
                return fail(ErrorKind::unavailable, "{} ended before it was healthy; see its output", order.container.value);
            }
            const auto answer = http::get_local(order.port, setup_.health_path, health_patience);
            if (answer && answer->status == 200 && session_listens(session_members(session_mark(order.container), mark), order.port)) {
                return {};
            }
            if (std::chrono::steady_clock::now() >= until) {
                return fail(ErrorKind::timeout, "{} never became healthy: 127.0.0.1:{}{} gave no 200 within {}",
                            order.container.value, order.port, setup_.health_path, to_text(order.deadline));
            }
            std::this_thread::sleep_for(health_poll);
        }
    }

    static Result<void> make_home(const std::string& home) {
        std::error_code error;
        std::filesystem::create_directories(std::filesystem::path(home).parent_path(), error);
        if (::mkdir(home.c_str(), 0700) != 0 && errno != EEXIST) {
            return fail(errno == ENOSPC ? ErrorKind::limit : ErrorKind::internal, "cannot make the home {}: {}", home,
                        std::strerror(errno));
        }
        struct stat status {};
        if (::lstat(home.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
            return fail(ErrorKind::denied, "the home {} is not a folder", home);
        }
        return {};
    }

    ProcessEngineSetup setup_;
};

}  // namespace

std::unique_ptr<Engine> make_process_engine(ProcessEngineSetup setup) {
    return std::make_unique<ProcessEngine>(std::move(setup));
}

}  // namespace berth
