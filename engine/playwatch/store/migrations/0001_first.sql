-- The first schema.
--
-- The migrations are the only description of the schema: a schema.sql beside
-- them would be a second truth to keep equal. A file is named by the version it
-- leads to, runs in one transaction, and is never changed once released.
--
-- Times are milliseconds since the epoch, UTC. `number` is the order of
-- insertion; it is a declared column because VACUUM renumbers hidden rowids.

-- "Plyw": tells a store of Playwatch from any other SQLite file.
PRAGMA application_id = 1349286263;

-- One row: the name that the ids of this installation's incidents derive from.
CREATE TABLE installation (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL
) STRICT;

INSERT INTO installation (id, name) VALUES (1, lower(hex(randomblob(8))));

-- `body` is the whole incident as JSON; the other columns are what is searched.
CREATE TABLE incidents (
    number       INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    incident_key TEXT    NOT NULL,
    rule         TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('open', 'closed', 'expired')),
    opened_at    INTEGER NOT NULL,
    body         TEXT    NOT NULL
) STRICT;

CREATE INDEX incidents_by_age ON incidents (opened_at, number);
CREATE INDEX incidents_by_rule ON incidents (rule, opened_at, number);
CREATE INDEX incidents_by_status ON incidents (status, opened_at, number);

-- The outbox and its history. `incident` is the incident as it was when the
-- message was decided: every attempt sends these facts.
CREATE TABLE deliveries (
    number          INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    incident_id     TEXT    NOT NULL REFERENCES incidents (id),
    channel         TEXT    NOT NULL,
    key_fingerprint TEXT    NOT NULL,
    action          TEXT    NOT NULL CHECK (action IN ('trigger', 'resolve')),
    dedup_key       TEXT    NOT NULL,
    urgency         INTEGER NOT NULL, -- the smaller, the sooner it is sent
    created_at      INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    not_before_at   INTEGER NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('pending', 'sent', 'dead')),
    reason          TEXT    NOT NULL,
    incident        TEXT    NOT NULL
) STRICT;

CREATE INDEX deliveries_by_incident ON deliveries (incident_id, number);

-- Only pending deliveries are in these three, so years of history cost nothing.
-- The queue of one incident in one channel; what to send first; what is due next.
CREATE INDEX pending_queues ON deliveries (channel, incident_id, number)
    WHERE status = 'pending';
CREATE INDEX pending_by_urgency ON deliveries
    (channel, urgency, created_at, number, not_before_at, incident_id)
    WHERE status = 'pending';
CREATE INDEX pending_by_time ON deliveries (channel, not_before_at, incident_id, number)
    WHERE status = 'pending';

-- Ended attempts, never changed, each with the state it left its delivery in.
CREATE TABLE attempts (
    number        INTEGER PRIMARY KEY,
    delivery_id   TEXT    NOT NULL REFERENCES deliveries (id),
    at            INTEGER NOT NULL,
    duration_ms   REAL    NOT NULL,
    outcome       TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    attempts      INTEGER NOT NULL,
    not_before_at INTEGER NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('pending', 'sent', 'dead')),
    reason        TEXT    NOT NULL
) STRICT;

CREATE INDEX attempts_by_delivery ON attempts (delivery_id, number);

-- A snapshot is written in pieces, each its own transaction, so that a large
-- one never makes an incident wait; it counts from the moment it is complete.
CREATE TABLE snapshots (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    taken_at    INTEGER NOT NULL,
    is_complete INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE snapshot_pieces (
    number      INTEGER PRIMARY KEY,
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id),
    name        TEXT    NOT NULL,
    body        BLOB    NOT NULL
) STRICT;

CREATE INDEX snapshot_pieces_by_snapshot ON snapshot_pieces (snapshot_id, number);
