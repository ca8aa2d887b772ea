# SPDX-License-Identifier: Apache-2.0
"""Express with an in-memory array as the peer (peers/express/app.mjs)."""
import pathlib
import subprocess

from plumbing.processes import Process, run

HERE = pathlib.Path(__file__).parent / "express"


class Express:
    def __init__(self, machines=10_000):
        if not (HERE / "node_modules").exists():
            run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=HERE)
        self.process = Process("express", ["node", "app.mjs", machines], cwd=HERE, env={"NODE_ENV": "production"},
                               stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.port = int(self.process.process.stdout.readline().split()[1])

    def steps(self):
        host = f"Host: 127.0.0.1:{self.port}\r\n"
        return [{"head": f"GET /p{{n}} HTTP/1.1\r\n{host}", "take": '"instanceId":"'},
                {"head": f"POST /release HTTP/1.1\r\n{host}", "body": '{"instanceId":"{x}"}'}]

    def end(self):
        self.process.end()
