#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copies sources with planted bugs in them, each behind its own switch.

  plant.py bugs.txt --files                 prints the sources that have bugs
  plant.py bugs.txt SOURCE_ROOT OUTPUT      writes the copies, and names.inc for planted.cpp

The sources themselves never know. A bug whose snippet no longer stands in its source exactly once is
stale: the build says so, goes on without it, and planted_tests counts it as not found."""
import pathlib
import sys


def read(path):
    bugs, edits, bug = [], [], None     # a bug: name, about, fault that the hunt makes likely
    whole = []                          # sources that include a header with bugs, and have to be built with it
    before, after = [], []

    def close():
        if before:
            edits.append((bug, file, "\n".join(before), "\n".join(after)))
        before.clear()
        after.clear()

    file = None
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        mark, text = line[0], line[1:]
        if mark in "=@!*":
            close()
        elif mark == "-" and after:
            close()
        if mark == "=":
            name, _, about = text.strip().partition(" ")
            bug = len(bugs)
            bugs.append([name, about.strip(), ""])
        elif mark == "!":
            bugs[bug][2] = text.strip()
        elif mark == "@":
            file = text.strip()
        elif mark == "*":
            whole.append(text.strip())
        elif mark == "-":
            before.append(text)
        elif mark == "+":
            after.append(text)
        else:
            sys.exit(f"{path}:{number}: a line begins with =, !, @, *, -, + or #")
    close()
    return bugs, edits, whole


def main():
    bugs, edits, whole = read(sys.argv[1])
    files = sorted({file for _, file, _, _ in edits} | set(whole))
    if sys.argv[2] == "--files":
        print(";".join(files), end="")
        return
    root, output = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    stale = {bug for bug, file, before, _ in edits if (root / file).read_text().count(before) != 1}
    for bug in sorted(stale):
        print(f"planted bug '{bugs[bug][0]}' is stale: mend its snippet in {sys.argv[1]}", file=sys.stderr)
    for file in files:
        text = (root / file).read_text()
        for bug, of, before, after in edits:
            if of != file or bug in stale:
                continue
            if text.count(before) != 1:
                sys.exit(f"planted bug '{bugs[bug][0]}' overlaps with another in {file}:\n{before}")
            text = text.replace(before, after.replace("PLANTED", f"::berth::sim::planted({bug})"))
        to = output / file
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text('#include "tests/sim/planted/planted.hpp"\n' + text)
    quoted = [(name, about.replace('"', '\\"'), often) for name, about, often in bugs]
    names = "".join(f'{{"{name}", "{about}", "{often}", {str(index in stale).lower()}}},\n' for index, (name, about, often) in enumerate(quoted))
    (output / "names.inc").write_text(names)


main()
