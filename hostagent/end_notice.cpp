// SPDX-License-Identifier: Apache-2.0
#include "hostagent/end_notice.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "os/files.hpp"

namespace berth::hostagent {

namespace {

constexpr std::size_t notice_bytes_max = 4'096;

sigset_t end_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPWR);
    return set;
}

int open_signals() {
    const auto set = end_signals();
    return ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

std::string printable_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        if (!blank) line += c;
        else if (!line.empty() && line.back() != ' ') line += ' ';
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line.substr(0, 200);
}

}  // namespace

void keep_end_signal() {
    const auto set = end_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

EndNotice parse_end_notice(std::string_view text, const std::string& file) {
    EndNotice notice;
    const auto end = std::min(text.find('\n'), text.size());
    const auto first = printable_line(text.substr(0, end));
    if (const auto at = from_rfc3339(first)) {
        notice.ends_at = *at;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    notice.text = printable_line(text);
    if (notice.text.empty()) notice.text = "its machine is said to end by " + file;
    return notice;
}

EndNoticeWatch::EndNoticeWatch(std::string file, std::unique_ptr<CloudNoticeWatch> cloud)
    : file_(std::move(file)), signals_(open_signals()), cloud_(std::move(cloud)) {}

std::optional<EndNotice> EndNoticeWatch::look() {
    signalfd_siginfo info{};
    while (signals_.number() >= 0 && ::read(signals_.number(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        signalled_ = EndNotice{"its machine is said to end by SIGPWR", std::nullopt};
    }
    const auto text = os::read_file(file_, notice_bytes_max);
    if (text) return parse_end_notice(*text, file_);
    if (signalled_ || !cloud_) return signalled_;
    return cloud_->look();
}

}  // namespace berth::hostagent
