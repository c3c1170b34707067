-- Every statement of the store, by name. The line after the name says what it
-- answers; `:names` are its parameters.

-- name: installation
-- The name made when the store was created.
SELECT name FROM installation;

-- name: put_incident
-- Store an incident, or the later state of one that is stored. Nothing changes
-- when the id belongs to another opening, so that two can never become one.
INSERT INTO incidents (
    id, incident_key, rule, status, opened_at, body,
    alert_type, severity, metric, ended_at, value, viewers, viewers_per_hour
)
VALUES (
    :id, :incident_key, :rule, :status, :opened_at, :body,
    :alert_type, :severity, :metric, :ended_at, :value, :viewers, :viewers_per_hour
)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status,
    body = excluded.body,
    severity = excluded.severity,
    ended_at = excluded.ended_at,
    value = excluded.value,
    viewers = excluded.viewers,
    viewers_per_hour = excluded.viewers_per_hour
WHERE incident_key = excluded.incident_key AND opened_at = excluded.opened_at;

-- name: put_text
-- Store what a search by text looks through, or its later state.
INSERT INTO incident_texts (number, text)
SELECT number, :text FROM incidents WHERE id = :id
ON CONFLICT (number) DO UPDATE SET text = excluded.text WHERE text <> excluded.text;

-- name: add_dimension
-- Store one dimension of an incident's group; again is harmless.
INSERT INTO incident_dimensions (name, value, incident_id)
VALUES (:name, :value, :incident_id)
ON CONFLICT (name, value, incident_id) DO NOTHING;

-- name: add_delivery
-- Store a new delivery; one whose id is stored already stays as it is.
INSERT INTO deliveries (
    id, incident_id, channel, key_fingerprint, action, dedup_key, urgency,
    created_at, attempts, not_before_at, status, reason, incident
)
VALUES (
    :id, :incident_id, :channel, :key_fingerprint, :action, :dedup_key, :urgency,
    :created_at, :attempts, :not_before_at, :status, :reason, :incident
)
ON CONFLICT (id) DO NOTHING;

-- name: add_attempt
-- Store one ended attempt.
INSERT INTO attempts (
    delivery_id, at, duration_ms, outcome, detail,
    attempts, not_before_at, status, reason, is_shortened
)
VALUES (
    :delivery_id, :at, :duration_ms, :outcome, :detail,
    :attempts, :not_before_at, :status, :reason, :is_shortened
);

-- name: update_delivery
-- Store how a delivery stands after an attempt.
UPDATE deliveries
SET attempts = :attempts, not_before_at = :not_before_at, status = :status, reason = :reason,
    is_shortened = :is_shortened
WHERE id = :delivery_id;

-- name: due
-- Pending deliveries of a channel that may be sent at `:now_at`: no older one of
-- the same incident is pending, and none of `:busy` (ids as JSON) is about it.
SELECT head.*
FROM deliveries AS head INDEXED BY pending_by_urgency
WHERE head.channel = :channel
    AND head.status = 'pending'
    AND head.not_before_at <= :now_at
    AND head.incident_id NOT IN (
        SELECT incident_id FROM deliveries
        WHERE id IN (SELECT value FROM json_each(:busy)) AND channel = :channel
    )
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS older INDEXED BY pending_queues
        WHERE older.channel = :channel
            AND older.status = 'pending'
            AND older.incident_id = head.incident_id
            AND older.number < head.number
    )
ORDER BY head.urgency, head.created_at, head.number
LIMIT :limit;

-- name: next_due_at
-- When the first of a channel's queues may send; see `due`.
SELECT head.not_before_at
FROM deliveries AS head INDEXED BY pending_by_time
WHERE head.channel = :channel
    AND head.status = 'pending'
    AND head.incident_id NOT IN (
        SELECT incident_id FROM deliveries
        WHERE id IN (SELECT value FROM json_each(:busy)) AND channel = :channel
    )
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS older INDEXED BY pending_queues
        WHERE older.channel = :channel
            AND older.status = 'pending'
            AND older.incident_id = head.incident_id
            AND older.number < head.number
    )
ORDER BY head.not_before_at
LIMIT 1;

-- name: open_incidents
-- Every open incident, the oldest first.
SELECT id, status, body FROM incidents WHERE status = 'open' ORDER BY opened_at, number;

