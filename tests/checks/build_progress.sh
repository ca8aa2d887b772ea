#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A build tells how far it is, keeps all that it said in its log, and its failure is not lost behind the telling.
set -euo pipefail
cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
expect() { if [ "$1" != "$2" ]; then printf 'expected:\n%s\ncame:\n%s\n' "$2" "$1" >&2; exit 1; fi; }

said=$(printf '%s\n' 'a word before' '[1/4] one' '[2/4] two' 'warning: none' '[3/4] three' '[4/4] four' | script/build-progress up "$log" 2>&1)
expect "$said" $'up: 1 of 4 steps\nup: 2 of 4 steps\nup: 3 of 4 steps\nup: 4 of 4 steps'
expect "$(wc -l <"$log")" 6
many=$(for n in $(seq 500); do echo "[$n/500] x"; done | script/build-progress up "$log" 2>&1 | wc -l)
expect "$many" 10
if (echo '[1/2] x'; exit 3) | script/build-progress up "$log" 2>/dev/null; then echo 'a failure was lost' >&2; exit 1; fi
