// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/allocator/ledger_suite.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "allocator/archive.hpp"

namespace berth::allocator {

using ::testing::HasSubstr;

namespace {

/// Fails at its n-th row, as a store that died there; its rows are short, so that a batch has several.
class TornStore final : public Store {
public:
    TornStore(std::unique_ptr<Store> inner, std::size_t rows) : inner_(std::move(inner)), left_(rows) {}
    const std::string& name() const override { return inner_->name(); }
    StoreKind kind() const override { return inner_->kind(); }
    std::size_t row_bytes_max() const override { return 600; }
    Result<std::string> value(const std::string& key) override { return inner_->value(key); }
    Result<void> set_value(const std::string& key, const std::string& value) override { return inner_->set_value(key, value); }
    Result<std::string> first_value(const std::string& key, const std::string& value) override { return inner_->first_value(key, value); }
    Result<std::optional<Tail>> tail() override { return inner_->tail(); }
    Result<void> put(const Row& row, Position expected, const std::string& new_id) override {
        if (left_ == 0) return fail(ErrorKind::unavailable, "the store died");
        --left_;
        return inner_->put(row, expected, new_id);
    }
    Result<void> confirm(Position expected) override { return inner_->confirm(expected); }
    Result<std::vector<Row>> rows(Position from, std::uint32_t limit) override { return inner_->rows(from, limit); }
    Result<void> put_snapshot(const StoredSnapshot& snapshot) override { return inner_->put_snapshot(snapshot); }
    Result<std::vector<StoredSnapshot>> snapshots() override { return inner_->snapshots(); }
    Result<void> index(const std::vector<Subject>& subjects, Position upto) override { return inner_->index(subjects, upto); }
    Result<std::vector<Position>> about(const std::string& subject, Position from, std::uint32_t limit) override {
        return inner_->about(subject, from, limit);
    }
    Result<Storage> tidy() override { return inner_->tidy(); }

private:
    std::unique_ptr<Store> inner_;
    std::size_t left_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> StorePlace::open() {
    auto store = TRY(open_store());
    return TRY(StoredLedger::open(std::move(store)));
}

Result<void> StorePlace::append_torn(const std::vector<FactRecord>& facts, Position expected, std::size_t rows) {
    auto store = TRY(open_store());
    auto ledger = TRY(StoredLedger::open(std::make_unique<TornStore>(std::move(store), rows)));
    return append_now(*ledger, facts, expected);
}

std::unique_ptr<Ledger> LedgerSuite::open() {
    auto ledger = place_->open();
    if (!ledger) throw std::runtime_error(ledger.error().text);
    return std::move(*ledger);
}

TEST_P(LedgerSuite, GivesBackInOrderWhatWasAppendedAfterItIsOpenedAgain) {
    std::string id;
    {
        auto ledger = open();
        id = ledger->id();
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
        ASSERT_TRUE(append_now(*ledger, facts_at(4, 9), {3}));
    }
    auto ledger = open();
    EXPECT_EQ(ledger->id(), id);
    EXPECT_EQ(ledger->head().value, 9U);
    EXPECT_EQ(*ledger->read({1}, 100), facts_at(1, 9));
    EXPECT_EQ(*ledger->read({5}, 2), facts_at(5, 6)) << "from the middle of a row";
    EXPECT_EQ(*ledger->read({2}, 4), facts_at(2, 5)) << "over the border of two";
    EXPECT_TRUE(ledger->read({10}, 4)->empty());
    EXPECT_EQ(ledger->verify()->value, 9U);
    EXPECT_TRUE(ledger->tidy());
}

TEST_P(LedgerSuite, IsFencedByTheExpectedPositionI4) {
    auto ledger = open();
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    const auto late = append_now(*ledger, facts_at(3, 3), {2});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::fenced);
    EXPECT_EQ(ledger->head().value, 3U);
    EXPECT_TRUE(append_now(*ledger, {}, {3})) << "nothing is appended, and the head is confirmed";
}

TEST_P(LedgerSuite, ASecondWriterIsRefusedAtTheLatestAtItsFirstAppendI4) {
    auto first = open();
    ASSERT_TRUE(append_now(*first, facts_at(1, 3), {0}));
    auto second = place_->open();
    if (first->exclusive()) {
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, ErrorKind::conflict) << second.error().text;
        return;
    }
    ASSERT_TRUE(second) << second.error().text;
    ASSERT_TRUE(append_now(**second, {fact_at(4, "q")}, {3}));
    const auto answer = append_now(*first, {}, {3});
    ASSERT_FALSE(answer) << "an answer that appends nothing would be one of the past";
    EXPECT_EQ(answer.error().kind, ErrorKind::fenced);
    const auto late = append_now(*first, facts_at(4, 5), {3});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::fenced);
    EXPECT_EQ((*second)->read({4}, 10)->front(), fact_at(4, "q"));
    EXPECT_EQ(open()->head().value, 4U);
}

