// SPDX-License-Identifier: Apache-2.0
// Homes that have an archive, with the real restic: two hosts that share no folder, one repository.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "os/program.hpp"
#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
namespace files = std::filesystem;

std::string pool_of(const std::string& shelf) {
    return fmt::format(R"(home_place = "archive"
home_repository = "{0}/repository"
home_password_file = "{0}/home-password"
home_save_every_ms = "0ms"
)", shelf);
}

class Homes : public ::testing::Test {
protected:
    Homes() {
        EXPECT_FALSE(os::program_on_path("restic").empty()) << "script/packages run";
        write_text(shelf_ + "/home-password", "correct horse\n");
        EXPECT_EQ(restic({"init", "-q"}), 0);
        stage_ = std::make_unique<Stage>("home_retry = \"200ms\"\nhome_retry_max = \"1s\"\nhome_progress_every = \"50ms\"\n", 2, pool_of(shelf_));
        stage_->agent.process().kill();
        stage_->agent.keep_homes_in(shelf_ + "/homes-1");
        other_ = std::make_unique<Agent>(stage_->cluster, "h-2", 2);
        other_->keep_homes_in(shelf_ + "/homes-2");
        operator_ = std::make_unique<TestPeer>(stage_->cluster, "gateway", Role::gateway);
        scaler_ = std::make_unique<TestPeer>(stage_->cluster, "scaler", Role::scaler);
        EXPECT_TRUE(stage_->agent.start()) << stage_->agent.log();
    }
    ~Homes() override {
        other_.reset();
        stage_.reset();
    }

