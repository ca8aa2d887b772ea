// SPDX-License-Identifier: Apache-2.0
#include "hostagent/process.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "hostagent/home.hpp"
#include "hostagent/shared_notes.hpp"
#include "hostkv/token.hpp"
#include "http/client.hpp"

namespace berth::hostagent {

namespace {

constexpr std::uint32_t beats_out_max = 8;
constexpr std::size_t link_id_bytes = 16;

std::string one_line(std::string text) {
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return text;
}

}  // namespace

Process::Process(bus::ZmqLoop& loop, Parts parts, const ReadyFile& ready)
    : loop_(loop),
      parts_(std::move(parts)),
      ready_(ready),
      state_(make_state(parts_.policy, parts_.setup)),
      proxy_(parts_.proxy, parts_.shell),
      load_(parts_.place.state),
      end_notice_(parts_.shell.end_notice_file.empty() ? parts_.place.state + "/end_notice" : parts_.shell.end_notice_file, std::move(parts_.cloud_notice)),
      home_workers_(std::make_unique<Workers>(parts_.shell.home_workers)),
      workers_(std::make_unique<Workers>(parts_.shell.workers)) {}

Result<std::unique_ptr<Process>> Process::open(bus::ZmqLoop& loop, Parts parts, const ReadyFile& ready) {
    std::unique_ptr<Process> process{new Process(loop, std::move(parts), ready)};
    process->endpoint_ = TRY(bus::ZmqEndpoint::open(loop, process->parts_.connection));
    process->pause_ = process->parts_.shell.register_retry;
    if (auto mark = home_mark(process->parts_.setup.homes)) process->home_mark_ = std::move(*mark);
    else log_warn("homes.unmarked", {{"why", mark.error().text}});
    process->recover();
    process->look_after_proxy();
    return process;
}

bool Process::end(Duration patience) {
    const bool homes_idle = home_workers_->end(Duration{0});
    return workers_->end(patience) && homes_idle;
}

void Process::give_up(Error error) {
    if (failure_) return;
    log_error("memory.failed", {{"why", error.text}});
    failure_ = std::move(error);
    loop_.stop();
}

// ---- beginning

void Process::recover() {
    workers_->submit([this] {
        auto found = [&]() -> Result<std::vector<FoundContainer>> {
            TRY(parts_.engine->check_ready());
            return parts_.engine->list();
        }();
        loop_.post([this, found = std::move(found)]() mutable { recovered(std::move(found)); });
    });
}

void Process::recovered(Result<std::vector<FoundContainer>> found) {
    if (!found) {
        log_warn("engine.not_ready", {{"why", found.error().text}, {"again_in", to_text(pause_)}});
        loop_.after(pause_, [this] { recover(); });
        pause_ = std::min(pause_ * 2, parts_.shell.register_retry_max);
        return;
    }
    pause_ = parts_.shell.register_retry;
    const auto remembered = [&]() -> Result<Recovered> {
        const auto& memory = *parts_.memory;
        return Recovered{.records = TRY(memory.slots()), .routes = TRY(memory.routes()), .found = std::move(*found),
                         .term = TRY(memory.term()), .sealed = TRY(memory.sealed()),
                         .position = TRY(memory.position())};
    }();
    if (!remembered) return give_up(remembered.error());
    log_info("host.recovered", {{"slots", state_.slots.size()}, {"containers", remembered->found.size()}});
    recovered_ = true;
    take(*remembered);
    loop_.every(parts_.shell.tick, [this] {
        look_for_end();
        take(Tick{});
    });
    loop_.every(parts_.shell.activity_every, [this] { read_all(); });
    begin_serving();
}

void Process::look_after_proxy() {
    const auto again = proxy_.look(loop_.now());
    loop_.after(again, [this] { look_after_proxy(); });
    if (proxy_.port() == state_.setup.proxy_port && serving_) return;
    const bool moved = serving_;
    state_.setup.proxy_port = proxy_.port();
    if (moved) register_host();
    begin_serving();
}

template <class Command>
void Process::serve() {
    endpoint_->serve<Command>([this](Command command, const bus::Delivery&, bus::Responder to) {
        const auto caller = ++callers_;
        waiting_.emplace(caller, std::move(to));
        take(Asked<Command>{caller, std::move(command)});
    });
}

void Process::begin_serving() {
    const bool port_known = state_.setup.proxy_port != 0 || parts_.proxy.program == "none";
    if (serving_ || !recovered_ || !port_known) return;
    serving_ = true;
    endpoint_->subscribe(event_name<WorkspaceIdle>, [this](const bus::Delivery& delivery) {
        if (auto intent = delivery.as<WorkspaceIdle>()) take(IdleIntended{std::move(*intent)});
    });
    serve<BindCommand>();
    serve<StopCommand>();
    serve<LinkCommand>();
    serve<EraseCommand>();
    serve<SealCommand>();
    register_host();
    beat_periodically();
    ready_.serves();
    log_info("ready", {{"host", state_.setup.host}, {"proxy_port", state_.setup.proxy_port}});
}

// ---- the core and what it decides

void Process::take(const Input& input) {
    if (failure_) return;
    carry_out(step(state_, input, loop_.now()));
}

void Process::carry_out(Decisions decisions) {
    if (!decisions.persists.empty()) {
        if (const auto kept = parts_.memory->apply(decisions.persists); !kept) return give_up(kept.error());
    }
    for (const auto& operation : decisions.operations) operate(operation);
    for (const auto& one : decisions.replies) reply(one);
    for (const auto& objection : decisions.objections) endpoint_->publish(objection, {.subject = objection.workspace.value});
    for (const auto& notice : decisions.notices) show(notice);
    if (decisions.beat) beat_soon();
    for (const auto& note : decisions.notes) {
        log_line(note.severity == Severity::warning ? LogLevel::warn : LogLevel::info, note.event,
                 {{"slot", note.slot}, {"workspace", note.workspace}, {"why", note.text}});
    }
}

void Process::operate(const Operation& operation) {
    if (const auto* look = std::get_if<ReadActivity>(&operation)) {
        return read_one(look->record, [this](const SlotRecord& record, std::vector<Signal> signals) {
            take(ActivityRead{record.slot, record.epoch, std::move(signals)});
        });
    }
    if (operate_on_home(operation)) return;
    workers_->submit([this, operation] {
        auto& engine = *parts_.engine;
        const auto done = [this](Input input) {
            loop_.post([this, input = std::move(input)] { take(input); });
        };
        if (const auto* prepare = std::get_if<PrepareOrder>(&operation)) {
            const auto is_taken = [&] { return prepare->port != 0 && !port_is_free(prepare->port); };
            if (is_taken()) return done(PortTaken{prepare->slot, prepare->container});
            const auto outcome = engine.prepare(*prepare);
            // Nothing of ours is left after an error: who holds the port then was quicker.
            if (!outcome && is_taken()) return done(PortTaken{prepare->slot, prepare->container});
            return done(Prepared{prepare->slot, prepare->container, outcome});
        }
        if (const auto* bind = std::get_if<EngineBind>(&operation)) {
            return done(Bound{bind->slot, bind->container, engine.bind(*bind)});
        }
        if (const auto* remove = std::get_if<RemoveOrder>(&operation)) {
            if (remove->grace > Duration{0}) {
                const auto asked = engine.ask_to_end(remove->container, remove->slot, remove->grace);
                if (!asked) log_warn("environment.not_asked", {{"container", remove->container}, {"why", asked.error().text}});
            }
            return done(Removed{remove->slot, remove->container,
                                engine.remove(remove->container, remove->slot, remove->deadline)});
        }
        if (const auto* erase = std::get_if<EraseOrder>(&operation)) {
            return done(Erased{erase->workspace, erase_home(parts_.setup.homes, erase->workspace)});
        }
        if (const auto* list = std::get_if<ListOrder>(&operation)) return done(Listed{list->mark, engine.list()});
    });
}

bool Process::operate_on_home(const Operation& operation) {
    const auto* erase = std::get_if<EraseOrder>(&operation);
    const bool of_home = std::holds_alternative<RestoreOrder>(operation) || std::holds_alternative<SaveOrder>(operation) ||
                         std::holds_alternative<DropOrder>(operation) || std::holds_alternative<CheckHomesOrder>(operation) ||
                         (erase != nullptr && erase->rule);
    if (!of_home) return false;
    home_workers_->submit([this, operation] {
        auto& archiver = *parts_.archiver;
        const auto* erasing = std::get_if<EraseOrder>(&operation);
        const auto done = [this](Input input) {
            loop_.post([this, input = std::move(input)] { take(input); });
        };
        if (const auto* restore = std::get_if<RestoreOrder>(&operation)) {
            done(HomeRestored{restore->slot, restore->workspace, restore->epoch, archiver.restore(*restore, tell_bytes(restore->slot, restore->epoch))});
        } else if (const auto* save = std::get_if<SaveOrder>(&operation)) {
            done(HomeSaved{save->slot, save->workspace, save->epoch, archiver.save(*save, tell_bytes(save->slot, save->epoch))});
        } else if (const auto* drop = std::get_if<DropOrder>(&operation)) {
            done(HomeDropped{drop->slot, drop->workspace, drop->epoch, drop_home(parts_.setup.homes, drop->workspace)});
        } else if (const auto* check = std::get_if<CheckHomesOrder>(&operation)) {
            done(HomesChecked{archiver.check(check->rule)});
        } else if (erasing != nullptr) {
            auto erased = erase_home(parts_.setup.homes, erasing->workspace);
            if (erased && erasing->rule) erased = archiver.forget(erasing->workspace, *erasing->rule);
            done(Erased{erasing->workspace, erased});
        }
    });
    return true;
}

OnBytes Process::tell_bytes(std::uint32_t slot, Epoch epoch) {
    return [this, slot, epoch](std::uint64_t bytes, std::uint64_t bytes_total) {
        loop_.post([this, moved = HomeMoved{slot, epoch, bytes, bytes_total}] { take(moved); });
    };
}

void Process::look_for_end() {
    if (auto notice = end_notice_.look(); notice != state_.notice) take(EndNoticed{std::move(notice)});
}

void Process::show(const Notice& notice) {
    const auto folder = parts_.engine->shared_folder(notice.container);
    if (folder.empty() || notice.container.empty()) return;
    std::string text;
    if (const auto& intent = notice.intent) {
        text = fmt::format("stop_at {}\nquiet_ms {}\n", intent->stop_at.time_since_epoch().count(),
                           std::max(Duration{0}, loop_.now() - intent->last_use).count());
    }
    if (const auto& leaving = notice.leaving) {
        text += fmt::format("leave_at {} {}\n", leaving->by.time_since_epoch().count(), one_line(leaving->why));
    }
    if (!notice.incident.empty()) text += fmt::format("incident {}\n", one_line(notice.incident));
    workers_->submit([folder, text] {
        const auto put = put_notice(folder, text);
        if (!put) log_warn("notice.unwritten", {{"folder", folder}, {"why", put.error().text}});
    });
}

void Process::reply(const Reply& one) {
    const auto found = waiting_.extract(one.caller);
    if (found.empty()) return;
    const auto& to = found.mapped();
    if (!one.body) return to.refuse(one.body.error());
    std::visit(
        [&](const auto& body) {
            if constexpr (std::is_same_v<std::decay_t<decltype(body)>, LinkWanted>) {
                to.reply(mint_link(body));
            } else if constexpr (std::is_same_v<std::decay_t<decltype(body)>, BindDone>) {
                auto bound = body.reply;
                bound.link = mint_link(body.link);
                to.reply(bound);
            } else {
                to.reply(body);
            }
        },
        *one.body);
}

LinkReply Process::mint_link(const LinkWanted& wanted) const {
    const TokenClaims claims{.purpose = TokenPurpose::link, .host = state_.setup.host, .workspace = wanted.workspace,
                             .epoch = wanted.epoch, .user = wanted.user, .id = random_hex(link_id_bytes),
                             .expires_at = loop_.now() + link_lifetime};
    LinkReply link{.url = url_of(state_.setup, wanted.workspace, wanted.slot), .token = mint_token(claims, parts_.memory->secret())};
    link.link = link.url + "_berth/open?token=" + link.token;
    return link;
}

// ---- registration and heartbeats

void Process::register_host() {
    if (registering_) return;
    registering_ = true;
    const auto& place = parts_.place;
    auto request = take_registration(state_);
    request.pool = place.pool;
    request.launch = place.launch;
    request.instance = place.instance;
    request.public_ip = place.public_ip;
    request.private_ip = place.private_ip;
    request.home_mark = home_mark_;
    endpoint_->request(request, parts_.shell.request_timeout, [this, number = state_.beats, port = request.proxy_port](const Result<HostOrders>& answer) {
        registering_ = false;
        registered_ = answer.has_value();
        orders(number, answer);
        if (registered_) {
            log_info("host.registered", {{"host", state_.setup.host}, {"slots", state_.setup.slots}});
            if (port != state_.setup.proxy_port) register_host();   // it moved meanwhile
            return beat_soon();
        }
        loop_.after(pause_, [this] { register_host(); });
        pause_ = std::min(pause_ * 2, parts_.shell.register_retry_max);
    });
}

void Process::beat_soon() {
    if (beat_wanted_ || !registered_) return;
    beat_wanted_ = true;
    loop_.after(Duration{0}, [this] { beat(); });
}

void Process::beat() {
    if (!beat_wanted_ || beats_out_ >= beats_out_max) return;   // the next answer, or its deadline, brings us back
    beat_wanted_ = false;
    if (!registered_) return;
    auto heartbeat = take_beat(state_);
    const auto containers = heartbeat.load.containers;
    heartbeat.load = load_.read(loop_.now());
    heartbeat.load.containers = containers;
    endpoint_->publish(heartbeat);
    ++beats_out_;
    const auto number = state_.beats;
    endpoint_->request(heartbeat, parts_.shell.request_timeout, [this, number](const Result<HostOrders>& answer) {
        --beats_out_;
        orders(number, answer);
        if (!answer && answer.error().kind == ErrorKind::not_found) {
            registered_ = false;
            register_host();
        } else if (!answer) {
            loop_.after(pause_, [this] { beat_soon(); });
            pause_ = std::min(pause_ * 2, parts_.shell.register_retry_max);
        }
        if (beat_wanted_) beat();
    });
}

void Process::beat_periodically() {
    beat_soon();
    beat_period_ = state_.heartbeat;
    next_beat_ = loop_.after(beat_period_, [this] { beat_periodically(); });
}

void Process::orders(BeatNumber number, const Result<HostOrders>& answer) {
    if (!answer) {
        if (answer.error().text != complaint_) log_warn("allocator.refused", {{"why", answer.error().text}});
        complaint_ = answer.error().text;
        return;
    }
    if (!complaint_.empty()) log_info("allocator.heard");
    complaint_.clear();
    pause_ = parts_.shell.register_retry;
    take(OrdersHeard{number, *answer});
    if (state_.heartbeat == beat_period_) return;
    loop_.cancel(next_beat_);             // the allocator named another period
    beat_period_ = state_.heartbeat;
    next_beat_ = loop_.after(beat_period_, [this] { beat_periodically(); });
}

// ---- activity

Reading Process::read(const SlotRecord& record) const {
    Reading reading{.proxy = parts_.memory->activity(record.workspace), .usage = parts_.engine->usage(record.container)};
    const auto socket = socket_of(parts_.setup, record);
    const auto patience = parts_.shell.editor_timeout;
    const auto answer = socket ? http::get_local(*socket, "/healthz", patience) : http::get_local(record.port, "/healthz", patience);
    if (answer) reading.editor = read_editor(answer->status, answer->body);
    reading.editors = parts_.memory->editors(record.workspace);
    if (const auto folder = parts_.engine->shared_folder(record.container); !folder.empty()) {
        auto notes = read_notes(folder);
        if (notes || notes.error().kind != ErrorKind::not_found) reading.notes = std::move(notes);
    }
    reading.read_at = loop_.now();
    return reading;
}

void Process::read_one(const SlotRecord& record, OnSignals then) {
    const UseFloor floor{parts_.shell.cpu_floor, parts_.shell.io_floor, parts_.shell.use_window, parts_.shell.net_floor};
    workers_->submit([this, record, floor, then = std::move(then)] {
        loop_.post([this, record, floor, then, reading = read(record)] {
            then(record, judge(uses_, record, reading, floor));
        });
    });
}

void Process::read_all() {
    if (readings_out_ > 0) return;   // the round before is not over: the engine is slow
    activity_ = {.host = state_.setup.host, .incarnation = state_.setup.incarnation};
    std::set<ContainerId> bound;
    for (const auto& slot : state_.slots) {
        if (slot.record.phase != SlotPhase::bound) continue;
        bound.insert(slot.record.container);
        ++readings_out_;
        read_one(slot.record, [this](const SlotRecord& record, std::vector<Signal> signals) {
            add_hold(signals, record, loop_.now());
            activity_.workspaces.push_back({record.workspace, record.epoch, std::move(signals)});
            activity_.read_at = loop_.now();
            if (--readings_out_ == 0) endpoint_->publish(activity_);
        });
    }
    std::erase_if(uses_, [&](const auto& one) { return !bound.contains(one.first); });
}

}  // namespace berth::hostagent
