"""Fills a new database with many leads, each with a past.

The file is written directly and with its triggers and indexes put aside, so nothing else may have it open meanwhile; what
the triggers count is counted at the end. Every lead has been called once and was not reached; every tenth waits for a
retry, a week from now.
"""

import os
import sqlite3
import subprocess

MONDAY = 1_795_411_800_000  # 2026-11-23, 11:00 in India: everybody's calling hours
DAY = 86_400_000


def create(path, binaries, leads, live=False):
    """Makes the database; with `live`, everybody's call is under way and Vapi calls it `call-N`, N from 0."""
    subprocess.run([binaries / "presalesctl", "migrate"], env={**os.environ, "DATABASE_URL": f"sqlite:{path}"}, check=True, stdout=subprocess.DEVNULL)
    with Directly(path) as database:
        laid_aside = database.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL ORDER BY type"
        ).fetchall()
        for kind, name, _ in laid_aside:
            database.execute(f"DROP {kind} {name}")
        for table in LIVE if live else PAST:
            database.execute(table, {"leads": leads, "now": MONDAY})
        for statement in COUNTS:
            database.execute(statement)
        for _, _, statement in laid_aside:
            database.execute(statement)


def add_due(path, count, series):
    """Makes calls due to as many leads, spread over all of them; each series are others. Calls under way are over."""
    with Directly(path) as database:
        database.execute("UPDATE calls SET state = 'ended', ended_at = heard_at, outcome = 'missed' WHERE outcome IS NULL")
        leads = database.execute("SELECT max(id) FROM leads").fetchone()[0]
        database.executemany(
            "INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, created_at) VALUES (?, 'operator', 2, ?, ?, ?)",
            [(leads // count * i + series + 1, MONDAY - 1000, MONDAY - 1000, MONDAY - 1000) for i in range(count)],
        )


class Directly:
    """The file itself, quick and not safe."""

    def __init__(self, path):
        self.database = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = off", "synchronous = off", "cache_size = -400000", "temp_store = memory"):
            self.database.execute(f"PRAGMA {setting}").fetchall()

    def __enter__(self):
        return self.database

    def __exit__(self, *_):
        self.database.execute("PRAGMA journal_mode = wal").fetchall()
        self.database.close()


N = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :leads - 1)"
NUMBER = "'+9198' || printf('%08d', i)"
WORDS = "INSERT INTO lead_words SELECT w.value, l.id FROM leads AS l, json_each(l.words) AS w ORDER BY 1, 2"
LEADS = f"""
    INSERT INTO leads (lead_uuid, name, number, region, email, whatsapp_number, partner, words, call_status, retry_count,
        next_retry_time, vapi_call_id, last_call_time, summary, structured_data, country, university, intake, budget,
        journey_state, change_seq, created_at, last_updated_at)
    {N} SELECT printf('%08x-0000-4000-8000-%012x', i * 2654435761 % 4294967296, i), 'Lead Number ' || i, {NUMBER}, 'IN',
        'lead' || i || '@example.in', {NUMBER}, 'Partner ' || (i % 40),
        json_array('lead', 'number', '' || i, substr({NUMBER}, 2), substr({NUMBER}, 4), 'lead' || i || '@example.in'), {{status}},
        CASE WHEN i % 10 = 0 THEN {{retry}} ELSE 0 END, CASE WHEN i % 10 = 0 AND {{retry}} THEN :now + 7 * {DAY} END, 'call-' || i,
        :now - 2 * {DAY} + i % 3600000, 'Student interested in studying in the USA next fall.',
        '{{{{"country": "USA", "university": "MIT", "intake": "Fall 2026", "budget": "$1500/month"}}}}', 'USA', 'MIT', 'Fall 2026',
        '$1500/month', {{journey}}, i + 1, :now - 30 * {DAY} + i / 5000 * 60000, :now FROM n"""
REQUESTS = f"""
    INSERT INTO dial_requests (id, lead_id, kind, rank, due_at, promised_at, state, created_at, settled_at)
    SELECT id, id, 'schedule', 4, last_call_time, last_call_time, 'done', created_at, last_call_time FROM leads"""
CALLS = f"""
    INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state, previous_status, vapi_call_id, created_at, heard_at,
        started_at, ended_at, ended_reason, outcome, reported_at, duration_ms, cost)
    SELECT 'attempt-' || id, id, id, 'schedule', number, {{state}}, 'pending', vapi_call_id, last_call_time, last_call_time,
        {{values}} FROM leads"""
STEPS = """
    INSERT INTO journey_steps (lead_id, call_id, at, node, decision, reason)
    SELECT id, id, last_call_time, 'initiate_call', 'dial', 'The lead is part of a bulk schedule.' FROM leads"""
RETRIES = """
    INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, created_at)
    SELECT id, 'retry', 3, next_retry_time, next_retry_time, last_call_time FROM leads WHERE next_retry_time IS NOT NULL"""
PAST = [
    LEADS.format(status="'missed'", retry=1, journey="CASE WHEN i % 10 = 0 THEN 'waiting' ELSE 'exhausted' END"),
    WORDS,
    REQUESTS,
    CALLS.format(state="'ended'", values="last_call_time, last_call_time, 'customer-did-not-answer', 'missed', last_call_time, 0, 0.01"),
    STEPS,
    RETRIES,
]
LIVE = [
    LEADS.format(status="'initiated'", retry=0, journey="'calling'"),
    WORDS,
    REQUESTS,
    CALLS.format(state="'queued'", values="NULL, NULL, NULL, NULL, NULL, NULL, NULL"),
    STEPS,
]
COUNTS = [
    "INSERT INTO lead_counts SELECT call_status, ifnull(success_status, ''), ifnull(partner, ''), count(*) FROM leads GROUP BY 1, 2, 3",
    "INSERT INTO tallies SELECT 'dial_requests', state, count(*) FROM dial_requests GROUP BY state",
    "INSERT INTO call_totals SELECT outcome, count(*), sum(duration_ms), sum(cost) FROM calls WHERE outcome IS NOT NULL GROUP BY outcome",
    "UPDATE change_counter SET value = (SELECT ifnull(max(change_seq), 0) + 1 FROM leads)",
]
