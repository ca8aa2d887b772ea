#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Field report 38: while another program holds dpkg's lock, script/packages waits and says for whom. The
# locks and the package manager are stand-ins; nothing is installed.
set -euo pipefail
source=$1
folder=$(mktemp -d)
trap 'kill $holder 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir -p "$folder/bin" "$folder/var/lib/dpkg" "$folder/var/lib/apt/lists" "$folder/var/cache/apt/archives"
printf '#!/bin/sh\nexit 1\n' > "$folder/bin/dpkg-query"
printf '#!/bin/sh\necho "$*" >> "%s/called"\n' "$folder" > "$folder/bin/apt-get"
printf '#!/bin/sh\nexec "$@"\n' > "$folder/bin/sudo"
chmod +x "$folder"/bin/*
export PATH=$folder/bin:$PATH BERTH_DPKG_ROOT=$folder

cat > "$folder/hold.py" <<'PY'
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open(sys.argv[2], "w")
sys.stdin.read()
PY
mkfifo "$folder/go"
python3 "$folder/hold.py" "$folder/var/lib/dpkg/lock-frontend" "$folder/held" < "$folder/go" &
holder=$!
exec 7> "$folder/go"
for _ in $(seq 200); do [ -e "$folder/held" ] && break; read -rt 0.05 <> <(:) || true; done
[ -e "$folder/held" ] || { echo "the stand-in took no lock"; exit 1; }

if BERTH_DPKG_PATIENCE=1 "$source/script/packages" run > "$folder/said" 2>&1; then echo "it did not wait"; exit 1; fi
grep -q "waiting for .*process $holder.*lock-frontend" "$folder/said" || { cat "$folder/said"; exit 1; }
grep -q "still holds" "$folder/said" || { cat "$folder/said"; exit 1; }
[ ! -e "$folder/called" ] || { echo "apt-get was called while the lock was held"; exit 1; }

BERTH_DPKG_PATIENCE=20 "$source/script/packages" run > "$folder/said" 2>&1 7>&- &
packages=$!
for _ in $(seq 200); do grep -q waiting "$folder/said" && break; read -rt 0.05 <> <(:) || true; done
exec 7>&-
wait "$packages" || { cat "$folder/said"; exit 1; }
grep -q -- "DPkg::Lock::Timeout=20.* install" "$folder/called" || { cat "$folder/called"; exit 1; }
