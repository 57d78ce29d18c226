/// The schema's history: ordered, appended and, once it is released, never edited.
///
/// A migration is SQL only, so that today's code cannot change what yesterday's step does. Programs
/// work on a schema that is newer than they know (expand first, contract a release later).
public enum Migrations {
    /// One step.
    public struct Migration: Sendable {
        /// What it is for.
        public let name: String
        let statements: String
    }

    /// All steps in order; the database's `user_version` says how many it has.
    public static let all = [
        Migration(name: "leads, calls, promises and the journey", statements: schema1)
    ]

    /// Applies the steps that a database lacks, each in a transaction of its own.
    ///
    /// Safe to run by several processes at once and to be killed at any point.
    /// - Returns: The names of the steps that it applied.
    /// - Throws: ``Database/Unavailable``.
    @discardableResult
    public static func apply(
        _ migrations: [Migration] = all,
        toDatabaseAt path: String
    ) throws -> [String] {
        let database = Database(path: path, requiredVersion: nil)
        var applied: [String] = []
        for (index, migration) in migrations.enumerated() {
            let isNew = try database.write { connection in
                let version: Int = try connection.value("PRAGMA user_version") ?? 0
                guard version == index else { return false }
                try connection.executeScript(migration.statements)
                try connection.executeScript("PRAGMA user_version = \(index + 1)")
                return true
            }
            if isNew { applied.append(migration.name) }
        }
        return applied
    }

    /// What every write begins with: its first change takes the next number of the change counter.
    static let beginning: SQL = "UPDATE change_counter SET is_taken = 0 WHERE is_taken = 1"

