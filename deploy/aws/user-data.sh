#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First boot of a machine that is a host of berth, for [pool.<name>.template] user_data: fill the three words in, or use
# deploy/aws/template.yaml, which does it. The image has berth-hostagent, its proxy and a container engine.
#   BERTH_URL    the gateway, as machines reach it
#   BERTH_TOKEN  of `berth host-token --pool NAME --uses N` on the control plane
#   BERTH_POOL   the pool's name
set -eu
url='BERTH_URL' token='BERTH_TOKEN' pool='BERTH_POOL'
at=http://169.254.169.254/latest
session=$(curl -sf -X PUT "$at/api/token" -H 'X-aws-ec2-metadata-token-ttl-seconds: 300')
of() { curl -sf -H "X-aws-ec2-metadata-token: $session" "$at/meta-data/$1"; }
instance=$(of instance-id)
public=$(of public-ipv4 || of local-ipv4)
# The host's name is the instance's id: by that berth knows which launch it is of.
umask 077
printf '%s' "$token" >/run/berth-host-token
berth-hostagent join --no-run --url "$url" --token-file /run/berth-host-token --pool "$pool" --name "$instance" --public-ip "$public" --private-ip "$(of local-ipv4)" \
    --wait 5m --set hostagent.end_notice_from=aws
rm -f /run/berth-host-token
cat >/etc/systemd/system/berth-hostagent.service <<'END'
[Unit]
Description=berth: workspaces of this machine
After=network-online.target docker.service
Wants=network-online.target
[Service]
ExecStart=/usr/bin/env berth-hostagent --state /var/lib/berth-host
Restart=always
RestartSec=2
KillMode=process
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now berth-hostagent.service
