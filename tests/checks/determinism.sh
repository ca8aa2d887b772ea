#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cores call no clock, no chance of their own and iterate nothing in hash order: first by their
# text, then by the symbols that their objects ask for.
set -euo pipefail
cd "$1"
build=$2
bad=0
for list in */CMakeLists.txt; do
    part=${list%/CMakeLists.txt}
    for file in $(tr '\n' ' ' < "$list" | grep -oE 'berth_core\([^)]*\)' | sed -E 's/berth_core\(//; s/\)//' | tr ' ' '\n' | grep -E '\.cpp$' || true); do
        hits=$(grep -nE 'unordered_|std::rand|std::shuffle|_distribution<|random_device|_clock::now|system_clock|steady_clock|getenv|std::this_thread|log_(info|warn|error|line)' "$part/$file" "${part}/${file%.cpp}.hpp" 2>/dev/null || true)
        if [ -n "$hits" ]; then echo "$part/$file is not deterministic: $hits" >&2; bad=1; fi
    done
done
objects=0
while IFS= read -r object; do
    objects=$((objects + 1))
    hits=$(nm --undefined-only "$object" | grep -E ' (clock_gettime|gettimeofday|time|getrandom|rand|random|socket|connect|pthread_create|open|open64|fopen)(@|$)' || true)
    if [ -n "$hits" ]; then echo "$object asks for: $hits" >&2; bad=1; fi
done < <(find "$build" -path '*_core.dir/*.o' -not -path '*/bench/*')   # bench_core is a program of its own
echo "$objects objects of cores inspected"
[ "$objects" -gt 0 ] || { echo "no core was built: nothing was checked" >&2; exit 1; }
exit $bad
