// SPDX-License-Identifier: Apache-2.0
// An endpoint as a worker of one service: registered, beating, registered again, gone.
#include "bus/zmq_endpoint_inside.hpp"

#include <array>
#include <utility>

#include "base/diagnostics.hpp"

namespace berth::bus {

namespace {

constexpr Duration broker_silence_max{3'000};
constexpr Duration host_broker_silence_max{15'000};
constexpr Duration serve_timeout{1'000};
constexpr Duration serve_pause{500};

}  // namespace

void ZmqEndpoint::Inside::register_service() {
    if (serve_timer) return;
    registration = Registration::asking;
    auto on_reply = [this](const Result<Delivery>& reply) {
        if (reply) {
            registration = Registration::registered;
            broker_heard = loop.now();
            log_line(LogLevel::debug, "bus.serving", {{"service", service}});
            if (const auto handler = std::exchange(serving_handler, nullptr)) handler();
            return;
        }
        registration = Registration::none;
        if (reply.error().kind != ErrorKind::timeout) {
            log_warn("bus.not_serving", {{"service", service}, {"why", reply.error().text}});
        }
        serve_timer = loop.after(reply.error().kind == ErrorKind::timeout ? Duration{0} : serve_pause, [this] {
            serve_timer.reset();
            register_service();
        });
    };
    ask(request_name<ServeRequest>, encode(ServeRequest{service}), serve_timeout, {}, std::move(on_reply));
}

void ZmqEndpoint::Inside::beat() {
    if (registration != Registration::registered) return;
    if (loop.now() - broker_heard > (is_host() ? host_broker_silence_max : broker_silence_max)) {
        log_warn("bus.broker_silent", {{"service", service}});
        return register_service();
    }
    // A beat that no connection takes now is of no use later.
    zmq::message_t topic(topic_of(event_name<ServeBeat>));
    zmq::message_t body(encode_envelope(envelope_for(event_name<ServeBeat>, encode(ServeBeat{}), {})));
    send_all(requests, std::array{&topic, &body});
}

void ZmqEndpoint::Inside::broker_forgot() {
    if (registration == Registration::registered) register_service();
}

void ZmqEndpoint::Inside::leave() {
    if (registration != Registration::registered) return;
    zmq::message_t topic(topic_of(event_name<ServeEnd>));
    zmq::message_t body(encode_envelope(envelope_for(event_name<ServeEnd>, encode(ServeEnd{}), {})));
    send_all(requests, std::array{&topic, &body});
}

}  // namespace berth::bus
