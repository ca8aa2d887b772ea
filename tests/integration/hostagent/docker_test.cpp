// SPDX-License-Identifier: Apache-2.0
// The docker engine on a private dockerd with the real image: code-server starts without a user, gets
// one at the bind, and nothing of it is left at the end. Prints why when this machine can not do that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "docker/client.hpp"
#include "hostagent/engines/docker.hpp"
#include "hostagent/engines/egress.hpp"
#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
namespace files = std::filesystem;

constexpr Duration call_patience{20'000};

/// What a command prints, with its exit status.
std::pair<int, std::string> run(const std::string& command) {
    std::string text;
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {-1, "popen failed"};
    std::array<char, 4096> piece{};
    for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;) text.append(piece.data(), got);
    return {::pclose(pipe), text};
}

std::string image_tar() {
    const char* cache = std::getenv("BERTH_CACHE");
    const char* home = std::getenv("HOME");
    return (cache != nullptr ? std::string{cache} : fmt::format("{}/.cache/berth", home != nullptr ? home : "/root")) + "/workspace-4.tar";
}

/// One private dockerd for all of them: to start it and to import the image takes most of the time.
class Docker : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        if (::geteuid() != 0) return (void)(reason = "a private dockerd needs root");
        if (run("command -v dockerd").first != 0) return (void)(reason = "there is no dockerd: script/packages run");
        if (!files::exists(image_tar())) return (void)(reason = "there is no " + image_tar() + ": script/image builds it");
        // A network of its own: bridges, rules and routes of these tests are none of the machine's.
        if (::unshare(CLONE_NEWNET) != 0 || run("ip link set lo up").first != 0) return (void)(reason = "a network namespace needs CAP_SYS_ADMIN");
        ::umask(0077);                         // as `berth up` has it: what a workspace must read is readable all the same
        folder = std::make_unique<Folder>();
        const auto [status, text] = run(std::string{BERTH_SOURCE_DIR} + "/script/dockerd start " + (*folder / "dockerd"));
        if (status != 0) reason = "dockerd does not start here: " + text + read_text(*folder / "dockerd/dockerd.log").substr(0, 2'000);
    }
    static void TearDownTestSuite() {
        if (!folder) return;
        const auto [status, text] = run(std::string{BERTH_SOURCE_DIR} + "/script/dockerd stop " + (*folder / "dockerd"));
        EXPECT_EQ(status, 0) << text;
        folder.reset();
    }
    void SetUp() override {
        if (!reason.empty()) GTEST_SKIP() << "SKIPPED: " << reason;
    }

    static std::string socket() { return *folder / "dockerd/docker.sock"; }
    static std::string config() {
        return fmt::format("prepare_deadline = \"40s\"\n[docker]\nsocket = \"{}\"\nimage_tar = \"{}\"\n", socket(), image_tar());
    }
    static Json ask(const std::string& path) {
        const auto answer = docker::Client(socket()).call("GET", path, "", call_patience);
        return answer ? Json::parse(answer->body, nullptr, false) : Json();
    }
    static std::size_t containers() { return ask("/containers/json?all=1").size(); }
    static std::pair<int, std::string> inside(const std::string& container, const std::string& command) {
        return run(fmt::format("docker -H unix://{} exec {} {}", socket(), container, command));
    }

    /// "reached", "refused" or "silence", as a program in the container sees it.
    static std::string dial(const std::string& container, const std::string& address, int port, Duration patience = Duration{10'000}) {
        return inside(container, fmt::format("node -e \"const s=require('net').connect({{host:'{}',port:{}}});"
                                             "s.on('connect',()=>{{console.log('reached');process.exit()}});"
                                             "s.on('error',()=>{{console.log('refused');process.exit()}});"
                                             "setTimeout(()=>{{console.log('silence');process.exit()}},{})\"",
                                             address, port, patience.count())).second;
    }

    inline static std::unique_ptr<Folder> folder;
    inline static std::string reason;
};