TEST_P(LedgerSuite, OfATornBatchAPrefixStaysAndTheLedgerGoesOn) {
    ASSERT_TRUE(append_now(*open(), facts_at(1, 2), {0}));
    EXPECT_FALSE(place_->append_torn(facts_at(3, 42), {2}, 2));

    auto ledger = open();
    const auto head = ledger->head().value;
    EXPECT_GT(head, 2U);
    EXPECT_LT(head, 42U);
    EXPECT_EQ(*ledger->read({1}, 100), facts_at(1, head));
    ASSERT_TRUE(append_now(*ledger, facts_at(head + 1, head + 5), {head}));
    EXPECT_EQ(ledger->verify()->value, head + 5);
}

TEST_P(LedgerSuite, KeepsALargeBatchWholeAndInOrder) {
    {
        auto ledger = open();
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 3'000), {0}));
        ASSERT_TRUE(append_now(*ledger, facts_at(3'001, 3'001), {3'000}));
    }
    auto ledger = open();
    EXPECT_EQ(*ledger->read({1}, 10'000), facts_at(1, 3'001));
    EXPECT_EQ(*ledger->read({1'999}, 2), facts_at(1'999, 2'000));
    EXPECT_EQ(ledger->verify()->value, 3'001U);
}

TEST_P(LedgerSuite, FindsFactsByWhatTheyAreAbout) {
    auto ledger = open();
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 450), {0}));
    const auto found = ledger->read_about("p321", {1}, 10);
    ASSERT_TRUE(found) << found.error().text;
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front(), fact_at(321));
    EXPECT_TRUE(ledger->read_about("p321", {322}, 10)->empty());
}

TEST_P(LedgerSuite, ReplaysToTheSameStateFromNothingAndFromASnapshotI19) {
    std::uint64_t by_snapshot = 0;
    {
        auto ledger = open();
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 20), {0}));
        ASSERT_TRUE(ledger->save_snapshot(*replay(*ledger)));
        ASSERT_TRUE(append_now(*ledger, facts_at(21, 50), {20}));
        ASSERT_TRUE(ledger->save_snapshot(*replay(*ledger)));
        ASSERT_TRUE(append_now(*ledger, facts_at(51, 60), {50}));
        ASSERT_TRUE(ledger->save_snapshot(*replay(*ledger))) << "of three the last two are kept";
        ASSERT_TRUE(append_now(*ledger, facts_at(61, 90), {60}));
        by_snapshot = state_hash(*replay(*ledger));
    }
    auto ledger = open();
    ASSERT_TRUE(ledger->load_snapshot()->has_value());
    EXPECT_EQ(ledger->load_snapshot()->value().position.value, 60U);
    View by_hand;
    for (const auto& one : facts_at(1, 90)) apply(by_hand, one);
    EXPECT_EQ(by_snapshot, state_hash(by_hand));
    EXPECT_EQ(state_hash(*replay(*ledger)), state_hash(by_hand));
}

TEST_P(LedgerSuite, NamesThePositionOfDamageI20) {
    {
        auto ledger = open();
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 4), {0}));
        ASSERT_TRUE(append_now(*ledger, facts_at(5, 5), {4}));
    }
    place_->damage_row({5});
    auto ledger = open();
    const auto verified = ledger->verify();
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(verified.error().text, HasSubstr("position 5"));
    const auto view = replay(*ledger);
    ASSERT_FALSE(view);
    EXPECT_THAT(view.error().text, HasSubstr("position 5"));
    EXPECT_EQ(ledger->read({1}, 4)->size(), 4U) << "what is whole can still be exported";
}

TEST_P(LedgerSuite, SeesThatHistoryWasRewrittenI20) {
    {
        auto ledger = open();
        for (std::uint64_t at = 1; at <= 6; ++at) ASSERT_TRUE(append_now(*ledger, facts_at(at, at), {at - 1}));
    }
    if (!place_->rewrite_row({4}, {2})) return;
    const auto verified = open()->verify();
    ASSERT_FALSE(verified);
    EXPECT_THAT(verified.error().text, HasSubstr("after position 3"));
}

