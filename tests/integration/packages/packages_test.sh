#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: made twice with the same bytes, clean for lintian and systemd, then installed into a bare Debian root,
# where the units' own commands run as the units' own user; upgraded with a live state, removed and purged.
#   packages_test.sh ROOT BUILD      exit 77: a skip that printed its reason
# shellcheck disable=SC2046
set -euo pipefail
root=$1 export_build=$2
export BERTH_BUILD=$export_build
cd "$root"
say() { echo "-- $1"; }
die() { echo "packages: $1" >&2; exit 1; }
skip() { echo "SKIPPED: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "only root makes a Debian root"
for tool in lintian debootstrap systemd-analyze dpkg-shlibdeps; do command -v $tool >/dev/null || skip "$tool is not there"; done

script/package --built >/dev/null
sha256sum "$BERTH_BUILD"/debian/*.deb | sed "s|$BERTH_BUILD||" >"$BERTH_BUILD/packages.first"
script/package --built >/dev/null
sha256sum "$BERTH_BUILD"/debian/*.deb | sed "s|$BERTH_BUILD||" | diff "$BERTH_BUILD/packages.first" - || die "two runs gave other bytes"
say "two runs give the same bytes"

cd "$BERTH_BUILD/debian"
[ "$(ls ./*.deb | wc -l)" = 3 ] || die "not three packages: $(ls)"
for wanted in berth_:usr/bin/berth$ berth_:usr/share/man/man1/berth.1.gz berth-server_:usr/bin/berth-gateway$ berth-server_:lib/systemd/system/berth.target \
              berth-server_:etc/berth/berth.toml berth-server_:usr/share/doc/berth-server/README.md berth-host_:usr/bin/berth-proxy$ \
              berth-host_:lib/systemd/system/berth-hostagent.service; do
    list=$(dpkg-deb -c "$(ls "${wanted%%:*}"*.deb)")        # whole: a reader that leaves early would fail its writer
    grep -q "${wanted#*:}" <<<"$list" || die "no ${wanted#*:} in ${wanted%%:*}"
done
# Its tags that a package outside of Debian can not heed: a bug of Debian's that it closes, a homepage, a name of the archive.
lintian --fail-on error,warning --allow-root --tag-display-limit 0 \
    --suppress-tags initial-upload-closes-no-bugs,bad-homepage,changelog-distribution-does-not-match-changes-file ./*.deb || die "lintian has something to say"
say "lintian is content"

units=$(mktemp -d)
target=$(mktemp -d)
chmod 755 "$target"                  # the root of others too
children=()
end() {
    for pid in "${children[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait || true
    for at in proc dev/pts dev sys; do mountpoint -q "$target/$at" && umount -l "$target/$at"; done
    rm -rf "$units" "$target"
}
trap end EXIT
dpkg-deb -x berth-server_*.deb "$units"; dpkg-deb -x berth-host_*.deb "$units"; dpkg-deb -x berth_*.deb "$units"
for unit in "$units"/lib/systemd/system/*; do systemd-analyze verify --root="$units" --man=no "$unit" 2>&1 | grep -F "$(basename "$unit")" && die "$unit is not right" || true; done
for unit in broker allocator gateway reaper scaler projector prepare; do
    systemd-analyze security --offline=true --threshold=20 "$units/lib/systemd/system/berth-$unit.service" >/dev/null || die "berth-$unit.service is over 2.0"
done
say "systemd takes the units, and finds them closed (below 2.0)"

mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '$1 == "deb" {for (i = 2; i <= NF; ++i) if ($i ~ /^(http|https|mirror)/) {print $i; exit}}' /etc/apt/sources.list)
debootstrap --variant=minbase bookworm "$target" "$mirror" >"$BERTH_BUILD/debootstrap.log" 2>&1 || { tail -5 "$BERTH_BUILD/debootstrap.log"; die "debootstrap failed"; }
cp -L /etc/resolv.conf "$target/etc/"; cp -r /etc/apt/apt.conf.d/. "$target/etc/apt/apt.conf.d/"
rm -f "$target"/etc/apt/sources.list; cp -r /etc/apt/sources.list* "$target/etc/apt/" 2>/dev/null || true
cp -r /etc/apt/trusted.gpg.d/. "$target/etc/apt/trusted.gpg.d/" 2>/dev/null || true
mount -t proc proc "$target/proc"; mount --rbind /dev "$target/dev"; mount --make-rslave "$target/dev"
printf '#!/bin/sh\nexit 101\n' >"$target/usr/sbin/policy-rc.d"; chmod +x "$target/usr/sbin/policy-rc.d"
mkdir "$target/debs"; cp ./*.deb "$target/debs/"
inside() { chroot "$target" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get update -qq >/dev/null
inside sh -c 'apt-get install -y -qq --no-install-recommends /debs/*.deb' >"$BERTH_BUILD/install.log" 2>&1 || { tail -20 "$BERTH_BUILD/install.log"; die "they can not be installed"; }
inside getent passwd berth >/dev/null || die "there is no user berth"
[ "$(inside stat -c '%U %a' /var/lib/berth)" = "berth 700" ] || die "the state is not berth's alone"
say "installed in a bare root"

# What the unit says, by the unit's user, in the unit's order.
command_of() { sed -n 's/^ExecStart=//p' "$target/lib/systemd/system/berth-$1.service"; }
unit=(chroot "$target" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
      setpriv --reuid berth --regid berth --clear-groups --no-new-privs --bounding-set -all)
as_unit() { "${unit[@]}" "$@"; }
as_unit $(command_of prepare)         # as it is installed
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '[pool.default]\nprovider = "static"\n[gateway]\nport = %s\n' "$port" >"$target/etc/berth/berth.toml"
as_unit $(command_of prepare)
start() {
    for name in broker allocator gateway reaper scaler; do
        "${unit[@]}" $(command_of $name) >>"$target/var/log/berth-$name.log" 2>&1 &      # no function: the pid is the program's own
        children+=($!)
        timeout 30 sh -c 'until [ -s "$0" ]; do sleep 0.1; done' "$target/var/lib/berth/run/$name.ready" || { tail -5 "$target/var/log/berth-$name.log"; die "$name did not get ready"; }
    done
}
stop() {
    for pid in "${children[@]}"; do kill -TERM "$pid"; done
    for pid in "${children[@]}"; do wait "$pid" || true; done
    children=()
}
op() { as_unit berth --state /var/lib/berth "$@"; }
start
op status >/dev/null || die "berth status fails"
op user invite ada | grep -q "^http://127.0.0.1:$port/sign-in#ada:" || die "no sign-in link"
op host-token --pool default -o name | grep -q ^berth_ || die "no host's token"
before=$(op token list -o json)
say "the control plane runs by its units' commands, as the user berth"

printf 'pool = 1\n' >>"$target/etc/berth/berth.toml"
as_unit $(command_of prepare) 2>"$BERTH_BUILD/bad.log" && die "a wrong setting was taken"
grep -q berth.toml "$BERTH_BUILD/bad.log" || die "a wrong setting is not named by its file: $(cat "$BERTH_BUILD/bad.log")"
sed -i '$d' "$target/etc/berth/berth.toml"

inside sh -c 'dpkg -i --force-confold /debs/*.deb' >"$BERTH_BUILD/upgrade.log" 2>&1 || { tail -20 "$BERTH_BUILD/upgrade.log"; die "the upgrade fails"; }
stop
start
[ "$(op token list -o json)" = "$before" ] || die "the upgrade lost tokens"
grep -q "port = $port" "$target/etc/berth/berth.toml" || die "the upgrade took the operator's settings away"
stop
say "an upgrade keeps state and settings"

inside apt-get remove -y -qq berth-server berth-host berth >"$BERTH_BUILD/remove.log" 2>&1 || { tail -20 "$BERTH_BUILD/remove.log"; die "they can not be removed"; }
[ -e "$target/var/lib/berth/ledger.sqlite" ] && [ -e "$target/etc/berth/berth.toml" ] || die "a removal took state or settings"
inside apt-get purge -y -qq berth-server berth-host berth >>"$BERTH_BUILD/remove.log" 2>&1 || die "they can not be purged"
[ -e "$target/var/lib/berth/ledger.sqlite" ] && [ ! -e "$target/etc/berth/berth.toml" ] || die "a purge keeps state and takes settings"
[ -z "$(find "$target/usr" "$target/lib/systemd" -name 'berth*' -print -quit)" ] || die "something is left: $(find "$target/usr" "$target/lib/systemd" -name 'berth*')"
say "removed and purged; what people made is kept"
