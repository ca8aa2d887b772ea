# SPDX-License-Identifier: Apache-2.0
"""Seven dashboards in one browser all load, although a browser opens six connections to a site; a token that no
header can carry leads back to the form. Field reports 11 and 31."""
import os
import shutil
import sys

from stage import HERE, Stage, chromium, expect, skip

if not shutil.which("node") or not (os.environ.get("CHROMIUM") or shutil.which("chromium")):
    skip("node or chromium is not there")
if not os.path.isdir(os.path.join(HERE, "node_modules")):
    skip("tests/e2e/node_modules is not there: npm ci in tests/e2e")

with Stage("--hosts-max", "1", "--slots", "2") as stage:
    picture = sys.argv[1:2]
    seen = chromium("dashboards", stage.url, stage.token, "7", *picture)[-1]
    expect(len(seen["seen"]) == 6 and min(seen["seen"]) > 0, f"seven dashboards load and follow the events: {seen}")
    for text in ("\u201cberth_abc\u201d", "b\u00e9rth", "berth abc", "berth_" + "0" * 64):
        said = chromium("token", stage.url, text)[-1]["said"]
        expect(said, f"{text!r} leads back to the form: {said}")
