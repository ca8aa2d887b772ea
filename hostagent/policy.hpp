// SPDX-License-Identifier: Apache-2.0
// Every number that the host's decisions depend on, and the shell's own: both are [hostagent] in the
// configuration. What the allocator tells each host (the period of heartbeats, how many standbys) is
// not here: it comes with the orders.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::hostagent {

/// Of the core.
struct Policy {
    std::string version = "1";
    Duration heartbeat{15'000};            // until the first orders name another
    Duration heartbeat_min{100};
    Duration heartbeat_max{60'000};
    Duration confirm_every{30'000};        // how old a route's confirmation gets before it is renewed
    Duration inventory_every{15'000};      // the engine is asked what truly runs
    Duration prepare_deadline{60'000};
    Duration bind_deadline{20'000};
    Duration remove_deadline{30'000};
    Duration stop_grace{10'000};           // of a user's programs, between being asked to end and being ended
    std::uint32_t remove_tries_max = 3;    // then the slot is broken …
    Duration remove_retry{1'000};
    Duration broken_retry{60'000};         // … and is tried again so often
    std::uint32_t restart_tries_max = 3;   // new containers for one lease whose container ended
    Duration restart_pause{2'000};
    Duration restart_forgiven_after{600'000};
    Duration standby_retry{5'000};         // after a standby failed; doubles up to …
    Duration standby_retry_max{300'000};
    Duration trouble_retry_max{30'000};    // while nothing at all can be started
    std::uint32_t trouble_after = 2;       // starts failed in a row: then the allocator is told to place nothing here
    std::uint32_t standbys_max = 20;
    std::uint32_t standbys_at_once = 2;    // prepared at the same time
    std::uint32_t port_first = 20'000;     // on 127.0.0.1; below the kernel's own range
    std::uint32_t port_count = 8'000;
    std::uint32_t port_tries_max = 20;     // ports found taken in a row
    std::uint32_t callers_per_slot_max = 16;
    std::uint32_t erases_max = 64;         // under way at once
    Duration outage_limit{86'400'000};     // after so long without orders, what expired is ended; 0: never
    std::uint32_t text_bytes_max = 400;    // of an engine's words in a report
    Duration home_retry{2'000};            // after a home could not be saved or brought back; doubles up to …
    Duration home_retry_max{60'000};
    std::uint32_t home_restore_tries_max = 3;   // then the start has failed; a save is never given up
    Duration home_check_every{600'000};    // the repository is asked whether it is well

    BERTH_FIELDS(Policy, version, heartbeat, heartbeat_min, heartbeat_max, confirm_every, inventory_every,
                 prepare_deadline, bind_deadline, remove_deadline, stop_grace, remove_tries_max, remove_retry, broken_retry,
                 restart_tries_max, restart_pause, restart_forgiven_after, standby_retry, standby_retry_max, trouble_retry_max, trouble_after,
                 standbys_max, standbys_at_once, port_first, port_count, port_tries_max, callers_per_slot_max,
                 erases_max, outage_limit, text_bytes_max, home_retry, home_retry_max, home_restore_tries_max, home_check_every)
};

/// Of the shell.
struct ShellPolicy {
    std::string engine = "process";        // or docker
    std::uint32_t workers = 16;            // engine calls at the same time; a stop may wait for its grace
    Duration tick{200};
    Duration request_timeout{5'000};
    Duration register_retry{500};          // doubles up to …
    Duration register_retry_max{15'000};
    Duration activity_every{15'000};
    Duration editor_timeout{2'000};
    double cpu_floor = 0.02;               // of one core, on average …
    std::uint32_t io_floor = 4'096;        // bytes a second of disk …
    std::uint32_t net_floor = 4'096;       // bytes a second of network, both ways …
    Duration use_window{15'000};           // … over so long, or between two readings further apart
    Duration proxy_check{2'000};
    std::uint32_t proxy_starts_max = 30;   // in ten minutes
    std::string proxy_program;             // empty: berth-proxy beside this program; "none": no proxy
    std::string scheme = "http";           // of links, as browsers use them
    std::string apps_domain = "localhost";
    std::string public_domain;             // behind a front proxy: the domain in links; empty: apps_domain
    std::uint32_t public_port = 0;         // behind a front proxy: the port in links; 0: the proxy's own
    std::uint32_t plain_port_first = 0;    // for who has no DNS: links are the host's address and a port of the slot's own; 0: names
    std::uint32_t plain_port_count = 20;   // such ports, at least as many as slots
    std::string process_command;           // of the process engine; empty: berth-workspace beside this program
    std::uint32_t home_workers = 4;        // homes that are saved or brought back at the same time
    Duration home_deadline{3'600'000};     // of one such try
    Duration home_progress_every{2'000};   // how far it is, as claims and stops show it
    std::string restic_program;            // empty: restic on the PATH
    std::string end_notice_file;           // when it appears, this machine will end; empty: <state>/end_notice
    std::string end_notice_from;           // whose notices count too: "aws" asks the instance's metadata service; empty: nobody's

    BERTH_FIELDS(ShellPolicy, engine, workers, tick, request_timeout, register_retry, register_retry_max,
                 activity_every, editor_timeout, cpu_floor, io_floor, net_floor, use_window, proxy_check, proxy_starts_max, proxy_program,
                 scheme, apps_domain, public_domain, public_port, plain_port_first, plain_port_count, process_command,
                 home_workers, home_deadline, home_progress_every, restic_program, end_notice_file, end_notice_from)
};

}  // namespace berth::hostagent
