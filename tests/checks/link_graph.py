# SPDX-License-Identifier: Apache-2.0
"""Who links whom, by CMake's own graph (cmake/link_graph.cmake): cores reach values and the contract alone, rooms no
process, and a process no other process. Each exception is named with its reason; one that is used no more fails too."""
import re
import sys

PROCESSES = {"broker", "allocator", "scaler", "reaper", "projector", "hostagent", "proxy", "gateway", "cli"}
ROOMS = {"base", "events", "os", "http", "tls", "docker", "aws", "redis", "instances", "bus", "shell", "hostkv", "settings"}
EXCEPTIONS = {
    ("berth_proxy_core", "berth_hostkv"): "what a route is stands in the memory that agent and proxy share",
    ("berth_gateway_core", "berth_token_table"): "a table of values, apart from the file that keeps it",
    ("berth_gateway_core", "nlohmann_json::nlohmann_json"): "it decides on JSON bodies, and JSON is a value",
    ("berth_gateway_core", "OpenSSL::Crypto"): "it judges signatures, and mathematics are values",
    ("cli", "gateway"): "`berth up` writes the first token in the gateway's own form (berth_tokens)",
}
VALUES = {"tl::expected", "fmt::fmt", "Threads::Threads", "spdlog::spdlog", "berth_base", "berth_events"}

graph, folder = {}, {}
for line in open(sys.argv[1] + "/link_graph.txt", encoding="utf-8"):
    head, libraries = line.split(":", 1)
    name, _, where = head.split()
    folder[name] = where.split("/")[0]
    graph[name] = {re.sub(r"\$<LINK_ONLY:(.*)>", r"\1", one) for one in libraries.split() if one != "berth_common_headers"}


def reached(name, seen=None):
    seen = set() if seen is None else seen
    for one in graph.get(name, ()):
        if one not in seen:
            seen.add(one)
            reached(one, seen)
    return seen


bad, used = [], set()


def judge(key, is_wrong, words):
    if key in EXCEPTIONS:
        used.add(key)
    elif is_wrong:
        bad.append(words)


cores = [name for name in graph if name.endswith("_core") and folder[name] in PROCESSES]
for core in cores:
    for one in sorted(graph[core]):
        judge((core, one), one not in VALUES, f"the core {core} links {one}")
for name, where in folder.items():
    if where not in PROCESSES | ROOMS:
        continue
    for one in sorted(reached(name) & graph.keys()):
        if folder[one] in PROCESSES and folder[one] != where:
            judge((where, folder[one]), True, f"{name} of {where}/ links {one} of {folder[one]}/")
bad += [f"the exception {key} is needed no more ({why})" for key, why in EXCEPTIONS.items() if key not in used]
print(f"{len(graph)} targets, {len(cores)} of them cores")
if len(cores) < 8:
    bad.append(f"only {len(cores)} cores are in the graph: {cores}")
for line in bad:
    print(line, file=sys.stderr)
sys.exit(bool(bad))
