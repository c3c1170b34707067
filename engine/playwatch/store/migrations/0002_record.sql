-- Silences, and the record of every incident: what was decided and why, and
-- what people said about it.

CREATE TABLE silences (
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    matchers   TEXT    NOT NULL, -- as JSON
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    comment    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX silences_by_end ON silences (ends_at);

-- Never changed. `body` is the whole decision as JSON.
CREATE TABLE decisions (
    number      INTEGER PRIMARY KEY,
    incident_id TEXT    NOT NULL REFERENCES incidents (id),
    at          INTEGER NOT NULL,
    what        TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    UNIQUE (incident_id, at, what)
) STRICT;

CREATE INDEX decisions_by_incident ON decisions (incident_id, number);

-- Never changed.
CREATE TABLE remarks (
    number      INTEGER PRIMARY KEY,
    incident_id TEXT    NOT NULL REFERENCES incidents (id),
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('acknowledged', 'note')),
    author      TEXT    NOT NULL,
    text        TEXT    NOT NULL
) STRICT;

CREATE INDEX remarks_by_incident ON remarks (incident_id, number);

-- Dead letters are looked for by status, years later too.
CREATE INDEX deliveries_by_status ON deliveries (status, number);
