#!/usr/bin/env python3
"""Writes Core/Calls/EndedReasonTable.swift from data/vapi_ended_reasons.tsv.

  generate_ended_reasons.py            writes the file
  generate_ended_reasons.py --check    exit 1 when the file is not what would be written"""
import pathlib, sys

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "data/vapi_ended_reasons.tsv"
TARGET = HERE.parents[1] / "Core/Calls/EndedReasonTable.swift"
RETRIES = {"no": "never", "yes": "later", "next-day": "nextDay", "yes*": "unlessSpoken"}
GROUPS = {"ended-normally*": "endedNormallyIfSpoken"}


def case(group):
    first, *rest = group.split("-")
    return GROUPS.get(group) or first + "".join(word.capitalize() for word in rest)


def source():
    kinds = {}
    for line in TABLE.read_text().splitlines()[1:]:
        name, outcome, retry, group = line.split("\t")
        kinds.setdefault((group, outcome, retry), []).append(name)
    lines = [
        "// Written by Tests/Contracts/generate_ended_reasons.py from the table of Vapi's reasons;",
        "// change that table, not this file.",
        "",
        "extension EndedReason {",
        "    /// What Vapi's known reasons mean; the names of a row stand one on a line.",
        "    static let rows: [(group: Group, outcome: Outcome, retry: Retry, names: String)] = [",
    ]
    for (group, outcome, retry), names in sorted(kinds.items()):
        lines += ["        (", f"            .{case(group)}, .{outcome}, .{RETRIES[retry]},",
                  '            """']
        lines += [f"            {name}" for name in sorted(names)]
        lines += ['            """', "        ),"]
    return "\n".join(lines + ["    ]", "}", ""])


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if TARGET.read_text() == source() else f"{TARGET.name} is out of date.")
    TARGET.write_text(source())
