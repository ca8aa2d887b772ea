// SPDX-License-Identifier: Apache-2.0
// Faults that users of such systems reported, met with the command line.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/gateway/command_line.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CliReports : public CommandLine {
protected:
    explicit CliReports(const std::string& more = "") : CommandLine(more) {}
    std::string write_program(const std::string& name, const std::string& script) {
        const auto path = cluster.state() + "/" + name;
        std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
        ::chmod(path.c_str(), 0700);
        return path;
    }
    std::size_t pages() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(cluster.state())) {
            count += entry.path().filename().string().starts_with("berth-open-") ? 1U : 0U;
        }
        return count;
    }
};

TEST_F(CliReports, output_that_can_not_be_written_is_an_error_and_a_closed_pipe_is_quiet_30) {
    for (const std::string words : {"list -o json", "hosts", "--help", "completion bash", "--version"}) {
        const auto full = shell("$BERTH " + words + " >/dev/full");
        EXPECT_EQ(full.exit, 1) << words;
        EXPECT_THAT(full.text, HasSubstr("cannot write the output: No space left on device")) << words;
        EXPECT_EQ(std::count(full.text.begin(), full.text.end(), '\n'), 1) << full.text;
    }
    const auto closed = shell("$BERTH list >&-");
    EXPECT_EQ(closed.exit, 1);
    EXPECT_THAT(closed.text, HasSubstr("cannot write the output"));
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto pipe = shell("($BERTH tap --from 0 -o json 2>" + cluster.state() + "/said; echo \"rc $?\" >&2) | head -n 1 >/dev/null");
    EXPECT_EQ(pipe.text, "rc 1\n") << "it ends";
    EXPECT_EQ(read_text(cluster.state() + "/said"), "") << "who reads one line of a stream has read enough";
}

TEST_F(CliReports, what_comes_from_the_environment_is_trimmed_or_refused_by_name_29) {
    const auto url = "http://127.0.0.1:" + std::to_string(port());
    const auto with = [&](const std::string& set) { return shell("cr=$(printf '\\r'); bom=$(printf '\\357\\273\\277'); export " + set + "; $BERTH list"); };
    for (const std::string& set : {"BERTH_TOKEN=\"" + token() + "$cr\"", "BERTH_TOKEN=\"$bom  " + token() + " \"", "BERTH_URL=\"" + url + "$cr\"",
                                  "BERTH_STATE=\"x$cr\" BERTH_URL=\" " + url + "/ \""}) {
        const auto said = with(set);
        EXPECT_EQ(said.exit, 0) << said.text;
    }
    write_text(cluster.state() + "/crlf-token", "\xEF\xBB\xBF" + token() + "\r\n");
    EXPECT_EQ(berth({"--token-file", cluster.state() + "/crlf-token", "list"}).exit, 0);
    for (const auto& [set, name] : {std::pair{"BERTH_TOKEN=\"be${cr}rth\"", "BERTH_TOKEN"}, {"BERTH_TOKEN='\xE2\x80\x9C" "berth_abc\xE2\x80\x9D'", "BERTH_TOKEN"},
                                    {"BERTH_URL='http://a b'", "BERTH_URL"}}) {
        const auto said = with(set);
        EXPECT_EQ(said.exit, 2) << said.text;
        EXPECT_THAT(said.text, HasSubstr(name));
        EXPECT_THAT(said.text, Not(HasSubstr("abc"))) << "I30";
    }
}

TEST_F(CliReports, a_start_waits_as_a_claim_does_and_ends_with_its_wait_16) {
    const auto id = stopped_workspace("later");
    for (int i = 0; i < 4; ++i) ASSERT_EQ(claim("bob", "p" + std::to_string(i), "k" + std::to_string(i)).status, 201);
    const auto queued = berth({"start", id, "--no-wait", "-o", "json"});
    EXPECT_EQ(queued.exit, 0);
    EXPECT_EQ(queued.json["waiting"]["place"], 1) << queued.text;
    host->stopped.clear();
    const auto first = get("/v1/workspaces?user=bob&state=active").json["workspaces"][0]["workspace"].get<std::string>();
    post("/v1/workspaces/" + first + "/stop", Json::object());
    settle(first, "stopped");
    ASSERT_TRUE(eventually([&] { return get("/v1/workspaces/" + id).json["state"] == "active"; }));
    host->stopped.clear();
    post("/v1/workspaces/" + id + "/stop", Json::object());
    settle(id, "stopped");
    ASSERT_EQ(claim("bob", "p4", "k4").status, 201);
    const auto waited = berth({"start", id, "--wait", "3s"});
    EXPECT_EQ(waited.exit, 3) << waited.text;
    EXPECT_THAT(waited.text, HasSubstr("1st in line"));
    EXPECT_THAT(waited.text, HasSubstr("no slot became free in pool default within 3s"));
    EXPECT_THAT(waited.text, HasSubstr("does not start later by itself"));
    host->stopped.clear();
    const auto other = get("/v1/workspaces?user=bob&state=active").json["workspaces"][0]["workspace"].get<std::string>();
    post("/v1/workspaces/" + other + "/stop", Json::object());
    settle(other, "stopped");
    EXPECT_EQ(get("/v1/workspaces/" + id).json["state"], "stopped") << "no surprise";
    const auto started = berth({"start", id});
    EXPECT_EQ(started.exit, 0) << started.text;
    EXPECT_THAT(started.text, HasSubstr("active"));
    EXPECT_EQ(berth({"start", id}).exit, 0) << "it runs";
}

