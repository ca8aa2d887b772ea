#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes deploy/berth.toml: every section and key of the configuration with its default and its
meaning, taken from the policy structs themselves. A test compares the two:

    python3 deploy/example.py > deploy/berth.toml
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# section, what it is about, the structs that are read from it: (file, struct)
SECTIONS = [
    ("pool.default", "A pool: hosts that are alike. Add others as [pool.<name>]; without any there is this one.",
     [("events/pool.hpp", "PoolDefined")]),
    ("gateway", "The HTTP API and the dashboard.", [("gateway/policy.hpp", "Policy")]),
    ("compat", "For clients that were there before tokens were.", [("gateway/policy.hpp", "CompatPolicy")]),
    ("reaper", "What is over: idle, expired, dead, orphaned.", [("reaper/policy.hpp", "Policy")]),
    ("scaler", "How many hosts there should be.", [("scaler/policy.hpp", "Policy")]),
    ("provider.local", "The hosts of this machine, as the scaler starts them.", [("scaler/providers/local/policy.hpp", "LocalPolicy")]),
    ("allocator", "Who gets which slot.", [("allocator/policy.hpp", "Policy")]),
    ("ledger", "How the allocator keeps its ledger.", [("allocator/shell_policy.hpp", "ShellPolicy")]),
    ("hostagent", "What runs on a host.", [("hostagent/policy.hpp", "Policy"), ("hostagent/policy.hpp", "ShellPolicy")]),
    ("docker", "Workspaces in containers. `berth up` sets socket and cluster by what it finds.",
     [("hostagent/engines/docker.hpp", "DockerPolicy")]),
    ("proxy", "From the browser to the workspace.", [("proxy/policy.hpp", "Policy")]),
    ("broker", "Where the bus listens.", [("broker/policy.hpp", "Policy")]),
]
LEFT_OUT = {("pool.default", "pool")}  # the name is in the section's
# Where the source takes a name to say enough.
MEANINGS = {
    ("pool.default", "provider"): "where its hosts come from",
    ("pool.default", "slots_per_host"): "workspaces on one host; not set, provider local takes 4: it is a laptop",
    ("pool.default", "buffer_unit"): "slots or hosts: what buffer counts",
    ("pool.default", "hosts_max"): "never more than that",
    ("pool.default", "hold_max_ms"): "cap of `berth hold`",
    ("pool.default", "lifetime_max_ms"): "then a workspace is stopped even while it is used",
    ("pool.default", "idle_after_ms"): "so long quiet, and it is stopped",
}

HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Everything that can be set, each with its default. Made by deploy/example.py from the source.
#
# Copy what you change to /etc/berth/berth.toml or ~/.config/berth/berth.toml, or name a file with
# `berth up --config FILE`. Flags win over BERTH_<SECTION>_<KEY> in the environment, which wins over
# the file. A key or section that does not exist is an error that names it. Lengths of time are
# written as "250ms", "15s", "2m", "1h30m".

"""

FIELD = re.compile(r"^    (?P<type>[\w:<>]+) (?P<name>\w+)(?: = (?P<value>[^;]+)|\{(?P<brace>[^;]*)\})?;(?:\s*//\s*(?P<meaning>.*))?$")
COMMENT = re.compile(r"^\s+//\s*(.*)$")


def struct_body(text, name, path):
    found = re.search(r"^struct %s \{\n(.*?)^\};" % name, text, re.M | re.S)
    if not found:
        sys.exit(f"example.py: no struct {name} in {path}")
    return found.group(1)


def number(expression):
    plain = re.sub(r"(?<=\d)(ULL|LL|UL|U|L)\b", "", expression.replace("'", ""))
    if not re.fullmatch(r"[\d\s*+<().]+", plain):
        sys.exit(f"example.py: cannot read the number {expression}")
    return eval(plain, {"__builtins__": {}})  # digits and operators only


def length(milliseconds):
    if milliseconds == 0:
        return "0ms"
    for unit, size in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"


def value_of(kind, field):
    raw = field["value"] if field["value"] is not None else field["brace"]
    if kind.startswith("std::optional<"):
        kind = kind.removeprefix("std::optional<").removesuffix(">")
        raw = re.sub(r"^Duration\{(.*)\}$", r"\1", raw or "")
    if kind == "Duration":
        return f'"{length(number(raw or "0"))}"'
    if kind == "std::string":
        return raw or '""'
    if kind == "bool":
        return raw or "false"
    if kind.startswith("std::vector"):
        return f"[{raw or ''}]"
    if kind in ("std::uint32_t", "std::uint64_t", "std::size_t", "int", "double"):
        return str(number(raw or "0"))
    return '"' + (raw or "").rpartition("::")[2] + '"'  # a named enum


def rows(section, path, struct):
    full = ROOT / path
    if not full.exists():
        return []
    found, pending = [], ""
    # A meaning may go on in the next lines; a comment above a field belongs to it.
    lines = struct_body(full.read_text(), struct, path).splitlines()
    for i, line in enumerate(lines):
        field, comment = FIELD.match(line), COMMENT.match(line)
        if comment and found and found[-1][3] == i - 1 and len(line) - len(line.lstrip()) > 8:
            found[-1][2] += " " + comment.group(1)
            found[-1][3] = i
        elif comment:
            pending = (pending + " " + comment.group(1)).strip()
        elif field:
            if (section, field["name"]) not in LEFT_OUT:
                found.append([field["name"], value_of(field["type"], field), field["meaning"] or pending or MEANINGS.get((section, field["name"]), ""), i])
            pending = ""
        else:
            pending = ""
    return found


def main():
    out = [HEAD]
    for section, about, structs in SECTIONS:
        lines = [row for path, struct in structs for row in rows(section, path, struct)]
        if not lines:
            continue
        out.append(f"# ---- {about}\n[{section}]\n")
        for name, value, meaning, _ in lines:
            setting = f"# {name} = {value}"
            out.append(f"{setting:<43} # {meaning}\n" if meaning else f"{setting}\n")
        out.append("\n")
    print("".join(out).rstrip("\n"))


main()
