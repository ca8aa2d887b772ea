// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/hostagent/stage.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace berth::testing {

namespace {

constexpr Duration start_patience{120'000};
constexpr Duration end_patience{30'000};
constexpr Duration ask_patience{10'000};

constexpr const char* fast = R"(
[allocator]
heartbeat = "200ms"
command_retry = "200ms"
[pool.default]
slots_per_host = 2
standbys = 0
[hostagent]
engine = "process"
tick = "20ms"
inventory_every = "300ms"
register_retry = "50ms"
register_retry_max = "500ms"
activity_every = "500ms"
proxy_check = "100ms"
restart_pause = "100ms"
)";

Cluster& with_core(Cluster& cluster) {
    cluster.start("broker");
    cluster.start("allocator");
    return cluster;
}

std::uint32_t first_number(const std::string& text) {
    std::uint32_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace

// ---- the agent

Agent::Agent(Cluster& cluster, std::string name, std::uint32_t slots)
    : cluster_(cluster), name_(std::move(name)), slots_(slots), folder_(cluster.state() + "/hosts/" + name_),
      homes_(cluster.state() + "/homes"), log_(cluster.state() + "/log/" + name_ + ".log") {
    cluster.mint(name_, Role::host);
}

Agent::~Agent() {
    if (child_ && child_->alive()) child_->kill();
    const auto end = [](const std::optional<os::ProcessMark>& mark) {
        if (mark) os::send_signal(*mark, SIGKILL);
    };
    // A proxy that was only just started has not written its pid yet: the agent's log names it.
    constexpr std::string_view started = R"("event":"proxy.started","pid":")";
    const auto said = log();
    for (auto at = said.find(started); at != std::string::npos; at = said.find(started, at + 1)) {
        const auto pid = static_cast<pid_t>(first_number(said.substr(at + started.size(), 10)));
        const auto mark = os::mark_of(pid);
        if (mark && read_text(fmt::format("/proc/{}/cmdline", pid)).find(folder_) != std::string::npos) end(mark);
    }
    end(proxy());
    for (std::uint32_t slot = 0; slot < slots_; ++slot) end(environment(slot));
}

std::vector<std::string> Agent::arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> words{std::string{BERTH_BIN_DIR} + "/berth-hostagent", "--config", cluster_.config(), "--state", folder_,
                                   "--host-id", name_, "--pool", "default", "--bus", cluster_.state() + "/bus.toml", "--keys",
                                   cluster_.state() + "/keys", "--homes", homes_, "--slots", std::to_string(slots_)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

void Agent::launch(const std::vector<std::string>& more) {
    std::filesystem::remove(folder_ + "/run/hostagent.ready");
    child_ = std::make_unique<Child>(arguments(more), log_);
}

bool Agent::start(const std::vector<std::string>& more) {
    launch(more);
    const auto ready = folder_ + "/run/hostagent.ready";
    return eventually([&] { return std::filesystem::exists(ready) || !child_->alive(); }, start_patience) && child_->alive();
}

int Agent::end_environments(const std::vector<std::string>& more) {
    auto words = arguments(more);
    words.emplace_back("--end-environments");
    Child ending(std::move(words), log_);
    return ending.wait(end_patience).value_or(-1);
}

std::optional<os::ProcessMark> Agent::environment(std::uint32_t slot) const {
    const auto mark = os::read_mark(fmt::format("{}/slots/{}/pid", folder_, slot));
    return mark && os::runs(*mark) ? mark : std::nullopt;
}

std::uint32_t Agent::environment_port(std::uint32_t slot) const {
    const auto label = read_text(fmt::format("{}/slots/{}/label", folder_, slot));
    const auto blank = label.find(' ');
    return blank == std::string::npos ? 0 : first_number(label.substr(blank + 1));
}

std::optional<os::ProcessMark> Agent::proxy() const {
    const auto mark = os::read_mark(folder_ + "/proxy.pid");
    return mark && os::runs(*mark) ? mark : std::nullopt;
}

std::uint16_t Agent::proxy_port() const { return static_cast<std::uint16_t>(first_number(read_text(folder_ + "/proxy.port"))); }

// ---- a browser of one request

HttpAnswer http_get(std::uint16_t port, const std::string& host, const std::string& path, const std::string& cookie) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    HttpAnswer answer;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        auto request = fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", path, host);
        if (!cookie.empty()) request += "Cookie: " + cookie + "\r\n";
        request += "\r\n";
        [[maybe_unused]] const auto sent = ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
        char piece[4096];
        for (ssize_t got = 0; (got = ::recv(fd, piece, sizeof piece, 0)) > 0;) answer.text.append(piece, static_cast<std::size_t>(got));
    }
    ::close(fd);
    if (answer.text.size() > 12) answer.status = static_cast<int>(first_number(answer.text.substr(9, 3)));
    std::istringstream lines(answer.text);
    for (std::string line; answer.cookie.empty() && std::getline(lines, line) && line.size() > 1;) {
        constexpr std::string_view name = "set-cookie: ";
        std::string low = line.substr(0, name.size());
        for (auto& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (low == name) answer.cookie = line.substr(name.size(), line.find_first_of(";\r", name.size()) - name.size());
    }
    return answer;
}

std::string path_of(const std::string& link) {
    const auto host = link.find("//");
    const auto path = link.find('/', host == std::string::npos ? 0 : host + 2);
    return path == std::string::npos ? "/" : link.substr(path);
}

// ---- an allocator that says what the test wants

ScriptedAllocator::ScriptedAllocator(Cluster& cluster) : peer(cluster, "allocator", Role::allocator) {
    peer.endpoint().serve<RegisterRequest>([this](RegisterRequest request, const bus::Delivery&, bus::Responder to) {
        registered = std::move(request);
        to.reply(orders);
    });
    peer.endpoint().serve<HostHeartbeat>([this](HostHeartbeat heard, const bus::Delivery&, bus::Responder to) {
        beat = std::move(heard);
        to.reply(orders);
    });
}

LeaseOrder ScriptedAllocator::order(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace) {
    return {.slot = slot, .epoch = {epoch}, .workspace = {workspace}, .user = {"ada"}, .project = {"site"},
            .expires_at = RealClock{}.now() + Duration{3'600'000}};
}

// ---- the stage

std::string fast_config(const std::string& more, const std::string& pool) {
    constexpr std::string_view section = "[pool.default]\n";
    std::string text = fast + more;
    return text.insert(text.find(section) + section.size(), pool);
}

Stage::Stage(const std::string& more, std::uint32_t slots, const std::string& pool)
    : cluster(fast_config(more, pool)), robot(with_core(cluster), "robot", Role::client), agent(cluster, "h-1", slots) {
    if (!agent.start()) throw std::runtime_error("berth-hostagent did not start: " + agent.log());
}

Result<ClaimReply> Stage::claim(const std::string& key, const std::string& user, Duration wait) {
    return robot.ask(ClaimRequest{.key = {key}, .user = {user}, .project = {"site"}, .wait_ms = wait}, wait + Duration{2'000});
}

Result<ViewReply> Stage::view() {
    Result<ViewReply> seen = fail(ErrorKind::internal, "not asked");
    eventually([&] { return (seen = robot.ask(ViewRequest{}, ask_patience)).has_value(); });
    return seen;
}

std::optional<WorkspaceView> Stage::workspace(const WorkspaceId& id) {
    const auto seen = view();
    if (!seen || !seen->view.workspaces.contains(id)) return std::nullopt;
    return seen->view.workspaces.at(id);
}

bool Stage::until_state(const WorkspaceId& id, WorkspaceState state, Duration within) {
    return eventually([&] {
        const auto seen = workspace(id);
        return seen && seen->state == state;
    }, within);
}

std::optional<SlotReport> Stage::report(std::uint32_t slot) {
    const auto seen = view();
    if (!seen) return std::nullopt;
    for (const auto& beat : seen->heartbeats) {
        for (const auto& one : beat.slots) {
            if (one.slot == slot) return one;
        }
    }
    return std::nullopt;
}

bool Stage::until_phase(std::uint32_t slot, SlotPhase phase, Duration within) {
    return eventually([&] {
        const auto seen = report(slot);
        return seen && seen->phase == phase;
    }, within);
}

}  // namespace berth::testing
