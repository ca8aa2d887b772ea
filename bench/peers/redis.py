# SPDX-License-Identifier: Apache-2.0
"""Redis 7 as the peer: started here, loaded by bench_redis. Claim and release are one Lua script each."""
from plumbing.processes import Process, folder, free_port, run
from plumbing.turns import Load

# The least that a durable claim with an idempotency key is: the key, the slot, its epoch, who has it.
CLAIM = """
local prior = redis.call('GET', 'key:' .. ARGV[1])
if prior then return prior end
local slot = redis.call('LPOP', 'free')
if not slot then return false end
local epoch = redis.call('HINCRBY', 'epochs', slot, 1)
redis.call('HSET', 'lease:' .. slot, 'user', ARGV[2], 'project', ARGV[3], 'epoch', epoch)
redis.call('SET', 'key:' .. ARGV[1], slot, 'EX', 172800)
return slot
"""
RELEASE = """
redis.call('DEL', 'lease:' .. ARGV[1])
redis.call('RPUSH', 'free', ARGV[1])
return 'OK'
"""


class Redis:
    def __init__(self, durable=True, slots=200_000, preload=None):
        self.port, self.folder = free_port(), folder()
        self.options = ["--appendonly", "yes" if durable else "no", "--appendfsync", "always", "--save", "", "--maxclients", "20000"]
        self.env = {"LD_PRELOAD": str(preload)} if preload else None
        self.start()
        if slots:
            self.cli("EVAL", "for i = 1, tonumber(ARGV[1]) do redis.call('RPUSH', 'free', 's-' .. i) end", "0", slots)

    def start(self):
        """Until it answers: while it loads its data it listens, and says that it is busy."""
        self.process = Process("redis", ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, *self.options],
                               env=self.env).until_listening(self.port)
        self.process.until(lambda: self.cli("PING") == "PONG")
        self.pid = self.process.pid

    def cli(self, *words):
        return run("redis-cli", "-p", self.port, *words).strip()

    def load(self, bin):
        return Load("bench_redis", [bin / "bench_redis", self.port, self.cli("SCRIPT", "LOAD", CLAIM), self.cli("SCRIPT", "LOAD", RELEASE)])

    def end(self):
        self.process.end()
