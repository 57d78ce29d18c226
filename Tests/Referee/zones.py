#!/usr/bin/env python3
"""Judges Core's time zones by Python's zoneinfo: every zone of the system, every change of its
clocks from 1990 to 2037 (a second around it) and from 2038 to 2100 a month apart, and random times.

  zones.py [--seed N]        exit 0 when every answer is equal"""
import argparse, datetime as dt, random, subprocess, sys, tempfile, zoneinfo
import subject

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
SECOND = dt.timedelta(seconds=1)


def seconds(year):
    return int((dt.datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())


def at(zone, moment):
    return (EPOCH + dt.timedelta(seconds=moment)).astimezone(zone)


def changes(zone, first, last, step=86400):
    """The seconds at which the zone's offset changes, found by halving each step that differs."""
    start, before = first, at(zone, first).utcoffset()
    while start < last:
        after = at(zone, start + step).utcoffset()
        if after != before:
            low, high = start, start + step
            while high - low > 1:
                middle = (low + high) // 2
                if at(zone, middle).utcoffset() == before: low = middle
                else: high = middle
            yield high
        start, before = start + step, after


def shown(zone, local):
    """First and last instant (ms) at which the zone's clocks show a local time that exists."""
    found = [int((local.replace(fold=fold, tzinfo=zone).astimezone(UTC) - EPOCH) / SECOND)
             for fold in (0, 1)]
    return min(found) * 1000, max(found) * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    names = sorted(name for name in zoneinfo.available_timezones() if name[0].isupper())
    cases = []
    for name in names:
        zone = zoneinfo.ZoneInfo(name)
        moments = {chance.randrange(seconds(1850), seconds(2600)) for _ in range(200)}
        for change in changes(zone, seconds(1990), seconds(2038)):
            moments |= {change - 3601, change - 1, change, change + 1, change + 3600}
        moments |= set(range(seconds(2038), seconds(2100), 30 * 86400))
        for moment in sorted(moments):
            local = at(zone, moment)
            offset = local.utcoffset().total_seconds()
            cases.append((name, moment, f"{offset:.0f}\t{local.tzname()}\t{local.isoformat()}\t"
                          + "\t".join(map(str, shown(zone, local.replace(tzinfo=None))))))
    with subject.built() as program, tempfile.TemporaryFile("w+") as questions:
        questions.writelines(f"{name}\t{moment}\n" for name, moment, _ in cases)
        questions.seek(0)
        answers = subprocess.run([program, "zones"], stdin=questions, capture_output=True,
                                 text=True, check=True).stdout.splitlines()
    wrong = [(case, answer) for case, answer in zip(cases, answers) if case[2] != answer]
    for (name, moment, want), answer in wrong[:10]:
        print(f"DIFF {name} {moment}\n  want {want}\n  got  {answer}")
    passed = not wrong and len(answers) == len(cases)
    print(f"{'OK' if passed else 'FAIL'} {len(names)} zones, {len(cases)} instants, "
          f"{len(wrong)} differences, seed {options.seed}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
