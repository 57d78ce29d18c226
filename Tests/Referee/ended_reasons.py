#!/usr/bin/env python3
"""Judges Core's reading of Vapi's ended reasons by Tests/Contracts/verify/vapi_ended_reason.py:
every reason of the table, and COUNT (20,000) names made by cutting and joining real ones.

  ended_reasons.py [COUNT] [--seed N]        exit 0 when outcome, retry and group are all equal"""
import argparse, random, subprocess, sys
import subject

sys.path.insert(0, str(subject.ROOT / "Tests/Contracts/verify"))
from vapi_ended_reason import ROWS, lookup

WORDS = ["500", "502", "503", "504", "522", "400", "401", "403", "404", "429", "overloaded", "quota",
         "rate-limit", "timed-out", "econnreset", "socket-hang-up", "system-busy", "credits",
         "api-key", "unauthorized", "access-denied", "not-found", "invalid", "pipeline", "hangup",
         "assistant-hung-up", "customer-hung-up", "db-error", "unknown-error", "assistant-error"]


def altered(name, chance):
    parts = name.split("-")
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(parts) + 1)
        action = chance.randrange(5)
        if action == 0 and len(parts) > 1: del parts[min(place, len(parts) - 1)]
        elif action == 1: parts.insert(place, chance.choice(WORDS))
        elif action == 2: parts = parts[place:] or parts
        elif action == 3: parts = parts[:place] or parts
        else: parts[min(place, len(parts) - 1)] = chance.choice(WORDS)
    name = "-".join(parts)
    return name.upper() if chance.randrange(50) == 0 else name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    names = list(ROWS) + WORDS + [""]
    names += [altered(chance.choice(names), chance) for _ in range(options.count)]
    with subject.built() as program:
        answers = subprocess.run([program, "reasons"], input="".join(f"{name}\n" for name in names),
                                 capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = [(want, answer) for name, answer in zip(names, answers)
             if (want := "\t".join((name, *lookup(name)))) != answer]
    for want, answer in wrong[:10]:
        print(f"DIFF want {want!r} got {answer!r}")
    passed = not wrong and len(answers) == len(names)
    unknown = len({name for name in names if name not in ROWS})
    print(f"{'OK' if passed else 'FAIL'} {len(ROWS)} reasons of the table, {unknown} unknown names, "
          f"{len(wrong)} differences, seed {options.seed}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
