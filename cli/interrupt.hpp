// SPDX-License-Identifier: Apache-2.0
// Ctrl-C for client commands: the first one asks the command to let go (it prints how to resume and
// exits 130), the second one ends the process at once. `berth up` has its own signals (up/).
#pragma once

namespace berth::cli {

class Interrupt {
public:
    /// Takes over SIGINT and SIGTERM of this process.
    static void watch();
    static bool seen();
    /// Readable once a signal came; for poll(2).
    static int fd();
};

}  // namespace berth::cli
