#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The alert rules are well formed, fire when they should (promtool), and name no metric that the gateway does not have.
# promtool is taken out of Debian's package, because installing that would start a server.
set -euo pipefail
root=$1 work=$2
promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
    promtool=$work/prometheus/usr/bin/promtool
    if [ ! -x "$promtool" ]; then
        mkdir -p "$work/prometheus"
        (cd "$work/prometheus" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb)
    fi
fi
cd "$root/deploy/prometheus"
"$promtool" check rules berth.rules.yml
"$promtool" test rules berth.rules.test.yml
bad=0
for metric in $(grep -oE 'berth_[a-z]+_[a-z_]+' berth.rules.yml | sort -u); do
    grep -qE "\"$metric\"|$metric\\{" "$root/gateway/metrics.cpp" "$root/gateway/inside_watch.cpp" || { echo "no metric $metric is in gateway/metrics.cpp" >&2; bad=1; }
done
exit $bad