-- name: routed
-- Who was told of some incidents (ids as JSON): triggers, and the resolves that
-- took back what a channel had been told, in the order they were decided.
SELECT * FROM deliveries
WHERE incident_id IN (SELECT value FROM json_each(:incident_ids))
    AND (action = 'trigger' OR id GLOB '*/withdrawn-*')
ORDER BY number;

-- name: matching
-- Numbers of the incidents that a list shows, to be counted or sorted. A
-- parameter that is NULL asks for nothing; lists are JSON.
SELECT number
FROM incidents INDEXED BY incidents_for_lists
WHERE (:status IS NULL OR status = :status)
    AND (NOT :is_ended OR status <> 'open')
    AND (:rule IS NULL OR rule = :rule)
    AND (:alert_type IS NULL OR alert_type = :alert_type)
    AND (:severities IS NULL OR severity IN (SELECT value FROM json_each(:severities)))
    AND (:metric IS NULL OR metric = :metric)
    AND (:begin_at IS NULL OR ended_at IS NULL OR ended_at >= :begin_at)
    AND (:end_at IS NULL OR opened_at < :end_at)
    AND (:dimensions IS NULL OR number IN (
        SELECT incidents.number
        FROM json_each(:dimensions) AS wanted
        JOIN incident_dimensions AS has
            ON has.name = json_extract(wanted.value, '$[0]')
            AND has.value = json_extract(wanted.value, '$[1]')
        JOIN incidents ON incidents.id = has.incident_id
        GROUP BY incidents.number
        HAVING count(*) = json_array_length(:dimensions)
    ))
    AND (:related_to IS NULL OR number IN (
        SELECT other.number
        FROM incidents AS this
        JOIN incidents AS other ON other.incident_key = this.incident_key
        WHERE this.id = :related_to AND other.id <> this.id
        UNION
        SELECT other.number
        FROM incidents AS this
        JOIN incidents AS other INDEXED BY incidents_for_lists
            ON other.opened_at <= ifnull(this.ended_at, other.opened_at)
            AND ifnull(other.ended_at, this.opened_at) >= this.opened_at
        WHERE this.id = :related_to AND other.number <> this.number AND (
            other.metric = this.metric
            OR other.number IN (
                SELECT incidents.number
                FROM incident_dimensions AS mine
                JOIN incident_dimensions AS has
                    ON has.name = mine.name AND has.value = mine.value
                JOIN incidents ON incidents.id = has.incident_id
                WHERE mine.incident_id = :related_to
            )
        )
    ));

-- name: bodies
-- Incidents by their numbers (as JSON), in that order.
SELECT incidents.id, incidents.status, incidents.body
FROM json_each(:numbers) AS listed
JOIN incidents ON incidents.number = listed.value
ORDER BY listed.key;

-- name: notices
-- Messages about some incidents (ids as JSON), with the time of the last attempt of each.
SELECT
    deliveries.number,
    deliveries.incident_id,
    deliveries.channel,
    deliveries.created_at,
    (SELECT max(at) FROM attempts WHERE attempts.delivery_id = deliveries.id) AS attempted_at
FROM deliveries
WHERE deliveries.incident_id IN (SELECT value FROM json_each(:incident_ids))
ORDER BY deliveries.number;

-- name: incident
-- One incident.
SELECT id, status, body FROM incidents WHERE id = :id;

-- name: deliveries_of_incident
-- The deliveries of one incident, in the order they were decided.
SELECT * FROM deliveries WHERE incident_id = :id ORDER BY number;

-- name: attempts_of_incident
-- The attempts about one incident, in the order they ended.
SELECT attempts.*
FROM deliveries JOIN attempts ON attempts.delivery_id = deliveries.id
WHERE deliveries.incident_id = :id
ORDER BY attempts.number;

-- name: begin_snapshot
-- Make room for a snapshot; it does not count yet.
INSERT INTO snapshots (taken_at) VALUES (:taken_at) RETURNING id;

-- name: add_snapshot_piece
-- Store the next piece of a part.
INSERT INTO snapshot_pieces (snapshot_id, name, body) VALUES (:snapshot_id, :name, :body);

-- name: complete_snapshot
-- Make a snapshot count: from here on it is the newest.
UPDATE snapshots SET is_complete = 1 WHERE id = :snapshot_id;

-- name: newest_snapshot
-- The newest complete snapshot.
SELECT id, taken_at FROM snapshots WHERE is_complete ORDER BY id DESC LIMIT 1;

-- name: pieces_of_snapshot
-- The pieces of one snapshot, in the order they were written.
SELECT name, body FROM snapshot_pieces WHERE snapshot_id = :snapshot_id ORDER BY number;

