// SPDX-License-Identifier: Apache-2.0
// The open event streams. Each is replaying (facts are read from the ledger, page by page, as fast
// as its reader takes them) or live. When facts were missed, live streams replay what was missed: a
// reader sees every fact once, in order, or is told of a gap.
//
//   opened ──(from a position)──► replaying ──(caught up)──► live ──(facts were missed)──► replaying
#pragma once

#include <functional>
#include <map>
#include <string>

#include "gateway/events.hpp"
#include "gateway/server.hpp"

namespace berth::gateway {

class Streams {
public:
    struct Out {
        std::function<void(ClientId, std::string bytes, Tell)> push;
        std::function<void(ClientId, std::string last)> end;
        /// Facts from there; `done` is called once, later, on this thread.
        std::function<void(FactsRequest, std::function<void(Result<FactsReply>)> done)> read;
        std::function<void(std::function<void()>)> later;  // after a pause, to try again
    };

    Streams(const Picture& picture, Out out) : picture_(picture), out_(std::move(out)) {}
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    /// An error when there are too many already.
    Result<void> check_room(const Caller& caller) const;
    void open(ClientId client, StreamWish wish);
    void close(ClientId client);
    void drained(ClientId client);
    /// Of tokens that the picture no longer knows, or that are over.
    void end_without_token(Instant now);

    void on_fact(const FactRecord& record);            // the picture has it already
    void on_delivery(const bus::Delivery& delivery);
    void on_view();                                    // what was known before is void
    void on_heartbeat();

    std::size_t count() const { return streams_.size(); }
    std::uint64_t sent() const { return sent_; }

private:
    struct Stream {
        StreamWish wish;
        Position next;                                 // first position not sent yet
        bool live = false;
        bool asking = false;                           // a page is being read or written
    };
    void replay(ClientId client);
    void take_page(ClientId client, Result<FactsReply> reply);
    void send_fact(ClientId client, Stream& stream, const FactRecord& record, std::string& into);

    const Picture& picture_;
    Out out_;
    std::map<ClientId, Stream> streams_;
    std::string ledger_;
    std::uint64_t sent_ = 0;
};

}  // namespace berth::gateway
