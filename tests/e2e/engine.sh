#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Docker engine of the container stories: engine.sh start|stop DIR. Imports the image that
# script/image built. Exit 77: this machine can not run one; the reason is printed.
set -euo pipefail
act=$1 dir=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ "$(id -u)" != 0 ] || ! command -v dockerd >/dev/null; then
    echo "SKIPPED: a private dockerd needs root and Debian's docker.io (script/packages run)"
    exit 77
fi
if [ "$act" = stop ]; then
    "$root/script/dockerd" stop "$dir"
    exit 0
fi
read -r name tar < <("$root/script/image")
socket=$("$root/script/dockerd" start "$dir")
if ! docker -H "unix://$socket" image inspect "$name" >/dev/null 2>&1; then
    docker -H "unix://$socket" import -c 'USER 1000' -c 'ENTRYPOINT ["/usr/local/bin/berth-workspace"]' "$tar" "$name"
fi
docker -H "unix://$socket" ps -a