TEST_P(LedgerSuite, SeesThatFactsAreMissingI20) {
    {
        auto ledger = open();
        for (std::uint64_t at = 1; at <= 6; ++at) ASSERT_TRUE(append_now(*ledger, facts_at(at, at), {at - 1}));
    }
    place_->take_row_away({3});
    const auto verified = open()->verify();
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(verified.error().text, HasSubstr("after position 2"));
}

TEST_P(LedgerSuite, GoesThroughTextIntoAnotherUnchanged) {
    auto from = open();
    ASSERT_TRUE(append_now(*from, facts_at(1, 25), {0}));
    std::stringstream text;
    ASSERT_TRUE(export_ledger(*from, {1}, text));
    const auto other = GetParam().make();
    auto to = *other->open();
    const auto last = import_ledger(*to, text);
    ASSERT_TRUE(last) << last.error().text;
    EXPECT_EQ(to->id(), from->id());
    EXPECT_EQ(*to->read({1}, 100), facts_at(1, 25));
    EXPECT_EQ(state_hash(*replay(*to)), state_hash(*replay(*from)));
    EXPECT_FALSE(to->adopt_id("l-another")) << "it holds facts already";
}

TEST_P(LedgerSuite, AnImportThatHasABadLineKeepsNothing) {
    auto from = open();
    ASSERT_TRUE(append_now(*from, facts_at(1, 3), {0}));
    std::stringstream text;
    ASSERT_TRUE(export_ledger(*from, {1}, text));
    std::stringstream bad(text.str() + "{\"position\":\"4\"}\n");
    const auto other = GetParam().make();
    auto to = *other->open();
    const auto last = import_ledger(*to, bad);
    ASSERT_FALSE(last);
    EXPECT_THAT(last.error().text, HasSubstr("line 5"));
    EXPECT_EQ(to->head().value, 0U);
}

TEST_P(LedgerSuite, AnOldCopyGoesOnAsAnotherLedgerF16) {
    const Instant now{Duration{1'800'000'000'000}};
    std::string id, text;
    {
        auto ledger = open();
        ASSERT_TRUE(append_now(*ledger, {{{1}, {1}, {}, TookOver{ledger->id(), "1"}, Reason{"a test", "test", "1"}, ""}}, {0}));
        ASSERT_TRUE(append_now(*ledger, facts_at(2, 5), {1}));
        ASSERT_TRUE(ledger->save_snapshot(*replay(*ledger)));
        const auto before = ledger->id();
        const auto fact = recover_ledger(*ledger, now);
        ASSERT_TRUE(fact) << fact.error().text;
        id = ledger->id();
        EXPECT_NE(id, before);
        EXPECT_EQ(fact->position.value, 1'800'000'000'000U);
        ASSERT_TRUE(append_now(*ledger, {{{fact->position.value + 1}, {fact->position.value + 1}, {}, TookOver{id, "1"}, Reason{"a test", "test", "1"}, ""}},
                               ledger->head()));
        std::ostringstream exported;
        ASSERT_TRUE(export_ledger(*ledger, {1}, exported));
        text = exported.str();
    }
    auto ledger = open();
    EXPECT_EQ(ledger->id(), id) << "also when it is opened again";
    EXPECT_TRUE(ledger->verify()) << "the chain goes through";
    const auto view = replay(*ledger);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->ledger, id);
    EXPECT_EQ(begin_of(view->term).value, 1'800'000'000'001U);
    EXPECT_EQ(recover_ledger(*ledger, Instant{})->position.value, 1'800'000'000'002U) << "a clock that went back does no harm";

    const auto another = GetParam().make();
    auto other = *another->open();
    std::istringstream from(text);
    ASSERT_TRUE(import_ledger(*other, from));
    EXPECT_EQ(other->id(), id);
    EXPECT_TRUE(other->verify());
    EXPECT_EQ(other->read({1}, 100)->size(), 7U);

    EXPECT_FALSE(recover_ledger(*other, Instant{Duration{1LL << 44}})) << "terms would overflow";
    EXPECT_EQ(other->id(), id);

    const auto third = GetParam().make();
    EXPECT_FALSE(recover_ledger(**third->open(), now)) << "it is empty";
}

}  // namespace berth::allocator
