// SPDX-License-Identifier: Apache-2.0
// Bounds on what may arrive (I24): each one is a number in policy.hpp, an explicit refusal and a counter.
// And mutated messages, which must never do more than be refused.
#include "base/rng.hpp"
#include "broker/glance.hpp"
#include "tests/unit/broker/desk.hpp"

namespace berth::broker {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

std::string why(const std::string& bytes) {
    const auto seen = glance(bytes);
    return seen ? "sound" : seen.error().text;
}
std::string text(const std::string& value) {           // msgpack str 32
    std::string out = "\xdb";
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value.size() >> shift);
    return out + value;
}
std::string with_id(const std::string& more, int entries = 1) {
    return static_cast<char>(0x80 + 1 + entries) + text("id") + text("x") + more;
}

TEST(glance, sees_id_and_deadline_wherever_they_stand) {
    const auto bytes = "\x83"s + text("data") + "\x81"s + text("id") + text("inner") + text("deadline") +
                       text("1970-01-01T00:00:02Z") + text("id") + text("outer");
    const auto seen = glance(bytes);
    ASSERT_TRUE(seen) << seen.error().text;
    EXPECT_EQ(seen->id, "outer");
    EXPECT_EQ(seen->deadline, Instant{Duration{2'000}});
    EXPECT_EQ(seen->time, std::nullopt);
    EXPECT_EQ(glance(with_id(text("time") + text("1970-01-01T00:00:01Z") + text("deadline") + text("1970-01-01T00:00:02Z"), 2))->time,
              Instant{Duration{1'000}});
}

TEST(glance, refuses_what_is_no_envelope) {
    EXPECT_THAT(why(""), HasSubstr("ends too early"));
    EXPECT_THAT(why("\x81"s), HasSubstr("ends too early"));
    EXPECT_THAT(why("\xc1"s), HasSubstr("not msgpack"));
    for (const auto& bytes : {"\x01"s, "\x90"s, "\xc0"s, "\xcb\0\0\0\0\0\0\0\0"s, text("id")}) {
        EXPECT_THAT(why(bytes), HasSubstr("an envelope is a map"));
    }
    EXPECT_THAT(why("\x80"s), HasSubstr("an id has 1 to 512"));
    EXPECT_THAT(why("\x81\x01\x02"s), HasSubstr("a key is not text"));
    EXPECT_THAT(why("\x81\x90\x02"s), HasSubstr("a key is not text"));
    EXPECT_THAT(why("\x81"s + text("id") + "\x05"s), HasSubstr("id and deadline are text"));
    EXPECT_THAT(why("\x82"s + text("id") + text("a") + text("id") + text("b")), HasSubstr("stands twice"));
    EXPECT_THAT(why(with_id(text("deadline") + text("tomorrow"))), Not(HasSubstr("sound")));
    EXPECT_THAT(why(with_id(text("time") + text("today") + text("deadline") + text("1970-01-01T00:00:02Z"), 2)), Not(HasSubstr("sound")));
    EXPECT_THAT(why(with_id("", 0) + "\xc0"s), HasSubstr("bytes follow"));
    EXPECT_EQ(why(with_id("", 0)), "sound");
}

TEST(glance, an_id_is_short_and_printable) {
    EXPECT_EQ(why("\x81"s + text("id") + text(std::string(id_bytes_max, 'x'))), "sound");
    EXPECT_THAT(why("\x81"s + text("id") + text(std::string(id_bytes_max + 1, 'x'))), HasSubstr("an id has"));
    for (const auto& id : {"a b"s, "a\n"s, "\0"s, "\xc3\xa4"s, "\x7f"s}) {
        EXPECT_THAT(why("\x81"s + text("id") + text(id)), HasSubstr("printable"));
    }
}

TEST(glance, bounds_depth_and_items_before_anything_is_allocated) {
    const auto nested = [](std::size_t depth) { return with_id(text("d") + std::string(depth, '\x91') + "\x01"s); };
    EXPECT_EQ(why(nested(depth_max - 1)), "sound");
    EXPECT_THAT(why(nested(depth_max)), HasSubstr("too deep"));
    EXPECT_THAT(why(nested(100'000)), HasSubstr("too deep"));
    // Five bytes that promise four milliard items.
    EXPECT_THAT(why(with_id(text("d") + "\xdd\xff\xff\xff\xff"s)), HasSubstr("too many items"));
    EXPECT_THAT(why("\xdf\xff\xff\xff\xff"s), HasSubstr("too many items"));
    EXPECT_EQ(why(with_id(text("d") + "\xdc\x20\x00"s + std::string(items_max, '\x01'))), "sound");
    EXPECT_THAT(why(with_id(text("d") + "\xdc\x20\x01"s + std::string(items_max + 1, '\x01'))), HasSubstr("too many items"));
    EXPECT_THAT(why(with_id(text("d") + "\xdb\xff\xff\xff\xff"s)), HasSubstr("ends too early"));
}

TEST(bounds, of_topic_envelope_and_frames) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sound = encode_envelope(desk.envelope(desk.robot, "allocator.claim"));
    EXPECT_EQ(only<Dropped>(desk.give(desk.robot, std::string(topic_bytes_max + 1, 'a'), sound)).why, Count::oversized);
    EXPECT_EQ(only<Dropped>(desk.give(desk.robot, "allocator.claim.", Bytes(envelope_bytes_max + 1, 'x'))).why, Count::oversized);
    EXPECT_EQ(only<Dropped>(desk.give(desk.robot, "allocator.claim.", "junk")).why, Count::malformed);
    for (const std::size_t frames : {0U, 1U, 3U, 4U}) {
        Arrival arrival{.sender = desk.robot, .route = route_of("robot"), .frames = frames, .topic = "allocator.claim.",
                        .envelope = sound};
        EXPECT_EQ(only<Dropped>(step(desk.state, arrival, desk.now)).why, Count::malformed) << frames;
    }
    Arrival two{.sender = desk.allocator, .route = route_of("allocator"), .frames = 2, .topic = reply_topic, .envelope = sound};
    EXPECT_EQ(only<Dropped>(step(desk.state, two, desk.now)).why, Count::malformed) << "a reply has three frames";
    EXPECT_TRUE(desk.state.pending.empty());
}

TEST(bounds, a_malformed_topic_is_answered_because_its_id_is_known) {
    Desk desk;
    for (const auto* topic : {"", ".", "..", "allocator", "allocator.claim", "allocator..", ".claim.", "a.b.c.d.",
                              "allocator.claim.h 1.", "allocator.cl*im.", "allocator.claim.\xff."}) {
        const auto out = desk.give(desk.robot, topic, encode_envelope(desk.envelope(desk.robot, "allocator.claim")));
        EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::invalid) << topic;
        EXPECT_EQ(only<Refusal>(out).request_id, desk.last_id);
    }
}

TEST(bounds, mutated_messages_are_refused_or_passed_and_nothing_else) {
    Rng rng(20261121);
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    auto sample = desk.envelope(desk.robot, "allocator.claim",
                                encode(ClaimRequest{.key = {"k"}, .user = {"ada"}, .project = {"site"}, .pool = PoolName{"p"}}));
    sample.deadline = desk.now + Duration{1'000};
    sample.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto sound = encode_envelope(sample);
    std::size_t passed = 0;
    for (int i = 0; i < 40'000; ++i) {
        auto bytes = sound;
        for (std::uint64_t k = 0, n = 1 + rng.below(4); k < n; ++k) {
            switch (rng.below(5)) {
                case 0: bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256)); break;
                case 1: bytes[rng.below(bytes.size())] ^= static_cast<char>(1U << rng.below(8)); break;
                case 2: bytes.resize(1 + rng.below(bytes.size())); break;
                case 3: bytes.insert(rng.below(bytes.size()), 1, static_cast<char>(rng.below(256))); break;
                default: bytes.insert(rng.below(bytes.size()), "\xdf\xff\xff\xff\xff"); break;
            }
        }
        const auto out = desk.give(desk.robot, "allocator.claim.", bytes);
        ASSERT_FALSE(out.empty());
        for (const auto& sent : all<ToPeer>(out)) {
            ++passed;
            desk.reply(desk.allocator, sent.stamp.tag);
        }
        ASSERT_TRUE(desk.state.pending.empty());
    }
    EXPECT_GT(passed, 100U) << "what changes data only is not the broker's business";
    EXPECT_GT(desk.counted(Count::malformed), 1'000U);
}

}  // namespace
}  // namespace berth::broker