    int restic(std::vector<std::string> words, const std::string& password = "home-password") {
        words.insert(words.begin(), {os::program_on_path("restic"), "-r", shelf_ + "/repository", "--password-file", shelf_ + "/" + password, "--no-cache"});
        const auto started = os::start_program({.arguments = words, .output = shelf_ + "/restic.log"});
        return started ? os::wait_for(started->pid, Duration{60'000}).value_or(-1) : -1;
    }
    std::optional<HostView> host(const std::string& id) {
        const auto seen = stage_->view();
        if (!seen || !seen->view.hosts.contains({id})) return std::nullopt;
        return seen->view.hosts.at({id});
    }
    HostRef ref(const std::string& id) { return {{id}, host(id)->incarnation}; }
    ClaimReply claim(const std::string& key) {
        auto reply = stage_->claim(key, "ada", Duration{60'000});
        EXPECT_TRUE(reply) << reply.error().text << stage_->agent.log() << other_->log();
        return reply.value_or(ClaimReply{});
    }
    void stop(const WorkspaceId& id) {
        ASSERT_TRUE(stage_->release(id));
        ASSERT_TRUE(stage_->until_state(id, WorkspaceState::stopped, Duration{60'000})) << stage_->agent.log() << other_->log();
    }
    /// The machine of h-1 loses its power: nothing of it lives on.
    void lose_power(std::uint32_t slot) {
        stage_->agent.process().kill();
        if (const auto environment = stage_->agent.environment(slot)) os::send_signal(*environment, SIGKILL);
        if (const auto proxy = stage_->agent.proxy()) os::send_signal(*proxy, SIGKILL);
    }
    std::vector<FactRecord> facts_of(const WorkspaceId& id) {
        auto reply = stage_->robot.ask(FactsRequest{.subject = id.value});
        return reply ? std::move(reply->facts) : std::vector<FactRecord>{};
    }

    Folder folder_;
    const std::string& shelf_ = folder_.path();
    std::unique_ptr<Stage> stage_;
    std::unique_ptr<Agent> other_;
    std::unique_ptr<TestPeer> operator_;
    std::unique_ptr<TestPeer> scaler_;
};

TEST_F(Homes, a_workspace_moves_with_its_files_to_a_host_that_shares_no_folder) {
    const auto first = claim("k1");
    const auto& id = first.workspace;
    ASSERT_EQ(first.host, HostId{"h-1"});
    files::create_directories(stage_->agent.home_of(id) + "/src/deep");
    write_text(stage_->agent.home_of(id) + "/src/deep/main.c", "int main;");
    files::permissions(stage_->agent.home_of(id) + "/src", files::perms::owner_all);
    files::create_symlink("src/deep", stage_->agent.home_of(id) + "/here");
    stop(id);
    EXPECT_FALSE(files::exists(stage_->agent.home_of(id))) << "what is archived does not stay behind";
    const auto archive = stage_->workspace(id)->archive;
    ASSERT_TRUE(archive);
    EXPECT_TRUE(archive->last);
    EXPECT_EQ(archive->epoch, first.epoch);

    ASSERT_TRUE(operator_->ask(CordonRequest{.host = ref("h-1"), .why = "new kernel", .tenants = Tenants::stop}));
    ASSERT_TRUE(other_->start()) << other_->log();
    const auto second = claim("k2");
    EXPECT_EQ(second.host, HostId{"h-2"});
    EXPECT_EQ(read_text(other_->home_of(id) + "/src/deep/main.c"), "int main;") << other_->log();
    EXPECT_TRUE(files::is_symlink(other_->home_of(id) + "/here"));
    EXPECT_EQ(files::status(other_->home_of(id) + "/src").permissions(), files::perms::owner_all);

    ASSERT_TRUE(stage_->robot.ask(DestroyRequest{.target = {id}, .why = "a test"}));
    ASSERT_TRUE(eventually([&] {
        const auto seen = stage_->workspace(id);
        return !seen || seen->state == WorkspaceState::destroyed;
    }, Duration{60'000})) << other_->log();
    EXPECT_FALSE(files::exists(other_->home_of(id)));
    EXPECT_TRUE(files::is_empty(shelf_ + "/repository/snapshots")) << "its archives go with it";
    for (const auto& log : {stage_->agent.log(), other_->log()}) EXPECT_EQ(log.find("correct horse"), std::string::npos) << "I30";
}

TEST_F(Homes, a_machine_that_dies_in_a_save_leaves_the_last_confirmed_archive_and_nothing_half) {
    const auto first = claim("k1");
    const auto& id = first.workspace;
    write_text(stage_->agent.home_of(id) + "/notes", "first");
    stop(id);
    const auto confirmed = stage_->workspace(id)->archive;

    const auto second = claim("k2");
    ASSERT_EQ(second.host, HostId{"h-1"});
    const auto slot = stage_->workspace(id)->slot;
    EXPECT_EQ(read_text(stage_->agent.home_of(id) + "/notes"), "first");
    write_text(stage_->agent.home_of(id) + "/notes", "second");
    {
        std::ifstream random("/dev/urandom", std::ios::binary);
        std::ofstream large(stage_->agent.home_of(id) + "/large", std::ios::binary);
        std::string part(1 << 20, '\0');
        for (int i = 0; i < 400; ++i) {
            random.read(part.data(), static_cast<std::streamsize>(part.size()));
            large << part;
        }
    }
    ASSERT_TRUE(stage_->release(id));
    ASSERT_TRUE(eventually([&] {
        const auto seen = stage_->report(slot);
        return seen && seen->home && seen->home->step == HomeStep::saving && seen->home->bytes > 0;
    }, Duration{60'000})) << stage_->agent.log();
    const auto progress = stage_->report(slot)->home;
    EXPECT_GT(progress->bytes_total, 400U << 20) << "how much there is to do is said";
    lose_power(slot);
    EXPECT_EQ(stage_->workspace(id)->state, WorkspaceState::stopping) << "nobody calls that slot free";

    ASSERT_TRUE(other_->start()) << other_->log();
    ASSERT_TRUE(scaler_->ask(GoneRequest{ref("h-1"), "a test"}));
    bool lost = false;
    for (const auto& record : facts_of(id)) {
        if (!std::holds_alternative<HomeLost>(record.fact)) continue;
        lost = true;
        EXPECT_THAT(record.reason.why(), HasSubstr(to_rfc3339(confirmed->at)));
    }
    EXPECT_TRUE(lost) << "`berth why` says it";
    const auto third = claim("k3");
    EXPECT_EQ(third.host, HostId{"h-2"});
    EXPECT_EQ(read_text(other_->home_of(id) + "/notes"), "first");
    EXPECT_FALSE(files::exists(other_->home_of(id) + "/large"));
    EXPECT_EQ(stage_->workspace(id)->archive, confirmed);
}

TEST_F(Homes, an_agent_that_dies_in_a_save_saves_all_of_it_in_its_next_life) {
    const auto first = claim("k1");
    const auto& id = first.workspace;
    const auto slot = stage_->workspace(id)->slot;
    write_text(stage_->agent.home_of(id) + "/notes", "mine");
    ASSERT_TRUE(stage_->release(id));
    ASSERT_TRUE(eventually([&] {
        const auto seen = stage_->report(slot);
        return seen && seen->home;
    }));
    stage_->agent.process().kill();
    ASSERT_TRUE(stage_->agent.start()) << stage_->agent.log();
    ASSERT_TRUE(stage_->until_state(id, WorkspaceState::stopped, Duration{60'000})) << stage_->agent.log();
    claim("k2");
    EXPECT_EQ(read_text(stage_->agent.home_of(id) + "/notes"), "mine");
}

TEST_F(Homes, another_password_is_said_and_nothing_lands_until_it_is_mended) {
    const auto first = claim("k1");
    write_text(stage_->agent.home_of(first.workspace) + "/notes", "mine");
    write_text(shelf_ + "/home-password", "wrong\n");
    ASSERT_TRUE(stage_->release(first.workspace));
    ASSERT_TRUE(eventually([&] { return host("h-1") && host("h-1")->impaired; }, Duration{60'000})) << stage_->agent.log();
    EXPECT_THAT(*host("h-1")->impaired, HasSubstr("has another password than " + shelf_ + "/home-password holds"));
    EXPECT_THAT(stage_->agent.log(), HasSubstr("has another password than"));
    EXPECT_EQ(stage_->workspace(first.workspace)->state, WorkspaceState::stopping);
    write_text(shelf_ + "/home-password", "correct horse\n");
    ASSERT_TRUE(stage_->until_state(first.workspace, WorkspaceState::stopped, Duration{60'000})) << stage_->agent.log();
    ASSERT_TRUE(eventually([&] { return !host("h-1")->impaired; }, Duration{60'000}));
    claim("k2");
    EXPECT_EQ(read_text(stage_->agent.home_of(first.workspace) + "/notes"), "mine");
}

TEST_F(Homes, who_wants_it_archived_now_has_it_and_gets_it_back_from_then) {
    const auto first = claim("k1");
    const auto& id = first.workspace;
    write_text(stage_->agent.home_of(id) + "/notes", "early");
    ASSERT_TRUE(stage_->robot.ask(SaveHomeRequest{.target = {id}}));
    ASSERT_TRUE(eventually([&] { return stage_->workspace(id)->archive.has_value(); }, Duration{30'000})) << stage_->agent.log();
    const auto early = *stage_->workspace(id)->archive;
    EXPECT_FALSE(early.last);
    EXPECT_EQ(stage_->workspace(id)->state, WorkspaceState::active);
    write_text(stage_->agent.home_of(id) + "/notes", "late");
    stop(id);
    EXPECT_NE(stage_->workspace(id)->archive->snapshot, early.snapshot);
    ASSERT_TRUE(stage_->robot.ask(ChooseHomeRequest{.target = {id}, .archive = early}));
    claim("k2");
    EXPECT_EQ(read_text(stage_->agent.home_of(id) + "/notes"), "early");
}

TEST_F(Homes, a_notice_that_the_machine_ends_empties_it) {
    const auto first = claim("k1");
    write_text(stage_->agent.home_of(first.workspace) + "/notes", "mine");
    write_text(stage_->agent.folder() + "/end_notice", to_rfc3339(RealClock{}.now()) + "\nthe power fails\n");
    ASSERT_TRUE(stage_->until_state(first.workspace, WorkspaceState::stopped, Duration{60'000})) << stage_->agent.log();
    const auto seen = host("h-1");
    EXPECT_EQ(seen->admission, Admission::cordoned);
    EXPECT_THAT(seen->leaving->why, HasSubstr("the power fails"));
    ASSERT_TRUE(other_->start()) << other_->log();
    EXPECT_EQ(claim("k2").host, HostId{"h-2"});
    EXPECT_EQ(read_text(other_->home_of(first.workspace) + "/notes"), "mine");
}

}  // namespace
}  // namespace berth::testing
