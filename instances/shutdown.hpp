// SPDX-License-Identifier: Apache-2.0
// What an instance runs at its first boot: a timer that reads its own end from its tags, by instance metadata version 2
// and without any right, and shuts it down two minutes after that. So it ends also when nobody runs `berth service`.
#pragma once

#include <string_view>

namespace berth::instances {

inline constexpr std::string_view shutdown_script = R"sh(#!/bin/sh
# berth: this machine stops by itself when its time is over (tag berth:expires-at).
cat >/usr/local/sbin/berth-time <<'END'
#!/bin/sh
at=http://169.254.169.254/latest
token=$(curl -sf -m 5 -X PUT "$at/api/token" -H 'X-aws-ec2-metadata-token-ttl-seconds: 60') || exit 0
end=$(curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$at/meta-data/tags/instance/berth:expires-at") || exit 0
end=$(date -u -d "$end" +%s) || exit 0
[ "$(date -u +%s)" -lt "$((end + 120))" ] || shutdown -h now "berth: the time of this machine is over"
END
chmod 755 /usr/local/sbin/berth-time
printf '[Service]\nType=oneshot\nExecStart=/usr/local/sbin/berth-time\n' >/etc/systemd/system/berth-time.service
printf '[Timer]\nOnBootSec=3min\nOnUnitActiveSec=1min\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/berth-time.timer
systemctl daemon-reload && systemctl enable --now berth-time.timer
)sh";

}  // namespace berth::instances