-- name: drop_old_piece
-- Remove one piece that is not of the newest complete snapshot.
DELETE FROM snapshot_pieces WHERE number IN (
    SELECT number FROM snapshot_pieces
    WHERE snapshot_id IS NOT (SELECT max(id) FROM snapshots WHERE is_complete)
    LIMIT 1
);

-- name: drop_old_snapshots
-- Remove every snapshot but the newest complete one, once their pieces are gone.
DELETE FROM snapshots
WHERE id IS NOT (SELECT max(id) FROM snapshots WHERE is_complete);

-- name: copies_of_incident
-- The facts of an incident wherever they stand, the newest first.
SELECT body FROM (
    SELECT body, 9223372036854775807 AS number FROM incidents WHERE id = :id
    UNION ALL
    SELECT incident AS body, number FROM deliveries WHERE incident_id = :id
)
ORDER BY number DESC;

-- name: remains_of_incident
-- What the columns say of an incident.
SELECT incident_key, rule, status, opened_at FROM incidents WHERE id = :id;

-- name: mend_incident
-- Replace facts that cannot be read.
UPDATE incidents SET body = :body WHERE id = :id;

-- name: mend_delivery
-- Replace facts that cannot be read.
UPDATE deliveries SET incident = :body WHERE id = :id;

-- name: add_decision
-- Add a decision to the record of its incident; one that is there already stays.
INSERT INTO decisions (incident_id, at, what, body)
VALUES (:incident_id, :at, :what, :body)
ON CONFLICT (incident_id, at, what) DO NOTHING;

-- name: decisions_of_incident
-- The decisions about one incident, in the order they were made.
SELECT body FROM decisions WHERE incident_id = :id ORDER BY number;

-- name: decided
-- The decisions of one word about open incidents, in the order they were made.
SELECT decisions.body
FROM incidents JOIN decisions ON decisions.incident_id = incidents.id
WHERE incidents.status = 'open' AND decisions.what = :what
ORDER BY decisions.number;

-- name: withheld
-- Which of some incidents (ids as JSON) have a trigger that a silence keeps back.
SELECT listed.value AS id
FROM json_each(:incident_ids) AS listed
WHERE 'withheld' = (
    SELECT what FROM decisions
    WHERE incident_id = listed.value AND what IN ('withheld', 'told')
    ORDER BY number DESC
    LIMIT 1
);

-- name: add_remark
-- Add what a person said to the record of an incident.
INSERT INTO remarks (incident_id, at, kind, author, text)
VALUES (:incident_id, :at, :kind, :author, :text);

-- name: remarks_of_incident
-- What people said about one incident, in that order.
SELECT * FROM remarks WHERE incident_id = :id ORDER BY number;

-- name: add_silence
-- Store a new silence.
INSERT INTO silences (id, matchers, starts_at, ends_at, author, comment, created_at)
VALUES (:id, :matchers, :starts_at, :ends_at, :author, :comment, :created_at);

-- name: end_silence
-- Let a silence end now; one that has ended stays as it was.
UPDATE silences SET ends_at = max(starts_at, :at) WHERE id = :id AND ends_at > :at;

-- name: silence
-- One silence.
SELECT * FROM silences WHERE id = :id;

-- name: silences
-- Silences that end after a moment, in the order they were made.
SELECT * FROM silences WHERE ends_at > :after ORDER BY number;

-- name: pending_of_channel
-- What a channel has yet to send, and when each was decided.
SELECT id, created_at FROM deliveries WHERE channel = :channel AND status = 'pending';

-- name: attempted
-- The attempts of a channel that ended after a moment, among the newest of all.
SELECT deliveries.key_fingerprint, newest.at
FROM attempts AS newest
JOIN deliveries ON deliveries.id = newest.delivery_id
WHERE newest.number > (SELECT max(number) FROM attempts) - 10000
    AND newest.at > :since
    AND deliveries.channel = :channel;

-- name: in_doubt
-- Under which keys a channel has tried a trigger without an answer, of incidents
-- whose end it is yet to be told.
SELECT DISTINCT tried.dedup_key
FROM attempts INDEXED BY attempts_in_doubt
JOIN deliveries AS tried ON tried.id = attempts.delivery_id
JOIN incidents ON incidents.id = tried.incident_id
WHERE attempts.outcome = 'ambiguous'
    AND tried.channel = :channel
    AND tried.action = 'trigger'
    AND (incidents.status = 'open' OR EXISTS (
        SELECT 1 FROM deliveries AS waiting INDEXED BY pending_queues
        WHERE waiting.channel = :channel
            AND waiting.status = 'pending'
            AND waiting.incident_id = tried.incident_id
    ));

