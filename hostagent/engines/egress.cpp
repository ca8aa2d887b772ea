// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/egress.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/descriptor.hpp"
#include "os/program.hpp"

namespace berth {

namespace {

constexpr std::size_t words_max = 400;     // of what a program says when it fails
constexpr const char* path_inside = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

bool is_address(const std::string& text) {
    const auto slash = text.find('/');
    const auto address = text.substr(0, slash);
    std::array<unsigned char, sizeof(in6_addr)> parsed{};
    const bool v6 = text.find(':') != std::string::npos;
    if (::inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), parsed.data()) != 1) return false;
    if (slash == std::string::npos) return true;
    const auto bits = text.substr(slash + 1);
    return !bits.empty() && bits.size() <= 3 && bits.find_first_not_of("0123456789") == std::string::npos &&
           std::stoi(bits) <= (v6 ? 128 : 32);
}

/// Of this machine. Not those that mean another place inside the container: loopback, link-local.
Result<std::vector<std::string>> own_addresses() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return fail(ErrorKind::internal, "cannot list this machine's addresses: {}", std::strerror(errno));
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all{first, &::freeifaddrs};
    std::vector<std::string> addresses;
    for (const auto* one = first; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        if (one->ifa_addr->sa_family == AF_INET) {
            ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text.data(), text.size());
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const auto& v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&v6)) continue;
            ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
        }
        if (text[0] != '\0') addresses.emplace_back(text.data());
    }
    return addresses;
}

bool has_v6(pid_t inside) {
    std::ifstream addresses{fmt::format("/proc/{}/net/if_inet6", inside)};
    for (std::string line; std::getline(addresses, line);) {
        if (line.size() < 2 || line.substr(line.size() - 2) != "lo") return true;
    }
    return false;
}

std::string words_of(int output) {
    std::string text(words_max, '\0');
    const auto got = ::pread(output, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

/// Runs `program` in the network namespace, with `rules` as its input.
Result<void> run_inside(int network, const char* program, const std::string& rules, Duration within) {
    const Descriptor input{::memfd_create("rules", MFD_CLOEXEC)}, output{::memfd_create("words", MFD_CLOEXEC)};
    if (input.number() < 0 || output.number() < 0 ||
        ::pwrite(input.number(), rules.data(), rules.size(), 0) != static_cast<ssize_t>(rules.size())) {
        return fail(ErrorKind::internal, "cannot pass rules to {}: {}", program, std::strerror(errno));
    }
    const os::ProgramOrder order{.arguments = {"/usr/bin/nsenter", "--net=/proc/self/fd/3", program, "--wait"},
                                 .environment = std::vector<std::string>{path_inside}, .input = input.number(),
                                 .answers = output.number(), .passed = {network}};
    const auto status = os::wait_for(TRY(os::start_program(order)).pid, within);
    if (!status) return fail(status.error().kind, "{}: {}", program, status.error().text);
    if (*status == 0) return {};
    return fail(ErrorKind::unavailable, "{} failed: {} (Debian's package iptables has it)", program, words_of(output.number()));
}

}  // namespace

Result<std::string> egress_rules(IpFamily family, const std::vector<std::string>& closed) {
    const bool v6 = family == IpFamily::v6;
    std::string rules = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -o lo -j ACCEPT\n"
                        "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"
                        "-A OUTPUT -p udp --dport 53 -j ACCEPT\n-A OUTPUT -p tcp --dport 53 -j ACCEPT\n";
    if (v6) rules += "-A OUTPUT -p icmpv6 -j ACCEPT\n";   // how neighbours are found
    for (const auto& address : closed) {
        if (!is_address(address)) return fail(ErrorKind::invalid, "docker.closed: '{}' is no address and no CIDR", address);
        if ((address.find(':') != std::string::npos) != v6) continue;
        rules += fmt::format("-A OUTPUT -d {} -j REJECT --reject-with {}\n", address, v6 ? "icmp6-adm-prohibited" : "icmp-admin-prohibited");
    }
    return rules + "COMMIT\n";
}

Result<void> close_egress(pid_t inside, std::vector<std::string> closed, Duration within) {
    for (auto& own : TRY(own_addresses())) closed.push_back(std::move(own));
    const auto file = fmt::format("/proc/{}/ns/net", inside);
    const Descriptor network{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat theirs = {}, ours = {};
    if (network.number() < 0 || ::fstat(network.number(), &theirs) != 0 || ::stat("/proc/self/ns/net", &ours) != 0) {
        return fail(ErrorKind::unavailable, "cannot open {}: {}", file, std::strerror(errno));
    }
    if (theirs.st_ino == ours.st_ino) return fail(ErrorKind::conflict, "process {} has this machine's own network", inside);
    TRY(run_inside(network.number(), "iptables-restore", TRY(egress_rules(IpFamily::v4, closed)), within));
    if (!has_v6(inside)) return {};
    return run_inside(network.number(), "ip6tables-restore", TRY(egress_rules(IpFamily::v6, closed)), within);
}

}  // namespace berth
