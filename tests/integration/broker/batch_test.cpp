// SPDX-License-Identifier: Apache-2.0
// Several messages in one frame, through the real broker: for who asked for it, each as if it were alone; and
// never for who did not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bus/batch.hpp"
#include "tests/integration/broker/raw_peer.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto orphan = request_name<TerminateOrphanRequest>;

class Batches : public ::testing::Test {
protected:
    Batches() { cluster.start("broker"); }

    /// Frames of the next answer that is a batch, or what came alone instead.
    static std::vector<std::vector<std::string>> next_messages(RawPeer& peer) {
        const auto frames = peer.receive();
        if (!frames) return {};
        if (frames->front() != bus::batch_topic) return {*frames};
        EXPECT_EQ(frames->size(), 2U);
        EXPECT_TRUE(bus::is_batch(frames->at(1)));
        std::vector<std::vector<std::string>> messages;
        std::string_view body = frames->at(1);
        while (const auto parts = bus::next_of_batch(body)) {
            messages.emplace_back(parts->frames.begin(), parts->frames.begin() + static_cast<std::ptrdiff_t>(parts->count));
        }
        return messages;
    }
    std::string two_requests(RawPeer& peer) {
        bus::Batch batch;
        for (const auto name : {orphan, request_name<StopCommand>}) {
            auto envelope = peer.envelope(name, encode(TerminateOrphanRequest{.instance = "i"}));
            batch.add(topic_of(name, name == orphan ? "" : "h-1"), encode_envelope(envelope));
        }
        return batch.body();
    }
    Cluster cluster;
};

TEST_F(Batches, each_message_in_one_is_judged_and_answered_as_if_it_were_alone) {
    RawPeer reaper(cluster, "reaper", Role::reaper);
    ASSERT_TRUE(reaper.send({std::string{bus::batch_topic}, ""}));
    EXPECT_THAT(*reaper.receive(), ::testing::ElementsAre(bus::batch_topic, "")) << "the broker does it too";

    ASSERT_TRUE(reaper.send({std::string{bus::batch_topic}, two_requests(reaper)}));

    std::vector<std::string> errors;
    while (errors.size() < 2) {
        const auto messages = next_messages(reaper);
        ASSERT_FALSE(messages.empty());
        for (const auto& message : messages) {
            ASSERT_EQ(message.size(), 3U);
            errors.push_back(decode_envelope(message[1])->error->text);
        }
    }
    EXPECT_THAT(errors[0], HasSubstr("nobody serves scaler"));
    EXPECT_THAT(errors[1], HasSubstr("may not send host.stop")) << "a role's limits hold within a batch";
}

TEST_F(Batches, who_did_not_ask_for_them_gets_each_message_alone) {
    RawPeer reaper(cluster, "reaper", Role::reaper);
    ASSERT_TRUE(reaper.send({std::string{bus::batch_topic}, two_requests(reaper)}));
    for (int i = 0; i < 2; ++i) {
        const auto frames = reaper.receive();
        ASSERT_TRUE(frames);
        EXPECT_EQ(frames->front(), reply_topic);
    }
}

TEST_F(Batches, a_torn_one_does_nothing_and_is_counted) {
    RawPeer reaper(cluster, "reaper", Role::reaper);
    RawPeer gateway(cluster, "gateway", Role::gateway);
    const auto whole = two_requests(reaper);
    const auto before = counted(gateway, "malformed");
    ASSERT_TRUE(reaper.send({std::string{bus::batch_topic}, whole.substr(0, whole.size() - 1)}));
    EXPECT_TRUE(eventually([&] { return counted(gateway, "malformed") == before + 1; }));
    EXPECT_EQ(counted(gateway, "denied"), 0U);
    EXPECT_EQ(counted(gateway, "unserved"), 0U);
}

TEST_F(Batches, endpoints_ask_for_them_and_lose_nothing) {
    TestPeer scaler(cluster, "scaler", Role::scaler), reaper(cluster, "reaper", Role::reaper);
    std::size_t largest = 0, served = 0;
    scaler.endpoint().serve<TerminateOrphanRequest>([&](TerminateOrphanRequest body, const bus::Delivery&, bus::Responder to) {
        ++served;
        largest = std::max(largest, body.instance.size());
        to.reply(Done{.count = static_cast<std::uint32_t>(body.instance.size())});
    });
    std::thread serving([&] { scaler.loop().run(); });
    ASSERT_TRUE(reaper.until([&] { return reaper.ask(TerminateOrphanRequest{.instance = "i"}, Duration{500}).has_value(); }));
    // Of all sizes around what travels together, in one round, and in order.
    std::vector<std::uint32_t> answered, asked;
    for (std::uint32_t i = 0; i < 3'000; ++i) {
        asked.push_back(i % 500 == 7 ? 40'000 + i : i % 100);
        reaper.endpoint().request<TerminateOrphanRequest>({.instance = std::string(asked.back(), 'x')}, Duration{20'000},
                                                          [&](const Result<Done>& done) { answered.push_back(done ? done->count : ~0U); });
    }
    EXPECT_TRUE(reaper.until([&] { return answered.size() == asked.size(); }, Duration{20'000}));
    scaler.loop().stop();
    serving.join();
    EXPECT_EQ(answered, asked);
    EXPECT_GT(largest, 40'000U);
    EXPECT_GE(served, asked.size());
}

}  // namespace
}  // namespace berth::testing
