// SPDX-License-Identifier: Apache-2.0
// A ledger on any store. One row per group commit, so that a round of many claims is one row and one write;
// each row carries a CRC32C and the hash of the row before it (I20). What `berth why` looks up by is indexed
// in idle gaps, never while a claim waits.
//
// On a shared store a thread of its own writes, keeps snapshots and indexes, and the loop goes on meanwhile.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "allocator/ledger.hpp"
#include "allocator/ledger/store.hpp"
#include "bus/loop.hpp"

namespace berth::allocator {

class StoredLedger final : public Ledger {
public:
    struct Plan {
        bus::Loop* loop = nullptr;        // none: each call is done when it returns, as the commands need it
        std::string cluster;              // whose ledger it is, on a shared store; empty: not compared
        std::string seen_file;            // what is remembered of a shared store (seen.hpp); empty: nothing
        bool serves = false;              // then a store that holds less than was seen, or was moved away, is refused
    };
    static Result<std::unique_ptr<StoredLedger>> open(std::unique_ptr<Store> store, Plan plan);
    static Result<std::unique_ptr<StoredLedger>> open(std::unique_ptr<Store> store) { return open(std::move(store), Plan{}); }
    ~StoredLedger() override;

    const std::string& id() const override { return id_; }
    Position head() const override { return head_; }
    bool exclusive() const override { return store_->kind() == StoreKind::exclusive; }
    void append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) override;
    Result<std::vector<FactRecord>> read(Position from, std::uint32_t limit) override;
    Result<std::vector<FactRecord>> read_about(const std::string& subject, Position from, std::uint32_t limit) override;
    Result<void> save_snapshot(const View& view) override;
    Result<std::optional<View>> load_snapshot() override;
    Result<Storage> tidy() override;
    Result<Position> verify() override;
    Result<void> adopt_id(const std::string& id) override;
    Result<void> go_on_as(const FactRecord& fact) override;

    const std::string& name() const { return store_->name(); }
    /// What others wrote since it was opened is seen from now on. corrupt: less is there than was.
    Result<void> refresh();
    /// What who serves says in the store of itself (standby.hpp); empty: nobody.
    Result<std::string> leader_beat();
    /// Of this life, which is told by it.
    const std::string& writer() const { return writer_; }
    /// Later, while nothing is appended; the one before that was not written yet is passed over.
    void beat(const std::string& text);
    /// At the end: nobody serves, unless somebody else does.
    void end_beat();
    /// This is no more the ledger, that place is; empty: it is.
    Result<void> set_moved_to(const std::string& place);
    /// Whose it is from now on, whoever had it before.
    Result<void> set_cluster(const std::string& cluster);

private:
    StoredLedger(std::unique_ptr<Store> store, Plan plan);
    Result<void> prepare();
    Result<void> refuse_what_is_less();
    Result<void> refuse_what_was_moved();
    Result<void> remember(Position position);
    Result<std::vector<Row>> rows_of(const std::vector<FactRecord>& facts) const;
    Result<void> put(const std::vector<Row>& rows, Position expected, const std::string& new_id = {});
    Result<std::vector<FactRecord>> facts_of(const Row& row) const;
    Result<std::vector<FactRecord>> read_stored(Position from, std::uint32_t limit, Position last);
    Result<bool> index_some(Position upto);
    void tidy_on_thread();

    void run();

    std::unique_ptr<Store> store_;
    Plan plan_;
    bus::Loop* loop_;
    Position remembered_;                 // of who holds turn_
    std::string writer_;
    std::string id_;
    Position head_;
    std::string chain_;
    Position indexed_;                    // of who holds turn_
    std::mutex turn_;                     // whoever calls the store holds it

    std::mutex mutex_;                    // of what follows
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;   // an append, a snapshot, a tidying and a beat at most
    bool stopping_ = false;
    bool saving_ = false;
    bool tidying_ = false;
    bool beating_ = false;
    Result<Storage> tidied_ = Storage::ample;
    std::optional<Error> snapshot_failed_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::thread thread_;
};

}  // namespace berth::allocator