-- name: letters
-- Deliveries of some statuses (words as JSON), in the order they were decided.
SELECT * FROM deliveries INDEXED BY deliveries_by_status
WHERE status IN (SELECT value FROM json_each(:statuses))
ORDER BY number
LIMIT :limit OFFSET :offset;

-- name: replay
-- Queue dead deliveries (ids as JSON) again.
UPDATE deliveries
SET status = 'pending', not_before_at = 0, created_at = :at, reason = '', is_shortened = 0
WHERE status = 'dead' AND id IN (SELECT value FROM json_each(:ids));

-- name: replay_followers
-- Queue again the resolves behind dead deliveries (ids as JSON) of one incident and channel.
UPDATE deliveries
SET status = 'pending', not_before_at = 0, created_at = :at, reason = '', is_shortened = 0
WHERE incident_id IN (
    SELECT named.incident_id FROM deliveries AS named
    WHERE named.id IN (SELECT value FROM json_each(:ids))
) AND action = 'resolve' AND status <> 'pending' AND EXISTS (
    SELECT 1 FROM deliveries AS dead
    WHERE dead.status = 'dead'
        AND dead.id IN (SELECT value FROM json_each(:ids))
        AND dead.incident_id = deliveries.incident_id
        AND dead.channel = deliveries.channel
        AND dead.number < deliveries.number
);

-- name: purge_attempts
-- Remove the attempts of what `purge` is about to remove.
DELETE FROM attempts WHERE delivery_id IN (
    SELECT deliveries.id
    FROM deliveries JOIN incidents ON incidents.id = deliveries.incident_id
    WHERE deliveries.status = 'dead'
        AND deliveries.id IN (SELECT value FROM json_each(:ids))
        AND (deliveries.action = 'resolve' OR incidents.status <> 'open')
);

-- name: purge
-- Remove dead deliveries (ids as JSON); a trigger stays while its incident is open.
DELETE FROM deliveries WHERE id IN (
    SELECT deliveries.id
    FROM deliveries JOIN incidents ON incidents.id = deliveries.incident_id
    WHERE deliveries.status = 'dead'
        AND deliveries.id IN (SELECT value FROM json_each(:ids))
        AND (deliveries.action = 'resolve' OR incidents.status <> 'open')
);

-- name: keys_in_use
-- Keys that something still has to go out with: what waits, the ends of what is
-- open and was not withdrawn, and the channels that were added at run time.
SELECT channel, key_fingerprint FROM deliveries WHERE status = 'pending'
UNION
SELECT deliveries.channel, deliveries.key_fingerprint
FROM incidents JOIN deliveries ON deliveries.incident_id = incidents.id
WHERE incidents.status = 'open'
    AND deliveries.action = 'trigger'
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS end
        WHERE end.incident_id = incidents.id
            AND end.channel = deliveries.channel
            AND end.number > deliveries.number
            AND end.id GLOB '*/withdrawn-*'
    )
UNION
SELECT name, key_fingerprint FROM channels;

-- name: channels
-- The channels that were added at run time, in that order.
SELECT * FROM channels ORDER BY number;

-- name: put_channel
-- Store a channel, or the later state of one that is stored.
INSERT INTO channels (name, settings, key_fingerprint, is_enabled, added_at, added_by)
VALUES (:name, :settings, :key_fingerprint, :is_enabled, :added_at, :added_by)
ON CONFLICT (name) DO UPDATE SET
    settings = excluded.settings,
    key_fingerprint = excluded.key_fingerprint,
    is_enabled = excluded.is_enabled;

-- name: drop_channel
-- Remove a channel that was added at run time.
DELETE FROM channels WHERE name = :name;

-- name: add_audit
-- Add an entry to the audit.
INSERT INTO audit (at, who, what, subject, before, after)
VALUES (:at, :who, :what, :subject, :before, :after);

-- name: audit
-- The audit, the newest entry first.
SELECT * FROM audit ORDER BY number DESC LIMIT :limit OFFSET :offset;

-- name: audit_of_subject
-- The audit of one thing, the newest entry first.
SELECT * FROM audit WHERE subject = :subject ORDER BY number DESC LIMIT :limit OFFSET :offset;
