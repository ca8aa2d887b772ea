// SPDX-License-Identifier: Apache-2.0
// A process that behaves like one of berth's towards `berth up`, and like a bad one when it is told
// to: so that up's own duties (order, restarts, endings, leftovers) are tested without the others.
// It is copied under the name of the process it stands for. STAND_IN_<NAME> says how it behaves:
//
//   (empty)   ready at once, ends at SIGTERM
//   dies      writes a line to its log and exits 3 before it is ready
//   mute      never ready
//   deaf      ready, ignores SIGTERM
//   once      ready; ends by itself after the file <state>/end-<name> was made
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

volatile sig_atomic_t ended = 0;
void on_term(int) { ended = 1; }

std::string flag(int argc, char** argv, const std::string& name) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (argv[i] == name) return argv[i + 1];
    }
    return {};
}

// As the scaler does: a host in a session of its own, that lives on when its parent ends.
void start_host(const std::string& program, const std::string& state) {
    const auto folder = state + "/hosts/h-1";
    std::filesystem::create_directories(folder);
    if (const std::string pid = [&] { std::string text; std::ifstream(folder + "/agent.pid") >> text; return text; }();
        !pid.empty() && std::filesystem::exists("/proc/" + pid + "/exe")) {
        return;  // it lives: adopted
    }
    if (::fork() != 0) return;
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::execl(program.c_str(), "berth-hostagent", "--state", folder.c_str(), nullptr);
    ::_exit(127);
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
    const auto name = self.filename().string().substr(sizeof "berth-" - 1);
    const auto state = flag(argc, argv, "--state");
    const char* told = std::getenv(("STAND_IN_" + name).c_str());
    const std::string behaviour = told == nullptr ? "" : told;

    for (int i = 1; i < argc; ++i) {
        if (argv[i] == std::string{"--end-environments"}) {
            std::ofstream(state + "/environments-ended") << name << "\n";
            return 0;
        }
    }
    struct sigaction action = {};
    action.sa_handler = on_term;
    if (behaviour == "deaf") action.sa_handler = SIG_IGN;
    ::sigaction(SIGTERM, &action, nullptr);
    std::fprintf(stderr, "%s starts as %s\n", name.c_str(), behaviour.empty() ? "good" : behaviour.c_str());
    if (behaviour == "dies") {
        std::fprintf(stderr, "%s: the reason why it can not start\n", name.c_str());
        return 3;
    }
    if (name == "hostagent") {
        std::ofstream(state + "/agent.pid") << ::getpid() << "\n";
    } else {
        if (name == "gateway") std::ofstream(state + "/gateway.url") << "http://127.0.0.1:1\n";
        if (name == "scaler") start_host((self.parent_path() / "berth-hostagent").string(), state);
        if (behaviour != "mute") std::ofstream(state + "/run/" + name + ".ready") << ::getpid() << "\n";
    }
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, &before);
    const auto end_file = state + "/end-" + name;
    while (ended == 0) {
        if (behaviour == "once" && std::filesystem::remove(end_file)) return 7;
        const timespec while_ms{0, 20'000'000};
        ::pselect(0, nullptr, nullptr, nullptr, &while_ms, &before);
    }
    return 0;
}
