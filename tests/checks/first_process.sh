#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Field reports 1 and 6: the first process of a workspace buries what nobody waits for, and at the end asks
# everything to end, waits for who still saves, and for nobody longer. In a pid namespace of its own.
set -euo pipefail
source=$1
if ! unshare -pfm true 2>/dev/null; then echo "SKIPPED: no pid namespace can be made here"; exit 77; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
g++ -std=c++20 -O1 -Wall -Wextra -Werror -o "$folder/init" "$source/script/image-init.cpp"
cat > "$folder/editor" <<'EDITOR'
#!/bin/bash
# The editor: a terminal with a typed command, a program that saves at TERM, a job that heeds nothing; and children.
(echo 'echo typed-command'; exec sleep 300) | HISTFILE="$1/history" script -qc 'bash --norc -i' /dev/null > /dev/null &
setsid bash -c 'trap "sleep 0.2; echo saved > '"$1"'/saved; exit" TERM; echo > '"$1"'/loops; while :; do sleep 1; done' &
for _ in $(seq 200); do (setsid true &); done
exec sleep 300
EDITOR
chmod +x "$folder/editor"
wait_for() {
    for _ in $(seq 400); do if "$@"; then return 0; fi; read -rt 0.05 <> <(:) || true; done
    echo "never: $*"; ps -ef --forest | tail -40; exit 1
}
has_begun() { init=$(pgrep -P "$outer"); }
terminal_is_there() { [ -e "$folder/loops" ] && pgrep --ns "$init" -f "bash --norc -i" > /dev/null; }
dead_are_buried() { ! pgrep -P "$init" -r Z > /dev/null; }
init=
BERTH_STOP_GRACE_MS=20000 unshare -pfm --mount-proc "$folder/init" "$folder/editor" "$folder" &
outer=$!
wait_for has_begun
wait_for terminal_is_there
wait_for dead_are_buried
begun=$SECONDS
kill -TERM "$init"
wait "$outer" || true
[ $((SECONDS - begun)) -lt 10 ] || { echo "it waited for nobody"; exit 1; }
grep -q saved "$folder/saved" || { echo "who saves at TERM was not waited for"; exit 1; }
grep -q typed-command "$folder/history" || { echo "the terminal's history is lost"; exit 1; }