    private static let schema1 = """
        -- One counter for every change a reader can see: entity tags, the live view, deltas. It counts
        -- writes, not statements: one that changes something takes a number and marks that it did.
        CREATE TABLE change_counter (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            value INTEGER NOT NULL,
            is_taken INTEGER NOT NULL DEFAULT 0 CHECK (is_taken IN (0, 1))
        ) STRICT;
        INSERT INTO change_counter (id, value) VALUES (1, 1);

        CREATE TABLE leads (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            lead_uuid TEXT NOT NULL UNIQUE,
            change_seq INTEGER NOT NULL DEFAULT 0,
            name TEXT NOT NULL,
            number TEXT NOT NULL CHECK (number GLOB '+[1-9]*'),
            number_raw TEXT,
            number_valid INTEGER NOT NULL DEFAULT 1 CHECK (number_valid IN (0, 1)),
            number_invalid INTEGER NOT NULL DEFAULT 0 CHECK (number_invalid IN (0, 1)),
            region TEXT NOT NULL,
            email TEXT,
            whatsapp_number TEXT,
            whatsapp_user_id TEXT,
            partner TEXT,
            -- What a search finds it by, as a JSON array of text.
            words TEXT NOT NULL DEFAULT '[]',
            call_status TEXT NOT NULL DEFAULT 'pending' CHECK (call_status IN
                ('pending', 'initiated', 'answered', 'missed', 'failed', 'completed')),
            success_status TEXT CHECK (success_status IN
                ('Qualified', 'Potential', 'Not Qualified')),
            retry_count INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
            next_retry_time INTEGER,
            vapi_call_id TEXT,
            last_call_time INTEGER,
            call_duration INTEGER,
            recording_url TEXT,
            summary TEXT,
            structured_data TEXT CHECK (structured_data IS NULL OR json_valid(structured_data)),
            country TEXT,
            university TEXT,
            intake TEXT,
            visa_status TEXT,
            budget TEXT,
            transcript TEXT,
            analysis_received_at INTEGER,
            whatsapp_sent INTEGER NOT NULL DEFAULT 0 CHECK (whatsapp_sent IN (0, 1)),
            email_sent INTEGER NOT NULL DEFAULT 0 CHECK (email_sent IN (0, 1)),
            declined_at INTEGER,
            opted_out_at INTEGER,
            timezone TEXT,
            timezone_source TEXT,
            consent_at INTEGER,
            consent_text TEXT,
            consent_source TEXT,
            journey_state TEXT NOT NULL DEFAULT 'new',
            created_at INTEGER NOT NULL,
            last_updated_at INTEGER NOT NULL,
            deleted_at INTEGER
        ) STRICT;
        CREATE UNIQUE INDEX leads_number ON leads (number) WHERE deleted_at IS NULL;
        CREATE INDEX leads_whatsapp ON leads (whatsapp_number)
            WHERE deleted_at IS NULL AND whatsapp_number IS NOT NULL;
        CREATE INDEX leads_whatsapp_user ON leads (whatsapp_user_id)
            WHERE deleted_at IS NULL AND whatsapp_user_id IS NOT NULL;
        CREATE INDEX leads_created ON leads (created_at, id) WHERE deleted_at IS NULL;
        CREATE INDEX leads_name ON leads (name COLLATE NOCASE, id) WHERE deleted_at IS NULL;
        CREATE INDEX leads_last_call ON leads (last_call_time, id) WHERE deleted_at IS NULL;
        CREATE INDEX leads_next_retry ON leads (next_retry_time, id)
            WHERE deleted_at IS NULL;
        -- A filter by status, qualification or partner is a few of lead_counts' groups, and here each
        -- group lies in the order of a list.
        CREATE INDEX leads_group_created ON leads
            (call_status, success_status, partner, created_at, id) WHERE deleted_at IS NULL;
        CREATE INDEX leads_group_last_call ON leads
            (call_status, success_status, partner, last_call_time, id) WHERE deleted_at IS NULL;
        CREATE INDEX leads_group_next_retry ON leads
            (call_status, success_status, partner, next_retry_time, id) WHERE deleted_at IS NULL;

        -- The leads of each word, kept by triggers from leads.words; a deleted lead has none.
        CREATE TABLE lead_words (
            word TEXT NOT NULL,
            lead_id INTEGER NOT NULL,
            PRIMARY KEY (word, lead_id)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER lead_words_added AFTER INSERT ON leads WHEN new.deleted_at IS NULL BEGIN
            INSERT INTO lead_words SELECT value, new.id FROM json_each(new.words);
        END;
        CREATE TRIGGER lead_words_changed AFTER UPDATE OF words, deleted_at ON leads
        WHEN new.words <> old.words OR new.deleted_at IS NOT old.deleted_at BEGIN
            DELETE FROM lead_words WHERE lead_id = old.id
                AND word IN (SELECT value FROM json_each(old.words));
            INSERT INTO lead_words SELECT value, new.id FROM json_each(new.words)
                WHERE new.deleted_at IS NULL;
        END;

        -- How many leads are in each state, kept by triggers: the tiles must not count a million rows.
        CREATE TABLE lead_counts (
            call_status TEXT NOT NULL,
            success_status TEXT NOT NULL,
            partner TEXT NOT NULL,
            leads INTEGER NOT NULL CHECK (leads >= 0),
            PRIMARY KEY (call_status, success_status, partner)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER leads_counted AFTER INSERT ON leads WHEN new.deleted_at IS NULL BEGIN
            INSERT INTO lead_counts VALUES
                (new.call_status, ifnull(new.success_status, ''), ifnull(new.partner, ''), 1)
                ON CONFLICT DO UPDATE SET leads = leads + 1;
        END;
        CREATE TRIGGER leads_recounted
        AFTER UPDATE OF call_status, success_status, partner, deleted_at ON leads
        WHEN new.call_status <> old.call_status OR new.success_status IS NOT old.success_status
            OR new.partner IS NOT old.partner OR new.deleted_at IS NOT old.deleted_at BEGIN
            UPDATE lead_counts SET leads = leads - 1
                WHERE old.deleted_at IS NULL AND call_status = old.call_status
                AND success_status = ifnull(old.success_status, '')
                AND partner = ifnull(old.partner, '');
            INSERT INTO lead_counts SELECT
                new.call_status, ifnull(new.success_status, ''), ifnull(new.partner, ''), 1
                WHERE new.deleted_at IS NULL
                ON CONFLICT DO UPDATE SET leads = leads + 1;
        END;

        CREATE TABLE schedules (
            id INTEGER PRIMARY KEY,
            schedule_id TEXT NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            scheduled_time INTEGER NOT NULL,
            parallel_calls INTEGER NOT NULL CHECK (parallel_calls > 0),
            batch_interval INTEGER NOT NULL CHECK (batch_interval >= 0),
            total_leads INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'cancelled')),
            cancelled_at INTEGER,
            -- By how much pauses have put its batches off, in milliseconds.
            delay INTEGER NOT NULL DEFAULT 0 CHECK (delay >= 0),
            -- How far it is, kept by triggers: promises in each state, and people spoken to.
            waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
            dialed INTEGER NOT NULL DEFAULT 0 CHECK (dialed >= 0),
            skipped INTEGER NOT NULL DEFAULT 0 CHECK (skipped >= 0),
            reached INTEGER NOT NULL DEFAULT 0 CHECK (reached >= 0)
        ) STRICT;

        -- Why people of a schedule are not called by it, kept by triggers.
        CREATE TABLE schedule_skips (
            schedule_id INTEGER NOT NULL REFERENCES schedules (id),
            reason TEXT NOT NULL,
            leads INTEGER NOT NULL CHECK (leads >= 0),
            PRIMARY KEY (schedule_id, reason)
        ) STRICT, WITHOUT ROWID;

        -- The one table of promises to call somebody.
        CREATE TABLE dial_requests (
            id INTEGER PRIMARY KEY,
            lead_id INTEGER NOT NULL REFERENCES leads (id),
            kind TEXT NOT NULL CHECK (kind IN
                ('callback', 'operator', 'retry', 'schedule', 'new')),
            rank INTEGER NOT NULL,
            due_at INTEGER NOT NULL,
            promised_at INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN
                ('waiting', 'claimed', 'done', 'cancelled', 'skipped')),
            reason TEXT,
            schedule_id INTEGER REFERENCES schedules (id),
            -- Whose pause it waits for, 'schedule:ID' or 'partner:NAME': such a promise no longer
            -- stands among those that are due, so that nobody reads past it again and again.
            parked TEXT,
            created_at INTEGER NOT NULL,
            settled_at INTEGER,
            CHECK ((state IN ('waiting', 'claimed')) = (settled_at IS NULL))
        ) STRICT;
        CREATE INDEX dial_requests_due ON dial_requests (rank, due_at, id)
            WHERE state = 'waiting' AND parked IS NULL;
        CREATE INDEX dial_requests_parked ON dial_requests (parked)
            WHERE state = 'waiting' AND parked IS NOT NULL;
        CREATE INDEX dial_requests_lead ON dial_requests (lead_id, state, due_at);
        CREATE INDEX dial_requests_schedule ON dial_requests (schedule_id, state)
            WHERE schedule_id IS NOT NULL;
        -- At most one waiting promise of each automatic kind for a lead.
        CREATE UNIQUE INDEX dial_requests_once ON dial_requests (lead_id, kind)
            WHERE state = 'waiting' AND kind IN ('retry', 'new', 'operator');

        CREATE TABLE calls (
            id INTEGER PRIMARY KEY,
            attempt_id TEXT NOT NULL UNIQUE,
            lead_id INTEGER NOT NULL REFERENCES leads (id),
            request_id INTEGER NOT NULL REFERENCES dial_requests (id),
            kind TEXT NOT NULL,
            number TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('dialing', 'queued', 'ringing', 'in_progress',
                'ended', 'refused', 'not_placed')),
            -- Where the lead was before, for an attempt that is put back.
            previous_status TEXT NOT NULL,
            previous_journey_state TEXT NOT NULL DEFAULT 'new',
            vapi_call_id TEXT UNIQUE,
            control_url TEXT,
            created_at INTEGER NOT NULL,
            heard_at INTEGER NOT NULL,
            started_at INTEGER,
            ended_at INTEGER,
            ended_reason TEXT,
            outcome TEXT CHECK (outcome IN ('completed', 'missed', 'failed')),
            counted INTEGER NOT NULL DEFAULT 1 CHECK (counted IN (0, 1)),
            reported_at INTEGER,
            absent_at INTEGER,
            duration_ms INTEGER,
            cost REAL,
            recording_url TEXT,
            summary TEXT,
            success_status TEXT,
            structured_data TEXT CHECK (structured_data IS NULL OR json_valid(structured_data)),
            transcript TEXT CHECK (transcript IS NULL OR json_valid(transcript)),
            reason TEXT,
            CHECK (outcome IS NULL OR state = 'ended')
        ) STRICT;
        CREATE UNIQUE INDEX calls_one_live_per_lead ON calls (lead_id)
            WHERE state IN ('dialing', 'queued', 'ringing', 'in_progress');
        CREATE UNIQUE INDEX calls_one_live_per_number ON calls (number)
            WHERE state IN ('dialing', 'queued', 'ringing', 'in_progress');
        CREATE INDEX calls_live ON calls (state, heard_at)
            WHERE state IN ('dialing', 'queued', 'ringing', 'in_progress');
        CREATE INDEX calls_unreported ON calls (ended_at) WHERE state = 'ended' AND outcome IS NULL;
        CREATE INDEX calls_ended ON calls (ended_at) WHERE outcome IS NOT NULL;
        CREATE INDEX calls_lead ON calls (lead_id, id);
        CREATE INDEX calls_number ON calls (number, created_at);

        -- Figures of finished calls, kept by trigger.
        CREATE TABLE call_totals (
            outcome TEXT PRIMARY KEY,
            calls INTEGER NOT NULL,
            duration_ms INTEGER NOT NULL,
            cost REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER calls_totalled AFTER UPDATE OF outcome, duration_ms, cost ON calls
        WHEN new.outcome IS NOT NULL BEGIN
            UPDATE call_totals SET calls = calls - 1,
                duration_ms = duration_ms - ifnull(old.duration_ms, 0),
                cost = cost - ifnull(old.cost, 0)
                WHERE outcome = old.outcome;
            INSERT INTO call_totals VALUES
                (new.outcome, 1, ifnull(new.duration_ms, 0), ifnull(new.cost, 0))
                ON CONFLICT DO UPDATE SET calls = calls + 1,
                duration_ms = duration_ms + excluded.duration_ms, cost = cost + excluded.cost;
        END;

        -- Append-only: why a lead was, or was not, called.
        CREATE TABLE journey_steps (
            id INTEGER PRIMARY KEY,
            lead_id INTEGER NOT NULL REFERENCES leads (id),
            call_id INTEGER REFERENCES calls (id),
            at INTEGER NOT NULL,
            node TEXT NOT NULL,
            decision TEXT NOT NULL,
            reason TEXT NOT NULL
        ) STRICT;
        CREATE INDEX journey_steps_lead ON journey_steps (lead_id, id);

        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            message_uuid TEXT NOT NULL UNIQUE,
            lead_id INTEGER REFERENCES leads (id),
            channel TEXT NOT NULL CHECK (channel IN ('whatsapp', 'email', 'call')),
            direction TEXT NOT NULL CHECK (direction IN ('outbound', 'inbound')),
            content TEXT NOT NULL,
            status TEXT NOT NULL,
            provider_id TEXT,
            -- Who wrote, where no lead is known: a number or the channel's own user id.
            sender TEXT,
            metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
            at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX messages_lead ON messages (lead_id, at, id);
        CREATE UNIQUE INDEX messages_provider ON messages (channel, provider_id)
            WHERE provider_id IS NOT NULL;

        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            lead_id INTEGER REFERENCES leads (id),
            -- The call that it follows.
            call_id INTEGER REFERENCES calls (id),
            idempotency_key TEXT NOT NULL UNIQUE,
            payload TEXT NOT NULL CHECK (json_valid(payload)),
            state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN
                ('queued', 'sending', 'sent', 'dead', 'cancelled')),
            due_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state = 'queued';
        CREATE INDEX outbox_lead ON outbox (lead_id, id);

        CREATE TABLE webhook_events (
            id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL,
            event_key TEXT NOT NULL,
            received_at INTEGER NOT NULL,
            body TEXT NOT NULL,
            -- What it was answered, where the answer is more than "received".
            answer TEXT CHECK (answer IS NULL OR json_valid(answer)),
            state TEXT NOT NULL CHECK (state IN ('processed', 'failed', 'unmatched')),
            attempts INTEGER NOT NULL DEFAULT 1,
            UNIQUE (provider, event_key)
        ) STRICT;
        CREATE INDEX webhook_events_failed ON webhook_events (id) WHERE state = 'failed';

        -- Who must not be contacted; survives the lead's deletion and its return in a file.
        CREATE TABLE suppressions (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('number', 'email', 'whatsapp_user')),
            value TEXT NOT NULL,
            reason TEXT NOT NULL CHECK (reason IN ('opted_out', 'declined')),
            channel TEXT NOT NULL,
            words TEXT,
            lead_uuid TEXT,
            at INTEGER NOT NULL,
            UNIQUE (kind, value)
        ) STRICT;

        CREATE TABLE settings (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE audit_log (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            detail TEXT NOT NULL CHECK (json_valid(detail))
        ) STRICT;
        CREATE INDEX audit_log_action ON audit_log (action, at);

        CREATE TABLE job_runs (
            id INTEGER PRIMARY KEY,
            job TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            ended_at INTEGER,
            outcome TEXT CHECK (outcome IN ('ok', 'failed')),
            counts TEXT CHECK (counts IS NULL OR json_valid(counts))
        ) STRICT;
        CREATE INDEX job_runs_job ON job_runs (job, id);
        -- Up to when a job has seen everything. Nobody reads it on a page, so it is not among the
        -- settings, each of whose changes is a new state of every list.
        CREATE TABLE job_marks (
            job TEXT PRIMARY KEY,
            seen_until INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Figures of tables that grow for ever, kept by triggers: nobody counts a million rows.
        CREATE TABLE tallies (
            subject TEXT NOT NULL,
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (subject, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER leads_opted_out AFTER UPDATE OF opted_out_at, deleted_at ON leads
        WHEN (old.opted_out_at IS NOT NULL AND old.deleted_at IS NULL)
            <> (new.opted_out_at IS NOT NULL AND new.deleted_at IS NULL) BEGIN
            INSERT INTO tallies VALUES ('leads', 'opted_out',
                iif(new.opted_out_at IS NOT NULL AND new.deleted_at IS NULL, 1, -1))
                ON CONFLICT DO UPDATE SET count = count + excluded.count;
        END;
        CREATE TRIGGER leads_inserted_opted_out AFTER INSERT ON leads
        WHEN new.opted_out_at IS NOT NULL AND new.deleted_at IS NULL BEGIN
            INSERT INTO tallies VALUES ('leads', 'opted_out', 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER dial_requests_counted AFTER INSERT ON dial_requests BEGIN
            INSERT INTO tallies VALUES ('dial_requests', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
            UPDATE schedules SET waiting = waiting + 1 WHERE id = new.schedule_id;
        END;
        CREATE TRIGGER dial_requests_recounted AFTER UPDATE OF state ON dial_requests
        WHEN new.state <> old.state BEGIN
            UPDATE tallies SET count = count - 1
                WHERE subject = 'dial_requests' AND name = old.state;
            INSERT INTO tallies VALUES ('dial_requests', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
            UPDATE schedules SET
                waiting = waiting + (new.state = 'waiting') - (old.state = 'waiting'),
                dialed = dialed + (new.state IN ('claimed', 'done'))
                    - (old.state IN ('claimed', 'done'))
                WHERE id = new.schedule_id;
        END;
        -- Whoever a schedule will not call, and why; a cancelled schedule skips nobody.
        CREATE TRIGGER schedule_leads_skipped AFTER UPDATE OF state ON dial_requests
        WHEN new.schedule_id IS NOT NULL AND new.state IN ('skipped', 'cancelled')
            AND old.state NOT IN ('skipped', 'cancelled')
            AND new.reason IS NOT 'schedule_cancelled' BEGIN
            UPDATE schedules SET skipped = skipped + 1 WHERE id = new.schedule_id;
            INSERT INTO schedule_skips VALUES (new.schedule_id, ifnull(new.reason, new.state), 1)
                ON CONFLICT DO UPDATE SET leads = leads + 1;
        END;
        CREATE TRIGGER schedule_leads_revived AFTER UPDATE OF state ON dial_requests
        WHEN new.schedule_id IS NOT NULL AND old.state IN ('skipped', 'cancelled')
            AND new.state NOT IN ('skipped', 'cancelled')
            AND old.reason IS NOT 'schedule_cancelled' BEGIN
            UPDATE schedules SET skipped = skipped - 1 WHERE id = new.schedule_id;
            UPDATE schedule_skips SET leads = leads - 1 WHERE schedule_id = new.schedule_id
                AND reason = ifnull(old.reason, old.state);
        END;
        -- What waited for the pause of another partner no longer does.
        CREATE TRIGGER leads_partner_changed AFTER UPDATE OF partner ON leads
        WHEN new.partner IS NOT old.partner BEGIN
            UPDATE dial_requests SET parked = NULL WHERE lead_id = new.id AND state = 'waiting'
                AND parked = 'partner:' || old.partner;
        END;
        CREATE TRIGGER calls_reached AFTER UPDATE OF outcome ON calls
        WHEN new.kind = 'schedule' AND new.outcome IS NOT old.outcome BEGIN
            UPDATE schedules SET reached = reached + (new.outcome IS 'completed')
                - (old.outcome IS 'completed')
                WHERE id = (SELECT schedule_id FROM dial_requests WHERE id = new.request_id);
        END;
        CREATE TRIGGER outbox_counted AFTER INSERT ON outbox BEGIN
            INSERT INTO tallies VALUES ('outbox', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER outbox_recounted AFTER UPDATE OF state ON outbox
        WHEN new.state <> old.state BEGIN
            UPDATE tallies SET count = count - 1 WHERE subject = 'outbox' AND name = old.state;
            INSERT INTO tallies VALUES ('outbox', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER webhook_events_counted AFTER INSERT ON webhook_events BEGIN
            INSERT INTO tallies VALUES ('webhook_events', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER webhook_events_recounted AFTER UPDATE OF state ON webhook_events
        WHEN new.state <> old.state BEGIN
            UPDATE tallies SET count = count - 1
                WHERE subject = 'webhook_events' AND name = old.state;
            INSERT INTO tallies VALUES ('webhook_events', new.state, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER job_runs_counted AFTER UPDATE OF outcome ON job_runs
        WHEN old.outcome IS NULL AND new.outcome IS NOT NULL BEGIN
            INSERT INTO tallies VALUES ('job_runs', new.job || ' ' || new.outcome, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END;

        -- change_seq: whatever a reader of a lead can see stamps the lead with the number of the write.
        -- A row is not written a second time for a number that it has already, so who adds many leads
        -- gives them theirs.
        CREATE TRIGGER leads_inserted AFTER INSERT ON leads BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER leads_changed AFTER UPDATE ON leads
        WHEN new.change_seq = old.change_seq BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER calls_inserted AFTER INSERT ON calls BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER calls_changed AFTER UPDATE ON calls BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER journey_steps_inserted AFTER INSERT ON journey_steps BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER dial_requests_inserted AFTER INSERT ON dial_requests BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER dial_requests_changed AFTER UPDATE ON dial_requests BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER messages_inserted AFTER INSERT ON messages BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER messages_changed AFTER UPDATE ON messages BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER outbox_changed AFTER UPDATE ON outbox BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
            UPDATE leads SET change_seq = (SELECT value FROM change_counter)
                WHERE id = new.lead_id AND change_seq <> (SELECT value FROM change_counter);
        END;
        CREATE TRIGGER settings_inserted AFTER INSERT ON settings BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
        END;
        CREATE TRIGGER settings_changed AFTER UPDATE ON settings BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
        END;
        CREATE TRIGGER settings_deleted AFTER DELETE ON settings BEGIN
            UPDATE change_counter SET value = value + 1, is_taken = 1 WHERE is_taken = 0;
        END;
        """
}

extension Connection {
    /// Runs several statements without arguments.
    ///
    /// - Throws: ``Database/Unavailable``.
    func executeScript(_ text: String) throws {
        try translating { try handle.execute(sql: text) }
    }
}
