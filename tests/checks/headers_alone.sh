#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header of base, events, bus and of each process stands alone. Headers that are not changed
# since they last passed (by content) are not compiled again.
set -euo pipefail
cd "$1"
compiler=$2
cache="${TMPDIR:-/tmp}/berth-headers-alone.$(id -u)"
mkdir -p "$cache"
bad=0 count=0
for header in base/*.hpp events/*.hpp bus/*.hpp {broker,allocator,scaler,reaper,hostagent,gateway,cli}/*.hpp; do
    [ -e "$header" ] || continue
    count=$((count + 1))
    mark=$cache/$(cat "$header" base/*.hpp events/*.hpp | sha256sum | cut -c1-32)
    [ -e "$mark" ] && continue
    if "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Wno-missing-field-initializers -DMSGPACK_NO_BOOST -I. -x c++ "$header" 2> "$cache/out.$$"; then
        touch "$mark"
    elif grep -q 'pragma once in main file' "$cache/out.$$" && ! grep -q 'error' "$cache/out.$$"; then
        touch "$mark"
    else
        echo "$header does not stand alone:" >&2; head -5 "$cache/out.$$" >&2; bad=1
    fi
done
rm -f "$cache/out.$$"
echo "$count headers"
exit $bad
