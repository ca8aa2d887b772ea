// SPDX-License-Identifier: Apache-2.0
// The first process of a workspace's container: runs the editor, buries what nobody waits for, and at
// the end asks everything to end before it does. script/image compiles it, static: it needs libc alone.
//
//   running ─► TERM, or the editor ended
//              ├ at once:         TERM to all but the editor's session (its pty host is what keeps terminals)
//              ├ as soon as a shell that ignores TERM is alone in its terminal:  HUP to it, as interactive
//              │                  ones do, and save their history at HUP; at half of the grace to each terminal
//              ├ when no other is left, at the latest at half of the grace:  TERM to the editor's session
//              └ nobody is left, or the grace is over ─► exit; the kernel ends the rest
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

namespace {

constexpr int processes_max = 4096;        // looked at in one round
constexpr int look_again_ms = 20;
constexpr long grace_ms_default = 10'000;  // $BERTH_STOP_GRACE_MS

struct Process {
    pid_t pid, session;
};
Process found[processes_max];
pid_t hung_up[processes_max];
int hung_ups = 0;
// Shells that were seen to wait for nothing but a person, and in how many rounds on end: one that is between two
// commands, or in its own trap, looks so for a moment.
struct Waiting {
    pid_t pid;
    int rounds;
};
Waiting waiting[processes_max];
int waitings = 0;
constexpr int rounds_to_be_sure = 15;

long now_ms() {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000L + at.tv_nsec / 1'000'000L;
}

bool read_stat(pid_t pid, char& state, pid_t& session) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE* file = fopen(path, "re");
    if (file == nullptr) return false;
    const auto size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char* after = strrchr(text, ')');
    int parent, group;
    return after != nullptr && sscanf(after + 1, " %c %d %d %d", &state, &parent, &group, &session) == 4;
}

/// All that live, but this one.
int look_around() {
    int count = 0;
    DIR* folder = opendir("/proc");
    if (folder == nullptr) return 0;
    while (const dirent* entry = readdir(folder)) {
        const auto pid = static_cast<pid_t>(atoi(entry->d_name));
        char state = 0;
        pid_t session = 0;
        if (pid <= 1 || count == processes_max || !read_stat(pid, state, session) || state == 'Z' || state == 'X') continue;
        found[count++] = {pid, session};
    }
    closedir(folder);
    return count;
}

void hang_up_once(pid_t pid) {
    for (int i = 0; i < hung_ups; ++i) {
        if (hung_up[i] == pid) return;
    }
    if (hung_ups < processes_max) hung_up[hung_ups++] = pid;
    kill(pid, SIGHUP);
    kill(pid, SIGCONT);
}

bool waits_on(pid_t pid, bool looks_so) {
    for (int i = 0; i < waitings; ++i) {
        if (waiting[i].pid != pid) continue;
        waiting[i].rounds = looks_so ? waiting[i].rounds + 1 : 0;
        return waiting[i].rounds >= rounds_to_be_sure;
    }
    if (looks_so && waitings < processes_max) waiting[waitings++] = {pid, 1};
    return false;
}

bool is_alone(pid_t session, int count) {
    int members = 0;
    for (int i = 0; i < count; ++i) members += found[i].session == session ? 1 : 0;
    return members == 1;
}

/// As interactive shells do; who handles it is left to finish.
bool ignores_term(pid_t pid) {
    char path[32], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE* file = fopen(path, "re");
    if (file == nullptr) return false;
    unsigned long long ignored = 0;
    while (fgets(line, sizeof line, file) != nullptr && sscanf(line, "SigIgn: %llx", &ignored) != 1) {}
    fclose(file);
    return (ignored >> (SIGTERM - 1) & 1) != 0;
}

/// One round; true while somebody is left.
bool press(pid_t editor, bool first, bool late, bool& editor_asked) {
    const int count = look_around();
    int others = 0;
    for (int i = 0; i < count; ++i) {
        const auto& one = found[i];
        if (one.session == editor) continue;
        ++others;
        if (first) {
            kill(one.pid, SIGTERM);
            kill(one.pid, SIGCONT);       // what is stopped hears nothing
        } else if (one.session == one.pid && (waits_on(one.pid, is_alone(one.session, count) && ignores_term(one.pid)) || late)) {
            hang_up_once(one.pid);
        }
    }
    if (!editor_asked && (others == 0 || late)) {
        editor_asked = true;
        for (int i = 0; i < count; ++i) {
            if (found[i].session == editor) kill(found[i].pid, SIGTERM);
        }
    }
    return count > 0;
}

void bury(pid_t editor, bool& editor_ended, int& outcome) {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != editor) continue;
        editor_ended = true;
        outcome = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: berth-init PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    sigset_t watched, before;
    sigemptyset(&watched);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&watched, signal);
    sigprocmask(SIG_BLOCK, &watched, &before);
    const int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    const pid_t editor = fork();
    if (signals < 0 || editor < 0) {
        perror("berth-init");
        return 1;
    }
    if (editor == 0) {
        setsid();
        sigprocmask(SIG_SETMASK, &before, nullptr);
        execvp(arguments[1], arguments + 1);
        perror(arguments[1]);
        _exit(127);
    }

    const char* given = getenv("BERTH_STOP_GRACE_MS");
    const long grace_ms = given != nullptr ? atol(given) : grace_ms_default;
    bool ending = false, editor_ended = false, editor_asked = false;
    int outcome = 0;
    long begun = 0;
    for (bool first = true;;) {
        pollfd on{signals, POLLIN, 0};
        poll(&on, 1, ending ? look_again_ms : -1);
        signalfd_siginfo heard{};
        while (read(signals, &heard, sizeof heard) == static_cast<ssize_t>(sizeof heard)) {
            if (heard.ssi_signo != SIGCHLD) ending = true;
        }
        bury(editor, editor_ended, outcome);
        if (editor_ended) ending = true;
        if (!ending) continue;
        if (begun == 0) begun = now_ms();
        const long passed = now_ms() - begun;
        const bool left = press(editor, first, passed >= grace_ms / 2, editor_asked);
        first = false;
        if (!left || passed >= grace_ms) return outcome;
    }
}