TEST_F(CliReports, a_key_whose_outcome_is_over_opens_nothing_15) {
    ASSERT_EQ(berth({"claim", "web", "--user", "ada", "--idempotency-key", "k-1"}).exit, 0);
    const auto id = get("/v1/workspaces").json["workspaces"][0]["workspace"].get<std::string>();
    post("/v1/workspaces/" + id + "/stop", Json::object());
    settle(id, "stopped");
    const auto again = berth({"claim", "web", "--user", "ada", "--idempotency-key", "k-1", "--open"});
    EXPECT_EQ(again.exit, 6) << again.text;
    EXPECT_THAT(again.text, HasSubstr("berth start " + id));
    EXPECT_THAT(again.text, Not(HasSubstr("opening")));
    EXPECT_THAT(again.text, Not(HasSubstr("  ready")));
}

TEST_F(CliReports, a_claim_outlives_its_gateway_17) {
    host->answers_binds = false;          // the claim waits
    const auto said = shell("$BERTH claim web --user ada --wait 30s", [&] {
        EXPECT_TRUE(eventually([&] { return !host->bound.empty(); }));
        cluster.process("gateway").kill();
        cluster.start("gateway");
        host->answer_held_binds();
    });
    EXPECT_EQ(said.exit, 0) << said.text;
    EXPECT_THAT(said.text, HasSubstr("asking again by the claim's key"));
    restart_gateway();                    // at a port that this test knows
    EXPECT_EQ(get("/v1/claims").json["claims"].size(), 1U) << "one claim";
    cluster.process("gateway").kill();
    const auto none = berth({"claim", "web", "--user", "ada", "--wait", "30s"});
    EXPECT_EQ(none.exit, 1) << "a gateway that was never there is not waited for";
    EXPECT_THAT(none.text, HasSubstr("no gateway answers"));
    cluster.start("gateway");
}

TEST_F(CliReports, a_length_that_is_asked_for_is_met_or_told_of_N5) {
    ASSERT_EQ(berth({"claim", "web", "--user", "ada", "--ttl", "1h"}).exit, 0);
    const auto longer = berth({"claim", "web", "--user", "ada", "--ttl", "5h", "-o", "json"});
    EXPECT_EQ(longer.exit, 0);
    EXPECT_THAT(longer.text, Not(HasSubstr("asked for")));
    const auto until = from_rfc3339(get("/v1/workspaces").json["workspaces"][0]["expires_at"].get<std::string>());
    EXPECT_GT(*until - RealClock{}.now(), Duration{290 * 60'000});
    EXPECT_THAT(berth({"claim", "web", "--user", "ada", "--ttl", "1h"}).text, HasSubstr("never shortened"));
    EXPECT_THAT(berth({"claim", "web", "--user", "ada", "--ttl", "300d"}).text, HasSubstr("as long as its pool gives"));
}

TEST_F(CliReports, a_browser_that_failed_is_said_and_the_link_is_printed_32_N9) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto open = [&](const std::string& browser) {
        return shell("export XDG_RUNTIME_DIR=" + cluster.state() + " BROWSER='" + browser + "'; $BERTH open web --user ada");
    };
    const auto none = open("/nonexistent");
    EXPECT_EQ(none.exit, 1);
    EXPECT_THAT(none.text, HasSubstr("cannot start /nonexistent: No such file or directory"));
    EXPECT_THAT(none.text, HasSubstr("/_berth/open?token="));
    const auto bad = open(write_program("bad", "exit 3"));
    EXPECT_EQ(bad.exit, 1);
    EXPECT_THAT(bad.text, HasSubstr("failed (exit 3)"));
    EXPECT_EQ(pages(), 0U) << "nobody will read it";
    const auto good = open("/nonexistent:" + write_program("good", "cat \"${2#file://}\" >>" + cluster.state() + "/seen") + " --new %s");
    EXPECT_EQ(good.exit, 0) << good.text;
    EXPECT_THAT(good.text, HasSubstr("/_berth/open?token="));
    EXPECT_THAT(read_text(cluster.state() + "/seen"), HasSubstr("/_berth/open?token="));
    EXPECT_TRUE(eventually([&] { return pages() == 0; })) << "it was read: it is gone";
}

class FullDiskCli : public CliReports {
protected:
    FullDiskCli() : CliReports("[ledger]\nballast_mib = 100000000\ntidy_every = \"200ms\"\n") {}
};

TEST_F(FullDiskCli, a_reason_is_said_at_once_N1) {
    ASSERT_TRUE(eventually([&] { return get("/health").json["status"] == "degraded"; }));
    const auto begun = RealClock{}.now();
    const auto said = berth({"claim", "web", "--user", "ada", "--wait", "30s"});
    EXPECT_EQ(said.exit, 1);
    EXPECT_THAT(said.text, HasSubstr("disk is full"));
    EXPECT_THAT(said.text, Not(HasSubstr("goes on")));
    EXPECT_LT(RealClock{}.now() - begun, Duration{8'000});
}

}  // namespace
}  // namespace berth::testing
