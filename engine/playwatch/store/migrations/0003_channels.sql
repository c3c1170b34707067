-- Channels that were added at run time, and the audit of what people changed.

-- `settings` is the channel as JSON with its secrets masked: they are in the key
-- ring, found by the fingerprint.
CREATE TABLE channels (
    number          INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    settings        TEXT    NOT NULL,
    key_fingerprint TEXT    NOT NULL,
    is_enabled      INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    added_at        INTEGER NOT NULL,
    added_by        TEXT    NOT NULL
) STRICT;

-- Never changed, never removed: the store itself refuses.
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    before  TEXT    NOT NULL, -- as JSON
    after   TEXT    NOT NULL  -- as JSON
) STRICT;

CREATE INDEX audit_by_subject ON audit (subject, number);

CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is never altered');
END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is never removed');
END;

-- A REPLACE would remove a row past the trigger above.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'the audit is never replaced');
END;
