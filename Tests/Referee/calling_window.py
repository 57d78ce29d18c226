#!/usr/bin/env python3
"""Judges Core's calling window by Python's zoneinfo and rules written here from the contract.

  calling_window.py [COUNT] [--seed N]     COUNT cases (100,000): every change of every zone's
                                           clocks from 2024 to 2030 ± 2 h, then random ones

Two judges. By the wall: a call may start only when every clock that counts shows calling hours.
By the calendar: the answer, when it changes and when a held call is placed equal what follows from
all openings of those clocks from 2024 to 2031, listed in advance. Exit 0 when no case differs."""
import argparse, array, bisect, datetime as dt, functools, random, subprocess, sys, tempfile
import zoneinfo
import subject
from zones import UTC, EPOCH, SECOND, changes, seconds

# contracts: minutes after midnight (usual; hard), and the last weekday, Monday = 0
INDIA = ((600, 1245), (540, 1260), 6)
UNITED_STATES = ((540, 1200), (540, 1200), 4)
ELSEWHERE = ((540, 1200), (540, 1200), 5)
RULES = {"IN": INDIA} | dict.fromkeys(("US", "PR", "GU", "VI", "AS", "MP"), UNITED_STATES)
SHARED = {
    "+1": "US CA AG AI BB BM BS DM DO GD JM KN KY LC MS PR SX TC TT VC VG VI".split(),
    "+7": ["RU", "KZ"], "+44": ["GB", "GG", "IM", "JE"], "+61": ["AU", "CC", "CX"],
    "+212": ["MA", "EH"],
}
QUARTER, HORIZON = 15 * 60_000, 8 * 86_400_000

zone_info = functools.cache(zoneinfo.ZoneInfo)


@functools.cache
def zone_tab():
    table = {}
    with open("/usr/share/zoneinfo/zone.tab", encoding="ascii") as lines:
        for line in lines:
            if not line.startswith("#"):
                region, _, name = line.rstrip("\n").split("\t")[:3]
                table.setdefault(region, []).append(name)
    return table


def milliseconds(local, zone, last):
    """When a zone's clocks show a local time: the last or the first time, or after the gap."""
    found = []
    for fold in (0, 1):
        moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        found.append((int((moment - EPOCH) / SECOND),
                      moment.astimezone(zone).replace(tzinfo=None) == local))
    if any(exists for _, exists in found):
        return (max if last else min)(moment for moment, exists in found if exists) * 1000
    low, high = min(found)[0] - 86_400, max(found)[0] + 86_400   # skipped: find the gap by halving
    while high - low > 1:
        middle = (low + high) // 2
        shown = (EPOCH + dt.timedelta(seconds=middle)).astimezone(zone).replace(tzinfo=None)
        low, high = (middle, high) if shown < local else (low, middle)
    return high * 1000


@functools.cache
def switches(name):
    """The changes of one zone's clocks, in seconds; no two are within four days."""
    return list(changes(zone_info(name), seconds(2023), seconds(2032), step=4 * 86_400))


@functools.cache
def days(name):
    """Each day of one zone: its midnight, the weekday, and midnight in ms if no change is near."""
    zone, found, day = zone_info(name), [], dt.datetime(2023, 12, 20)
    near = [(change - 2 * 86_400, change + 2 * 86_400) for change in switches(name)]
    while day < dt.datetime(2031, 1, 31):
        opens = int((day.replace(tzinfo=zone) - EPOCH) / SECOND)
        while near and near[0][1] < opens:
            near.pop(0)
        found.append((day, day.weekday(), None if near and near[0][0] < opens else opens * 1000))
        day += dt.timedelta(days=1)
    return found


@functools.cache
def openings(name, start, end, last_day):
    """All openings of one zone's clocks: when they begin and when they end, in ms."""
    zone, begins, ends = zone_info(name), array.array("q"), array.array("q")
    for midnight, weekday, plain in days(name):
        if weekday > last_day:
            continue
        if plain is not None:
            opens, closes = plain + start * 60_000, plain + end * 60_000
        else:
            opens = milliseconds(midnight + dt.timedelta(minutes=start), zone, True)
            closes = milliseconds(midnight + dt.timedelta(minutes=end), zone, False)
        if closes - opens >= QUARTER:
            begins.append(opens)
            ends.append(closes)
    return begins, ends


