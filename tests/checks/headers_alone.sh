#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header of base, events, bus and of each process stands alone, without the headers that the
# build parses once for all. Headers that are not changed since they last passed (by content) are
# not compiled again.
set -euo pipefail
cd "$1"
export compiler=$2
cache="${TMPDIR:-/tmp}/berth-headers-alone.$(id -u)"
mkdir -p "$cache"
contract=$(cat base/*.hpp events/*.hpp | sha256sum)
export cache contract

check_one() {
    local header=$1 mark said
    mark=$cache/$( (echo "$contract" && cat "$header") | sha256sum | cut -c1-32)
    [ -e "$mark" ] && return 0
    said=$("$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Wno-missing-field-initializers -DMSGPACK_NO_BOOST -I. -x c++ "$header" 2>&1) ||
        { printf '%s does not stand alone:\n%s\n' "$header" "$(head -5 <<<"$said")" >&2; return 1; }
    if [ -n "$said" ] && ! grep -q 'pragma once in main file' <<<"$said"; then
        printf '%s does not stand alone:\n%s\n' "$header" "$(head -5 <<<"$said")" >&2
        return 1
    fi
    touch "$mark"
}
export -f check_one

headers=(base/*.hpp os/*.hpp events/*.hpp http/*.hpp docker/*.hpp aws/*.hpp instances/*.hpp bus/*.hpp shell/*.hpp hostkv/*.hpp
         {broker,allocator,scaler,reaper,projector,hostagent,proxy,gateway,cli}/*.hpp)
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check_one {}'
echo "${#headers[@]} headers"
