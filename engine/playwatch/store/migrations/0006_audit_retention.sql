-- The audit may be shortened: never by what is younger than 90 days, and never
-- without an entry that says so.

DROP TRIGGER audit_is_not_removed;

CREATE TRIGGER audit_is_not_removed_young BEFORE DELETE ON audit
WHEN OLD.at >= 1000 * (CAST(strftime('%s', 'now') AS INTEGER) - 90 * 86400)
BEGIN
    SELECT RAISE(ABORT, 'the audit of the last 90 days is never removed');
END;

-- Whoever removes entries first adds one that names the moment before which they
-- were made; it is the newest while they go, and stays behind.
CREATE TRIGGER audit_is_not_removed_unsaid BEFORE DELETE ON audit
WHEN NOT EXISTS (
    SELECT 1 FROM audit
    WHERE number = (SELECT max(number) FROM audit)
        AND what = 'audit shortened'
        AND json_extract(after, '$.before_ms') > OLD.at
)
BEGIN
    SELECT RAISE(ABORT, 'the audit is never removed unsaid');
END;
