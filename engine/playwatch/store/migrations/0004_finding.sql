-- What lists of incidents are searched and sorted by, beside the whole incident.
--
-- Plain columns, written with the incident: an expression over `body` would fail
-- with every row that a disk has spoilt.

ALTER TABLE incidents ADD COLUMN alert_type TEXT;
ALTER TABLE incidents ADD COLUMN severity INTEGER;
ALTER TABLE incidents ADD COLUMN metric TEXT;
ALTER TABLE incidents ADD COLUMN ended_at INTEGER;
ALTER TABLE incidents ADD COLUMN value REAL;
ALTER TABLE incidents ADD COLUMN viewers INTEGER;
ALTER TABLE incidents ADD COLUMN viewers_per_hour REAL;

UPDATE incidents SET
    alert_type = json_extract(body, '$.alert_type'),
    severity = json_extract(body, '$.severity'),
    metric = json_extract(body, '$.measurement'),
    ended_at = json_extract(body, '$.ended_at'),
    value = CASE json_type(body, '$.measured_value')
        WHEN 'text' THEN NULL
        ELSE json_extract(body, '$.measured_value')
    END,
    viewers = json_extract(body, '$.affected_viewers'),
    viewers_per_hour = 3600.0 * json_extract(body, '$.affected_viewers') / max(
        1.0,
        (json_extract(body, '$.opened_at') - json_extract(body, '$.started_at')) / 1000.0,
        CASE json_type(body, '$.window_s')
            WHEN 'text' THEN 1.0
            ELSE json_extract(body, '$.window_s')
        END
    )
WHERE json_valid(body);

-- Lists are answered from this index alone; the incidents of one page are then
-- read one by one.
CREATE INDEX incidents_for_lists ON incidents (
    opened_at, number, status, rule, alert_type, severity, metric, ended_at,
    value, viewers, viewers_per_hour
);
DROP INDEX incidents_by_age;
DROP INDEX incidents_by_rule;

CREATE INDEX incidents_by_key ON incidents (incident_key, opened_at);

-- The groups of incidents, a row for each dimension.
CREATE TABLE incident_dimensions (
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    incident_id TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    PRIMARY KEY (name, value, incident_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX incident_dimensions_by_incident ON incident_dimensions (incident_id);

INSERT OR IGNORE INTO incident_dimensions (name, value, incident_id)
SELECT json_extract(pair.value, '$[0]'), json_extract(pair.value, '$[1]'), incidents.id
FROM incidents, json_each(incidents.body, '$.breakdowns') AS pair
WHERE json_valid(incidents.body);