def common(first, second):
    """The openings that two clocks have in common, if they are long enough."""
    begins, ends, i, j = array.array("q"), array.array("q"), 0, 0
    while i < len(first[0]) and j < len(second[0]):
        opens, closes = max(first[0][i], second[0][j]), min(first[1][i], second[1][j])
        if closes - opens >= QUARTER:
            begins.append(opens)
            ends.append(closes)
        if first[1][i] <= second[1][j]: i += 1
        else: j += 1
    return begins, ends


@functools.cache
def clocks(region, zone, setting, hard):
    """The clocks that count: (zone, first minute, end minute, last weekday)."""
    found = set()
    for one in SHARED.get(region, [region]):
        usual, limit, last_day = RULES.get(one, ELSEWHERE)
        start, end = usual
        if hard:
            start, end = limit
        elif setting != "auto":
            wanted = [int(part[:2]) * 60 + int(part[3:]) for part in setting.split("-")]
            start, end = max(wanted[0], limit[0]), min(wanted[1], limit[1])
        for name in [zone] if zone != "-" else zone_tab().get(one, []):
            found.add((name, start, end, last_day))
    return tuple(sorted(found))


@functools.cache
def window(clocks):
    """The window's openings: when they begin and when they end."""
    return functools.reduce(common, (openings(*clock) for clock in clocks)) if clocks else ([], [])


def is_calling_time(region, zone, setting, hard, moment):
    """By the wall, straight from the rule."""
    moment = EPOCH + dt.timedelta(milliseconds=moment)
    shown = [(moment.astimezone(zone_info(name)), start, end, last_day)
             for name, start, end, last_day in clocks(region, zone, setting, hard)]
    return bool(shown) and all(
        start <= local.hour * 60 + local.minute < end and local.weekday() <= last_day
        for local, start, end, last_day in shown)


def problem(fields):
    region, zone, setting, hard, moment, state, change = fields[:7]
    hard, moment = hard == "hard", int(moment)
    change = None if change == "-" else int(change)
    opens, closes = window(clocks(region, zone, setting, hard))
    if state == "open" and not is_calling_time(region, zone, setting, hard, moment):
        return "open although the wall says otherwise"
    index = bisect.bisect_right(closes, moment)
    if index < len(opens) and opens[index] <= moment:
        want = ("open", closes[index])
    elif index < len(opens) and opens[index] - moment <= HORIZON:
        want = ("closed", opens[index])
    else:
        want = ("closed", None)
    if (state, change) != want:
        return f"want {want}"
    if state == "closed" and change is not None:
        placed = int(fields[8])
        if not (change <= placed < min(change + QUARTER, closes[index])):
            return "a held call is placed outside the first quarter of an hour"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    names = sorted(name for name in zoneinfo.available_timezones() if name[0].isupper())
    print(f"seed {options.seed}", flush=True)
    judged = wrong = opened = 0
    with subject.built() as program, tempfile.TemporaryFile("w+") as zones:
        for name in names:
            during = (moment for moment in switches(name) if seconds(2024) <= moment < seconds(2031))
            print(name, *(1000 * moment for moment in during), sep="\t", file=zones)
        zones.seek(0)
        command = [program, "window", str(options.count), str(options.seed)]
        with subprocess.Popen(command, stdin=zones, stdout=subprocess.PIPE, text=True) as answers:
            for line in answers.stdout:
                fields = line.rstrip("\n").split("\t")
                judged += 1
                opened += fields[5] == "open"
                found = problem(fields)
                if found:
                    wrong += 1
                    if wrong <= 10:
                        print("DIFF", *fields, found)
        passed = wrong == 0 and answers.returncode == 0 and judged >= options.count
    print(f"{'OK' if passed else 'FAIL'} {judged} cases ({opened} open), {wrong} differences, "
          f"{len(names)} zones, seed {options.seed}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
