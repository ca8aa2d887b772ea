// SPDX-License-Identifier: Apache-2.0
// The host agent's shell: bus, engine calls on worker threads, the local memory, the proxy's
// supervision. It asks step.cpp what to do and does it in one order: persist (one durable
// transaction) → engine operations → replies → publish. When the memory cannot be written it stops
// at once: the next life recovers from what is on disk.
//
//   begin ─► recovering (engine ready? what runs?) ─► waiting for the proxy's port ─► serving
//                 └──◄── engine not ready: again                     registered with the allocator
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ready_file.hpp"
#include "bus/zmq_endpoint.hpp"
#include "hostagent/activity.hpp"
#include "hostagent/archiver.hpp"
#include "hostagent/end_notice.hpp"
#include "hostagent/load.hpp"
#include "hostagent/proxy_watch.hpp"
#include "hostagent/step.hpp"
#include "hostagent/workers.hpp"
#include "hostkv/local_kv.hpp"

namespace berth::hostagent {

/// What the provider passes, beside the configuration.
struct Place {
    std::string state;                    // the host's own folder
    PoolName pool;
    std::optional<LaunchId> launch;
    std::string instance;
    std::string public_ip;
    std::string private_ip;
};

class Process {
public:
    struct Parts {
        Policy policy;
        ShellPolicy shell;
        Setup setup;
        Place place;
        ProxySetup proxy;
        std::unique_ptr<LocalKv> memory;
        std::unique_ptr<Engine> engine;
        std::unique_ptr<Archiver> archiver;
        std::unique_ptr<CloudNoticeWatch> cloud_notice;   // none: no provider tells when this machine ends
        bus::Connection connection;
    };

    /// Begins at once; serves once the loop runs and the engine and the proxy are there.
    static Result<std::unique_ptr<Process>> open(bus::ZmqLoop& loop, Parts parts, const ReadyFile& ready);

    /// Nothing more is begun; what was begun may go on for so long. False when it still does.
    bool end(Duration patience);
    /// Why the loop was stopped from inside, if it was.
    const std::optional<Error>& failure() const { return failure_; }

private:
    Process(bus::ZmqLoop& loop, Parts parts, const ReadyFile& ready);

    void recover();
    void recovered(Result<std::vector<FoundContainer>> found);
    void look_after_proxy();
    void begin_serving();
    template <class Command>
    void serve();

    void take(const Input& input);
    void carry_out(Decisions decisions);
    void operate(const Operation& operation);
    bool operate_on_home(const Operation& operation);   // false: it is about something else
    OnBytes tell_bytes(std::uint32_t slot, Epoch epoch);
    void look_for_end();
    void show(const Notice& notice);
    void reply(const Reply& one);
    LinkReply mint_link(const LinkWanted& wanted) const;
    void give_up(Error error);

    void register_host();
    void beat_soon();
    void beat();
    void beat_periodically();
    void orders(BeatNumber number, const Result<HostOrders>& answer);

    Reading read(const SlotRecord& record) const;   // on a worker's thread
    using OnSignals = std::function<void(const SlotRecord&, std::vector<Signal>)>;
    void read_one(const SlotRecord& record, OnSignals then);
    void read_all();

    bus::ZmqLoop& loop_;
    Parts parts_;
    const ReadyFile& ready_;
    State state_;
    std::unique_ptr<bus::Endpoint> endpoint_;
    ProxyWatch proxy_;
    LoadReader load_;
    EndNoticeWatch end_notice_;
    std::optional<std::string> home_mark_;
    std::optional<Error> failure_;
    bool recovered_ = false;
    bool serving_ = false;
    bool registered_ = false;
    bool registering_ = false;
    bool beat_wanted_ = false;
    std::uint32_t beats_out_ = 0;
    bus::TimerId next_beat_{};
    Duration beat_period_{0};
    Duration pause_{0};                   // before the next try to register or to recover
    std::string complaint_;               // of the allocator, said once
    CallerId callers_ = 0;
    std::map<CallerId, bus::Responder> waiting_;
    UseMemories uses_;
    HostActivity activity_;               // of the round under way
    std::size_t readings_out_ = 0;
    std::unique_ptr<Workers> home_workers_;   // a save may take minutes: nothing else waits for it
    std::unique_ptr<Workers> workers_;    // last: its threads end before what they use
};

}  // namespace berth::hostagent
