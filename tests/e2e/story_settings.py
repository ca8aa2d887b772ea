# SPDX-License-Identifier: Apache-2.0
"""Settings of more than one story."""

# Idleness, and everything that it is judged by, within seconds. (Docker takes up to a second for one reading.)
FAST = ["--set", "pool.default.idle_after_ms=6s", "--set", "reaper.objection=3s", "--set", "reaper.tick=200ms",
        "--set", "reaper.activity=3s", "--set", "hostagent.activity_every=1s",
        "--set", "allocator.heartbeat=1s", "--set", "reaper.heartbeat=1s"]
