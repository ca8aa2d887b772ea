// SPDX-License-Identifier: Apache-2.0
// Another process at a host's memory, for the tests to kill: "write" writes without end, "hold" takes
// the write lock and keeps it. Says one byte on its standard output once it is at it.
#include <lmdb.h>
#include <unistd.h>

#include <string_view>

#include "hostkv/local_kv.hpp"

namespace {

int hold(const char* dir) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 16) != 0) return 1;
    if (mdb_env_open(env, dir, MDB_NOTLS, 0600) != 0 || mdb_txn_begin(env, nullptr, 0, &txn) != 0) return 1;
    if (::write(1, "h", 1) != 1) return 1;
    for (;;) ::pause();
}

int write_without_end(const char* dir) {
    const auto memory = berth::LocalKv::open(dir);
    if (!memory) return 1;
    const berth::RouteRecord route{.workspace = {"w-9"},
                                   .user = {"eve"},
                                   .slot = 9,
                                   .epoch = berth::Epoch{1},
                                   .container = {"c-9"},
                                   .port = 9};
    for (int i = 0;; ++i) {
        if (!(*memory)->apply({route})) return 1;
        if (i == 3 && ::write(1, "w", 1) != 1) return 1;
    }
}

}  // namespace

int main(int count, char** words) {
    if (count != 3) return 2;
    return std::string_view{words[2]} == "hold" ? hold(words[1]) : write_without_end(words[1]);
}
