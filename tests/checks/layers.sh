#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Processes never include each other; cores include only base, events and their own folder.
set -euo pipefail
cd "$1"
bad=0
say() { echo "$1" >&2; bad=1; }

processes="broker allocator scaler reaper projector hostagent proxy gateway cli"
# What a process may include beside its own folder, base, events and bus. hostkv/token.hpp and
# local_kv.hpp belong to agent and proxy, which share a folder.
for process in $processes; do
    [ -d "$process" ] || continue
    for other in $processes; do
        [ "$process" = "$other" ] && continue
        hits=$(grep -rn "#include \"$other/" "$process" --include='*.hpp' --include='*.cpp' || true)
        # The command line mints the first token in the gateway's own form: one library, no process.
        [ "$process/$other" = "cli/gateway" ] && hits=$(grep -v 'gateway/tokens.hpp' <<<"$hits" || true)
        [ -n "$hits" ] && say "a process includes another:
$hits"
    done
done
hits=$(grep -rnE '#include "(os|http|tls|docker|aws|redis|instances|bus|shell|hostkv|broker|allocator|scaler|reaper|projector|hostagent|proxy|gateway|cli)/' base events --include='*.hpp' --include='*.cpp' || true)
[ -n "$hits" ] && say "base or events include something above them:
$hits"

hits=$(grep -rnE '#include "(broker|allocator|scaler|reaper|projector|hostagent|proxy|gateway|cli)/' os http tls docker aws redis instances bus shell hostkv --include='*.hpp' --include='*.cpp' || true)
[ -n "$hits" ] && say "a room that processes share includes a process:
$hits"

# The catalog of settings knows every policy, and nothing else of a process.
hits=$(grep -rnE '#include "(broker|allocator|scaler|reaper|projector|hostagent|proxy|gateway|cli)/' settings --include='*.hpp' --include='*.cpp' | grep -vE 'policy\.hpp"|hostagent/engines/docker\.hpp"' || true)
[ -n "$hits" ] && say "the catalog of settings includes more than policies:
$hits"

# What the rooms os and http do is done nowhere else. hostkv/lmdb.cpp opens a file that may kill it in a child;
# hostkv/local_kv.cpp and the ledger sync what others wrote; hostagent/home.cpp moves a whole home aside;
# cli/browser.cpp stays behind as a child of two to take its page away; cli/instances.cpp becomes the person's own ssh.
hits=$(grep -rnE '(^|[^A-Za-z:_])(::|std::)(fork|flock|rename|fsync|exec[lv][a-z]*)\(|posix_spawn|mountinfo|#include <curl/' \
       base events tls docker aws redis instances bus shell hostkv $processes --include='*.hpp' --include='*.cpp' |
       grep -vE '^(hostkv/(lmdb|local_kv)\.cpp|allocator/ledger/|hostagent/home\.cpp|cli/(browser|instances)\.cpp)' || true)
[ -n "$hits" ] && say "plumbing outside of os and http:
$hits"

# The sources of each *_core target, as the build lists them.
for list in */CMakeLists.txt; do
    part=${list%/CMakeLists.txt}
    for file in $(tr '\n' ' ' < "$list" | grep -oE 'berth_core\([^)]*\)' | sed -E 's/berth_core\(//; s/\)//' | tr ' ' '\n' | grep -E '\.cpp$' || true); do
        hits=$(grep -nE '#include ("(bus|base/(clock|config|diagnostics))|<(zmq|zmq\.hpp|thread|mutex|chrono>|iostream|fstream|unistd|sys/|spdlog|msgpack|boost))' "$part/$file" | grep -vE 'base/time' || true)
        [ -n "$hits" ] && say "the core file $part/$file reaches outside:
$hits"
    done
done
exit $bad
