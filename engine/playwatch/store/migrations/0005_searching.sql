-- What a search by text looks through, apart from the incidents themselves: a
-- search then reads a hundred bytes of each, not all that is known of it.

-- `text` is casefolded, a line for each word or sentence.
CREATE TABLE incident_texts (
    number INTEGER PRIMARY KEY REFERENCES incidents (number) ON DELETE CASCADE,
    text   TEXT    NOT NULL
) STRICT;

-- `casefold` is Python's, which the program lends to SQLite for this.
INSERT INTO incident_texts (number, text)
SELECT number, casefold(found.text)
FROM (
    SELECT
        incidents.number,
        incidents.id || char(10) || incidents.rule || char(10) || ifnull(incidents.metric, '')
        || CASE WHEN json_valid(body) THEN
            char(10) || ifnull(json_extract(body, '$.summary'), '')
            || ifnull((
                SELECT group_concat(char(10) || json_extract(pair.value, '$[0]')
                    || char(10) || json_extract(pair.value, '$[1]'), '')
                FROM json_each(incidents.body, '$.breakdowns') AS pair
            ), '')
        ELSE '' END AS text
    FROM incidents
) AS found;
