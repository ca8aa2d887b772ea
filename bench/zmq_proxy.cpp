// SPDX-License-Identifier: Apache-2.0
// The limit of a broker of events on libzmq: zmq_proxy between an XSUB and an XPUB, which looks at nothing.
// Without CURVE, or with it and any key let in.
//
//   bench_zmq_proxy plain|curve      says its addresses and its key
#include <zmq.h>

#include <cstring>
#include <thread>
#include <zmq.hpp>

#include "bench/plumbing/turns.hpp"

int main(int argc, char** argv) {
    using berth::bench::Json;
    const bool curve = argc > 1 && std::strcmp(argv[1], "curve") == 0;
    zmq::context_t context{1};
    zmq::socket_t in(context, ZMQ_XSUB), out(context, ZMQ_XPUB);
    std::array<char, 41> open{}, secret{};
    zmq_curve_keypair(open.data(), secret.data());
    for (auto* socket : {&in, &out}) {
        socket->set(zmq::sockopt::linger, 0);
        socket->set(zmq::sockopt::sndhwm, 16'384);     // as berth's
        socket->set(zmq::sockopt::rcvhwm, 16'384);
        if (curve) {
            socket->set(zmq::sockopt::curve_server, true);
            socket->set(zmq::sockopt::curve_secretkey, secret.data());
        }
        socket->bind("tcp://127.0.0.1:*");
    }
    berth::bench::say({{"ready", true}, {"in", in.get(zmq::sockopt::last_endpoint)}, {"out", out.get(zmq::sockopt::last_endpoint)},
                       {"key", curve ? open.data() : ""}});
    std::thread carrying([&] {
        try {
            zmq::proxy(in, out);
        } catch (const zmq::error_t&) {
        }
    });
    for (std::string line; std::getline(std::cin, line);) {
    }
    context.shutdown();
    carrying.join();
}
