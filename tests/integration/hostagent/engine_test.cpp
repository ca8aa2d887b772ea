// SPDX-License-Identifier: Apache-2.0
// The process engine alone, on real processes.
#include "hostagent/engines/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "hostagent/engines/session.hpp"
#include "hostagent/ports.hpp"
#include "http/client.hpp"
#include "os/process.hpp"
#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
namespace files = std::filesystem;

const std::string workspace_program = std::string{BERTH_BIN_DIR} + "/berth-workspace --folder {folder} --port {port}";

struct ProcessEngine : ::testing::Test {
    std::unique_ptr<Engine> engine(const std::string& host, const std::string& command = workspace_program) {
        return make_process_engine({.command = command, .slots_dir = folder / host, .grace = Duration{100}});
    }
    static PrepareOrder order(std::uint32_t slot, const std::string& container, std::uint32_t port) {
        return {.slot = slot, .container = {container}, .port = port, .deadline = Duration{10'000}};
    }
    EngineBind bind(const std::string& container) const {
        return {.slot = 0, .container = {container}, .workspace = {"w-1"}, .epoch = {1}, .user = {"ada"}, .project = {"site"},
                .home = folder / "homes/w-1", .deadline = Duration{5'000}};
    }
    /// A port that nobody listens on; another program may be quicker, as in life.
    std::uint32_t port() {
        const auto listens = [](std::uint32_t at) { return http::get_local(at, "/", Duration{200}).has_value(); };
        auto found = hostagent::take_port(ports_, {});
        while (found && listens(*found)) found = hostagent::take_port(ports_, {});
        return found.value_or(0);
    }
    Folder folder;

private:
    hostagent::PortPool ports_ = hostagent::make_port_pool(29'000, 1'000, folder.path());
};

TEST_F(ProcessEngine, gives_an_environment_once_and_removes_all_but_the_home_I2_I27) {
    const auto one = engine("h");
    const auto at = port();
    ASSERT_TRUE(one->check_ready());
    const auto prepared = one->prepare(order(0, "c-1", at));
    ASSERT_TRUE(prepared) << prepared.error().text;
    EXPECT_FALSE(one->prepare(order(0, "c-2", port()))) << "something stands there";
    ASSERT_TRUE(one->bind(bind("c-1")));
    EXPECT_EQ(one->bind(bind("c-1")).error().kind, ErrorKind::conflict);
    EXPECT_EQ(one->bind(bind("c-2")).error().kind, ErrorKind::not_found);
    write_text(folder / "homes/w-1/notes", "mine");
    const auto found = one->list();
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front(), (FoundContainer{{"c-1"}, 0, at, Health::running}));
    EXPECT_TRUE(one->usage({"c-1"}));
    EXPECT_FALSE(one->usage({"c-2"}));

    EXPECT_TRUE(one->remove({"c-2"}, 0, Duration{5'000})) << "what is not there is removed";
    EXPECT_EQ(one->list()->size(), 1U) << "and nobody else with it";
    ASSERT_TRUE(one->remove({"c-1"}, 0, Duration{5'000}));
    EXPECT_FALSE(files::exists(folder / "h/0"));
    EXPECT_EQ(read_text(folder / "homes/w-1/notes"), "mine");
}

TEST_F(ProcessEngine, asks_all_to_end_and_waits_for_those_that_still_save) {    // field report 6
    const auto command = files::path(folder / "saves").string();
    write_text(command, "#!/bin/bash\n\"$1\" --folder \"$2\" --port \"$3\" &\ntrap 'kill %1; sleep 0.4; echo saved > \"$2/../saved\"; exit' TERM\nwait\n");
    files::permissions(command, files::perms::owner_all);
    const auto one = engine("h", command + " " + std::string{BERTH_BIN_DIR} + "/berth-workspace {folder} {port}");
    ASSERT_TRUE(one->check_ready());
    const auto prepared = one->prepare(order(0, "c-1", port()));
    ASSERT_TRUE(prepared) << prepared.error().text;

    EXPECT_TRUE(one->ask_to_end({"c-1"}, 0, Duration{10'000}));

    EXPECT_EQ(read_text(folder / "h/saved"), "saved\n") << "it was not ended by force";
    EXPECT_TRUE(one->ask_to_end({"c-9"}, 0, Duration{10'000})) << "what is not there has ended";
    EXPECT_TRUE(one->remove({"c-1"}, 0, Duration{5'000}));
}

TEST_F(ProcessEngine, is_not_fooled_by_another_program_that_answers_on_the_port_I25) {
    const auto first = engine("h-1");
    const auto second = engine("h-2");
    ASSERT_TRUE(first->check_ready() && second->check_ready());
    const auto at = port();
    ASSERT_TRUE(first->prepare(order(0, "c-1", at)));
    // The same port, by a command that lives on without ever listening.
    const auto other = engine("h-2", "/bin/sleep 600");
    const auto fooled = other->prepare({.slot = 0, .container = {"c-2"}, .port = at, .deadline = Duration{500}});
    ASSERT_FALSE(fooled) << "the first environment's answer was taken for its own";
    EXPECT_FALSE(second->prepare(order(0, "c-3", at))) << "and one that ends since the port is taken";
    EXPECT_EQ(second->list()->size(), 0U);
    EXPECT_TRUE(first->remove({"c-1"}, 0, Duration{5'000}));
}

TEST_F(ProcessEngine, ends_also_what_left_the_session_I27) {
    // A shell that begins a session of its own and becomes deaf to SIGTERM, beside the real server.
    const auto script = folder / "start";
    write_text(script, "#!/bin/sh\nsetsid sh -c 'trap \"\" TERM; echo $$ > \"$0\"; exec sleep 600' " + (folder / "stray") +
                           " &\nexec " + std::string{BERTH_BIN_DIR} + "/berth-workspace --folder \"$1\" --port \"$2\"\n");
    files::permissions(script, files::perms::owner_all);
    const auto one = engine("h", script + " {folder} {port}");
    ASSERT_TRUE(one->check_ready());
    const auto prepared = one->prepare(order(0, "c-1", port()));
    ASSERT_TRUE(prepared) << prepared.error().text;
    ASSERT_TRUE(eventually([&] { return !read_text(folder / "stray").empty(); }));
    const auto stray = os::mark_of(std::stoi(read_text(folder / "stray")));
    ASSERT_TRUE(stray);
    ASSERT_TRUE(one->remove({"c-1"}, 0, Duration{10'000}));
    EXPECT_FALSE(os::runs(*stray));
}

TEST_F(ProcessEngine, says_which_program_is_missing) {
    const auto ready = engine("h", "/nonexistent/editor --port {port}")->check_ready();
    ASSERT_FALSE(ready);
    EXPECT_THAT(ready.error().text, HasSubstr("/nonexistent/editor"));
    EXPECT_EQ(engine("never")->list()->size(), 0U);
}

}  // namespace
}  // namespace berth::testing