struct ContainerStage {
    explicit ContainerStage(const std::string& config) : cluster(fast_config(config)) {
        cluster.start("broker");
        allocator.emplace(cluster);
        agent.emplace(cluster, "h-1", 2);
        allocator->orders.standbys = 1;
    }
    ~ContainerStage() {
        if (!ended) end();
    }
    void end() {
        ended = true;
        agent->process().terminate(Duration{5'000});
        EXPECT_EQ(agent->end_environments(docker), 0) << agent->log();
    }
    bool phase(std::uint32_t slot, SlotPhase wanted) {
        return allocator->peer.until([&] { return allocator->beat && allocator->beat->slots.at(slot).phase == wanted; }, Duration{60'000});
    }
    std::string container(std::uint32_t slot) { return allocator->beat->slots.at(slot).container.value; }

    const std::vector<std::string> docker{"--engine", "docker"};
    Cluster cluster;
    std::optional<ScriptedAllocator> allocator;
    std::optional<Agent> agent;
    bool ended = false;
};

TEST_F(Docker, a_standby_becomes_a_users_vscode_and_leaves_nothing_I2_I27_I28) {
    ContainerStage stage(config());
    ASSERT_TRUE(stage.agent->start(stage.docker)) << stage.agent->log();
    ASSERT_TRUE(stage.phase(0, SlotPhase::prepared)) << stage.agent->log();
    const auto standby = stage.container(0);

    // ---- a claim is a bind: the same container, now with a home
    const auto lease = ScriptedAllocator::order(0, 1);
    stage.allocator->orders.leases = {lease};
    const auto begun = std::chrono::steady_clock::now();
    const auto bound = stage.allocator->tell(BindCommand{{5}, lease}, Duration{60'000});
    ASSERT_TRUE(bound) << bound.error().text << stage.agent->log();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    RecordProperty("bind_ms", static_cast<int>(took.count()));
    EXPECT_EQ(bound->container.value, standby);
    const auto home = stage.agent->home_of({"w-1"});
    write_text(home + "/from-the-host", "hello");
    files::permissions(home + "/from-the-host", files::perms{0644});
    EXPECT_THAT(inside(standby, "cat /berth/home/from-the-host").second, HasSubstr("hello"));
    EXPECT_EQ(inside(standby, "sh -c 'echo mine > /berth/home/notes'").first, 0);
    EXPECT_EQ(read_text(home + "/notes"), "mine\n");

    // ---- the browser gets VS Code through the proxy
    const auto link = stage.allocator->tell(LinkCommand{{5}, 0, {1}, {"w-1"}});
    ASSERT_TRUE(link) << link.error().text;
    const auto origin = fmt::format("w-1.localhost:{}", stage.agent->proxy_port());
    const auto opened = http_get(stage.agent->proxy_port(), origin, path_of(link->link));
    ASSERT_EQ(opened.status, 302) << opened.text;
    const auto page = http_get(stage.agent->proxy_port(), origin, "/?folder=/berth/home", opened.cookie);
    EXPECT_EQ(page.status, 200) << page.text.substr(0, 500);
    EXPECT_THAT(page.text, HasSubstr("vscode"));

    // ---- what the engine was told, as the engine tells it
    const auto told = ask("/containers/" + standby + "/json");
    EXPECT_TRUE(told["HostConfig"]["PortBindings"].empty()) << "a port would be every user's of this machine (field report 13)";
    const auto editor = fmt::format("curl -sS --max-time 5 --unix-socket {}/slots/{}/run/editor.sock http://evil.example/healthz", stage.agent->folder(), standby);
    EXPECT_THAT(run(editor).second, HasSubstr("lastHeartbeat"));
    EXPECT_NE(run("setpriv --reuid 1000 --regid 1000 --clear-groups " + editor).first, 0) << "not even its own uid, from outside";
    EXPECT_EQ(told["Config"]["User"], "1000:1000");
    EXPECT_EQ(told["HostConfig"]["CapDrop"], Json::array({"ALL"}));
    EXPECT_EQ(told["HostConfig"]["ReadonlyRootfs"], true);
    EXPECT_THAT(told["HostConfig"]["SecurityOpt"].dump(), HasSubstr("no-new-privileges"));
    EXPECT_EQ(inside(standby, "id -u").second, "1000\n");
    EXPECT_NE(inside(standby, "sh -c 'echo x > /etc/x'").first, 0) << "its root is read-only";
    EXPECT_NE(inside(standby, "ls /var/run/docker.sock").first, 0);

    // ---- the next standby is a neighbour, and neither reaches the other (I28)
    ASSERT_TRUE(stage.phase(1, SlotPhase::prepared)) << stage.agent->log();
    const auto neighbour = ask("/containers/" + stage.container(1) + "/json")["NetworkSettings"]["Networks"].begin().value()["IPAddress"];
    EXPECT_EQ(run(fmt::format("docker -H unix://{} exec -d {} node -e \"require('net').createServer().listen(8080)\"", socket(), stage.container(1))).first, 0);
    EXPECT_TRUE(eventually([&] { return dial(stage.container(1), "127.0.0.1", 8080).find("reached") == 0; }))
        << "it does reach itself, so the question is a fair one";
    EXPECT_THAT(dial(standby, neighbour.get<std::string>(), 8080, Duration{1'000}), ::testing::Not(HasSubstr("reached")));
    const auto network = told["NetworkSettings"]["Networks"].begin().key();
    const auto subnet = ask("/networks/" + network)["IPAM"]["Config"][0]["Subnet"].get<std::string>();
    EXPECT_THAT(run(fmt::format("nsenter -n -t {} iptables -S", told["State"]["Pid"].get<int>())).second, HasSubstr("-d " + subnet + " -j REJECT"))
        << "the wall of its own keeps them apart where the engine does not (podman)";
    const auto gateway = ask("/containers/" + standby + "/json")["NetworkSettings"]["Networks"].begin().value()["Gateway"];
    const auto bus = read_text(stage.cluster.state() + "/bus.toml");
    const auto colon = bus.rfind(':');
    const auto broker = dial(standby, gateway.get<std::string>(), std::atoi(bus.c_str() + colon + 1), Duration{1'000});
    EXPECT_THAT(broker, ::testing::Not(HasSubstr("reached")))
        << "the broker is not reachable from a workspace";

    // ---- the agent dies: the user does not notice, the next life knows all
    const auto started = told["State"]["StartedAt"];
    stage.agent->process().kill();
    EXPECT_EQ(http_get(stage.agent->proxy_port(), origin, "/healthz", opened.cookie).status, 200);
    stage.allocator->beat.reset();
    ASSERT_TRUE(stage.agent->start(stage.docker)) << stage.agent->log();
    ASSERT_TRUE(stage.phase(0, SlotPhase::bound)) << stage.agent->log();
    EXPECT_EQ(stage.container(0), standby);
    EXPECT_EQ(ask("/containers/" + standby + "/json")["State"]["StartedAt"], started);

    // ---- the container dies: another one takes its place under the same lease, with the same home
    EXPECT_EQ(run(fmt::format("docker -H unix://{} kill {}", socket(), standby)).first, 0);
    ASSERT_TRUE(stage.allocator->peer.until([&] {
        const auto& slot = stage.allocator->beat->slots.at(0);
        return slot.phase == SlotPhase::bound && slot.container.value != standby;
    }, Duration{60'000})) << stage.agent->log();
    const auto second = stage.container(0);
    EXPECT_EQ(inside(second, "cat /berth/home/notes").second, "mine\n");

    // ---- a release leaves the home and nothing else
    stage.allocator->orders.leases.at(0).wanted = Wanted::stopped;
    const auto stopped = stage.allocator->tell(StopCommand{{5}, 0, {1}, {"w-1"}}, Duration{60'000});
    ASSERT_TRUE(stopped) << stopped.error().text << stage.agent->log();
    EXPECT_EQ(ask("/containers/" + second + "/json").value("State", Json()), Json());
    EXPECT_FALSE(files::exists(stage.agent->folder() + "/slots/" + second));
    EXPECT_EQ(read_text("/proc/self/mountinfo").find(second), std::string::npos) << "its mounts are gone";
    EXPECT_EQ(read_text(home + "/notes"), "mine\n");
    ASSERT_TRUE(stage.allocator->tell(EraseCommand{{5}, {"w-1"}}));
    EXPECT_FALSE(files::exists(home));

    stage.end();
    EXPECT_EQ(containers(), 0U) << "not even a standby";
    EXPECT_EQ(read_text("/proc/self/mountinfo").find(stage.agent->folder() + "/slots"), std::string::npos);
}

/// Field reports 1, 2, 6 and 8: a container of its own, without an agent.
TEST_F(Docker, a_workspace_buries_its_dead_runs_tmp_has_a_name_and_ends_when_asked) {
    auto engine = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "inside", .uid = 1'234}, "h-6", *folder / "slots");
    ASSERT_TRUE(engine->check_ready());
    const auto made = engine->prepare({.slot = 0, .container = {"inside-1"}, .deadline = Duration{40'000}, .grace = Duration{10'000}});
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_TRUE(engine->bind({.slot = 0, .container = {"inside-1"}, .workspace = {"w-1"}, .home = *folder / "homes/inside"}));

    EXPECT_EQ(inside("inside-1", "sh -c 'for i in $(seq 400); do (setsid true &); done'").first, 0);
    EXPECT_TRUE(eventually([] {
        const auto states = inside("inside-1", "ps -eo stat=");
        return states.first == 0 && states.second.find('Z') == std::string::npos;
    })) << inside("inside-1", "ps -ef").second;
    EXPECT_EQ(inside("inside-1", "sh -c 'printf \"#!/bin/sh\\necho ok\\n\" > /tmp/t; chmod +x /tmp/t; /tmp/t'").second, "ok\n");
    EXPECT_EQ(inside("inside-1", "sh -c 'whoami; touch ~/mine; stat -c %U ~/mine'").second, "dev\ndev\n");

    // A terminal with a typed command, and a program that saves at TERM and needs a moment for it.
    const auto begin = [](const std::string& command) {
        EXPECT_EQ(run(fmt::format("docker -H unix://{} exec -d inside-1 {}", socket(), command)).first, 0) << command;
    };
    begin("sh -c '(echo echo typed-command; sleep 300) | script -qc \"bash -i\" /dev/null'");
    begin("setsid node -e 'process.on(\"SIGTERM\", () => setTimeout(() => { require(\"fs\").writeFileSync(process.env.HOME + \"/saved\", \"saved\\n\"); process.exit() }, 300)); "
          "require(\"fs\").writeFileSync(process.env.HOME + \"/loops\", \"\"); setInterval(() => {}, 1000)'");
    const auto home = *folder / "homes/inside";
    ASSERT_TRUE(eventually([&] { return files::exists(home + "/loops") && inside("inside-1", "pgrep -x bash").second.size() > 3; }));
    ASSERT_TRUE(eventually([] { return inside("inside-1", "sh -c 'pgrep -f \"bash -i\" | wc -l'").second != "0\n"; }));
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_TRUE(engine->ask_to_end({"inside-1"}, 0, Duration{10'000}));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, Duration{8'000}) << "nobody waits for the whole grace when all have ended";
    EXPECT_EQ(read_text(home + "/saved"), "saved\n");
    EXPECT_THAT(read_text(home + "/.bash_history"), HasSubstr("typed-command"));
    EXPECT_TRUE(engine->ask_to_end({"inside-1"}, 0, Duration{10'000})) << "what has ended has ended";
    EXPECT_TRUE(engine->remove({"inside-1"}, 0, Duration{20'000}));
    EXPECT_EQ(run(fmt::format("docker -H unix://{} volume ls -q", socket())).second, "") << "its /tmp went with it (I27)";
}

TEST_F(Docker, an_environment_that_ends_or_never_answers_is_told_and_removed) {
    // The same image, asked for what it does not have: it runs, and never becomes healthy.
    auto engine = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "sick", .health_path = "/berth/absent"}, "h-9",
                                     *folder / "slots");
    ASSERT_TRUE(engine->check_ready());
    const auto never = engine->prepare({.slot = 0, .container = {"sick-1"}, .deadline = Duration{1'500}});
    ASSERT_FALSE(never);
    EXPECT_EQ(never.error().kind, ErrorKind::timeout);
    EXPECT_THAT(never.error().text, HasSubstr("never became healthy"));
    EXPECT_EQ(engine->list()->size(), 0U) << "after an error nothing of it is left";
    EXPECT_FALSE(files::exists(*folder / "slots/sick-1"));

    // Too little memory to start at all: it ends, and that is said long before the deadline.
    auto tight = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "sick", .memory_bytes = 8ULL << 20}, "h-9",
                                    *folder / "slots");
    const auto ended = tight->prepare({.slot = 0, .container = {"sick-2"}, .deadline = Duration{30'000}});
    ASSERT_FALSE(ended);
    EXPECT_THAT(ended.error().text, HasSubstr("before it was healthy"));
    EXPECT_EQ(tight->list()->size(), 0U);
    EXPECT_TRUE(tight->remove({"sick-2"}, 0, Duration{5'000})) << "what is not there is removed";
}

/// Field reports 8, 10, 19 and 20: what befalls an environment, or the engine, from outside.
TEST_F(Docker, what_befalls_an_environment_is_told_and_only_its_end_ends_it) {
    const auto command = [](const std::string& words) { return run(fmt::format("docker -H unix://{} {}", socket(), words)); };
    auto engine = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "fate", .memory_bytes = 400ULL << 20}, "h-5", *folder / "slots");
    ASSERT_TRUE(engine->check_ready());
    const auto start = [&](const std::string& name) {
        const auto made = engine->prepare({.slot = 0, .container = {name}, .deadline = Duration{40'000}});
        EXPECT_TRUE(made) << made.error().text;
        return made.has_value();
    };
    const auto only = [&] {
        const auto found = engine->list();
        return found && found->size() == 1 ? found->front() : FoundContainer{};
    };
    ASSERT_TRUE(start("fate-1"));
    EXPECT_EQ(only().told, "");

    EXPECT_EQ(command("pause fate-1").first, 0);
    EXPECT_EQ(only().health, Health::suspended) << "field report 10";
    EXPECT_THAT(only().told, HasSubstr("docker unpause fate-1"));
    EXPECT_EQ(command("unpause fate-1").first, 0);
    EXPECT_EQ(only().health, Health::running);

    EXPECT_NE(inside("fate-1", "node --max-old-space-size=4000 -e 'const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1))'").first, 0);
    ASSERT_TRUE(eventually([&] { return !only().told.empty(); })) << "field report 19";
    EXPECT_EQ(only().health, Health::running) << "only that program ended";
    EXPECT_THAT(only().told, HasSubstr("out of memory (its limit is 400 MiB): the system ended "));

    const auto foreign = *folder / "homes/foreign";
    files::create_directories(foreign);
    const auto refused = engine->bind({.slot = 0, .container = {"fate-1"}, .workspace = {"w-1"}, .home = foreign});
    ASSERT_FALSE(refused) << "field report 8";
    EXPECT_THAT(refused.error().text, HasSubstr("belongs to uid 0, and workspaces run as uid 1000"));
    EXPECT_THAT(refused.error().text, HasSubstr("chown -R 1000:1000 " + foreign));
    EXPECT_EQ(run("chown -R 1000:1000 " + foreign).first, 0);
    EXPECT_TRUE(engine->bind({.slot = 0, .container = {"fate-1"}, .workspace = {"w-1"}, .home = foreign}));

    EXPECT_EQ(command("kill fate-1").first, 0);
    ASSERT_TRUE(eventually([&] { return only().health == Health::exited; }));
    EXPECT_THAT(only().told, HasSubstr("status 137"));
    EXPECT_TRUE(engine->remove({"fate-1"}, 0, Duration{20'000}));

    // Somebody cleans up: image and network are gone (field report 20).
    const auto network = "berth-" + to_hex(hash_of(std::string{"fate"})).substr(0, 8);
    EXPECT_EQ(command("network rm " + network).first, 0);
    EXPECT_EQ(command("rmi -f " + DockerPolicy{}.image).first, 0);
    ASSERT_TRUE(start("fate-2")) << "both are made again";
    EXPECT_TRUE(engine->remove({"fate-2"}, 0, Duration{20'000}));
}

/// `berth doctor` tries what a claim needs (field report N7).
TEST_F(Docker, a_trial_start_leaves_nothing_and_names_the_step_that_fails) {
    const auto agent = fmt::format("{}/berth-hostagent --state {} --host-id trial --homes {} --engine docker --log-level error --try-start --config ",
                                   BERTH_BIN_DIR, *folder / "trial", *folder / "trial-homes");
    write_text(*folder / "trial.toml", "[hostagent]\n" + config());
    const auto good = run(agent + (*folder / "trial.toml"));
    EXPECT_EQ(good.first, 0) << good.second;
    EXPECT_THAT(good.second, HasSubstr("started and removed in "));
    EXPECT_EQ(containers(), 0U);
    EXPECT_TRUE(files::is_empty(*folder / "trial-homes"));

    write_text(*folder / "bad.toml", fmt::format("[docker]\nsocket = \"{}\"\nimage = \"berth/none:1\"\n", socket()));
    const auto bad = run(agent + (*folder / "bad.toml"));
    EXPECT_NE(bad.first, 0);
    EXPECT_THAT(bad.second, HasSubstr("no image 'berth/none:1'"));
}

/// A cloud's metadata service, in a network namespace of its own that the tests' namespace has a way to.
class Metadata {
public:
    Metadata() {
        script(fmt::format("ip netns add {0} && ip link add {0} type veth peer name inner netns {0} && "
                           "ip addr add 192.0.2.1/32 dev {0} && ip link set {0} up && ip route add 169.254.169.254/32 dev {0} && "
                           "ip -n {0} addr add 169.254.169.254/32 dev inner && ip -n {0} link set inner up && "
                           "ip -n {0} link set lo up && ip -n {0} route add default dev inner", name_));
        for (const char* port : {"80", "53"}) {
            servers_.push_back(std::make_unique<Child>(std::vector<std::string>{"/usr/bin/env", "ip", "netns", "exec", name_, "python3", "-m",
                                                       "http.server", port, "--bind", "169.254.169.254"}, "/dev/null"));
        }
    }
    ~Metadata() {
        servers_.clear();
        script(fmt::format("ip netns del {}", name_));
    }
    bool answers() const {
        return eventually([] { return run("curl -fsS --max-time 1 http://169.254.169.254/ http://169.254.169.254:53/").first == 0; });
    }

private:
    static void script(const std::string& command) {
        const auto [status, text] = run(command);
        EXPECT_EQ(status, 0) << command << ": " << text;
    }
    std::string name_ = fmt::format("berth-md{}", ::getpid());
    std::vector<std::unique_ptr<Child>> servers_;
};

TEST_F(Docker, a_workspace_reaches_no_metadata_service_and_not_its_machine_I28) {
    const Metadata metadata;
    ASSERT_TRUE(metadata.answers()) << "from this machine, as on a cloud's";
    auto engine = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "walls"}, "h-7", *folder / "slots");
    auto open = make_docker_engine({.socket = socket(), .image_tar = image_tar(), .cluster = "open", .closed = {}}, "h-7", *folder / "slots");
    ASSERT_TRUE(engine->check_ready() && open->check_ready());
    const auto made = engine->prepare({.slot = 0, .container = {"walls-1"}, .deadline = Duration{40'000}});
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_TRUE(open->prepare({.slot = 0, .container = {"open-1"}, .deadline = Duration{40'000}}));

    EXPECT_EQ(dial("open-1", "169.254.169.254", 80), "reached\n") << "who asks for it: so the question is a fair one";
    EXPECT_EQ(dial("walls-1", "169.254.169.254", 80), "refused\n");
    EXPECT_EQ(dial("walls-1", "169.254.169.254", 53), "reached\n") << "some clouds look names up there";

    const auto state = ask("/containers/walls-1/json");
    const std::string gateway = state["NetworkSettings"]["Networks"].begin().value()["Gateway"];
    Child listener({"/usr/bin/env", "python3", "-m", "http.server", "28995", "--bind", gateway}, "/dev/null");
    ASSERT_TRUE(eventually([&] { return run(fmt::format("curl -fsS --max-time 1 http://{}:28995/", gateway)).first == 0; }));
    EXPECT_EQ(dial("walls-1", gateway, 28'995), "refused\n");
    EXPECT_EQ(dial("open-1", gateway, 28'995), "refused\n") << "its machine is closed to each";
    EXPECT_EQ(inside("walls-1", "grep -E '^Cap(Eff|Bnd)' /proc/self/status").second, "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n")
        << "its user has no right to change them";
    EXPECT_EQ(run(fmt::format("nsenter -t {} -n iptables -F OUTPUT", state["State"]["Pid"].get<int>())).first, 0);
    EXPECT_EQ(dial("walls-1", gateway, 28'995), "reached\n") << "without the rules it would";
    const auto six = egress_rules(IpFamily::v6, {"fd00:ec2::/32"});
    write_text(*folder / "six.rules", *six);
    const auto taken = run(fmt::format("unshare -n sh -c 'ip6tables-restore --wait < {} && ip6tables -S OUTPUT'", *folder / "six.rules"));
    EXPECT_THAT(taken.second, HasSubstr("-d fd00:ec2::/32 -j REJECT")) << "no container here has IPv6: only that the rules are taken";
    for (auto* one : {engine.get(), open.get()}) {
        const auto left = one->list();
        ASSERT_TRUE(left);
        for (const auto& found : *left) EXPECT_TRUE(one->remove(found.container, found.slot, Duration{20'000}));
    }
}

TEST(Egress, WhatIsNoAddressIsRefusedByName_I28) {
    for (const char* bad : {"", "example.org", "10.0.0.1/33", "10.0.0.1/", "::1/129", "10.0.0.1\n-F"}) {
        const auto rules = egress_rules(IpFamily::v4, {"10.0.0.0/8", bad});
        ASSERT_FALSE(rules) << bad;
        EXPECT_EQ(rules.error().kind, ErrorKind::invalid);
    }
    const auto six = egress_rules(IpFamily::v6, {"10.0.0.0/8", "fd00:ec2::/32"});
    ASSERT_TRUE(six);
    EXPECT_THAT(*six, HasSubstr("-d fd00:ec2::/32 -j REJECT"));
    EXPECT_THAT(*six, ::testing::Not(HasSubstr("10.0.0.0")));
}

TEST(DockerTemplate, CanNotBeAlteredByWhatAUserNames_I28) {
    const auto body = Json::parse(docker_template({}, "h-1", "berth-net", "/slots/c-1",
                                                  {.slot = 3, .container = {"c-1"}, .port = 20'007, .deadline = Duration{1}, .grace = Duration{2'500}}));
    const auto& host = body["HostConfig"];
    EXPECT_EQ(body["User"], "1000:1000");
    EXPECT_EQ(host["Privileged"], false);
    EXPECT_EQ(host["CapDrop"], Json::array({"ALL"}));
    EXPECT_EQ(host["ReadonlyRootfs"], true);
    EXPECT_EQ(host["SecurityOpt"], Json::array({"no-new-privileges"}));
    EXPECT_GT(host["PidsLimit"], 0);
    EXPECT_GT(host["Memory"], 0);
    EXPECT_GT(host["NanoCpus"], 0);
    EXPECT_EQ(host["NetworkMode"], "berth-net");
    EXPECT_FALSE(host.contains("PortBindings"));
    ASSERT_EQ(host["Mounts"].size(), 1U) << "nothing of the host but the slot's own folder";
    EXPECT_EQ(host["Mounts"][0]["Source"], "/slots/c-1");
    EXPECT_EQ(host["Mounts"][0]["BindOptions"]["Propagation"], "rslave");
    EXPECT_EQ(body["Env"], Json::array({"HOME=/berth/home", "BERTH_SOCKET=/berth/run/editor.sock", "BERTH_STOP_GRACE_MS=2500"})) << "no identity (I27)";
    EXPECT_EQ(body["Volumes"], Json({{"/tmp", Json::object()}})) << "on the engine's disk, so that it is large";
    EXPECT_FALSE(host["Tmpfs"].contains("/tmp"));
    const auto small = Json::parse(docker_template({.tmp_bytes = 64ULL << 20}, "h-1", "berth-net", "/slots/c-1", {.container = {"c-1"}}));
    EXPECT_EQ(small["HostConfig"]["Tmpfs"]["/tmp"], "rw,exec,nosuid,nodev,size=67108864,mode=1777");
    EXPECT_TRUE(small["Volumes"].empty());
}

}  // namespace
}  // namespace berth::testing
