#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each key of deploy/berth.toml is read somewhere: as a member of its policy, or inside of the policy itself.
set -euo pipefail
cd "$1"
bad=0
for key in $(grep -oE '^# [a-z_]+ = ' deploy/berth.toml | sed -E 's/^# //; s/ = $//' | sort -u); do
    grep -rqE "(\.|->)$key\b" broker allocator scaler reaper projector hostagent proxy gateway instances events bus shell cli --include='*.cpp' --include='*.hpp' && continue
    # Inside: as an operand, not as its own declaration or in the list of fields.
    grep -rqP "\b$key\b(?!\s*([,=;{]|\)$|\)\s*//))" broker allocator scaler reaper projector hostagent proxy gateway events --include='*.hpp' && continue
    echo "nothing reads the setting $key" >&2
    bad=1
done
exit $bad
