-- A message that was refused goes out in its least form from then on, whatever
-- answers that gets and however often the engine starts.
ALTER TABLE deliveries
    ADD COLUMN is_shortened INTEGER NOT NULL DEFAULT 0 CHECK (is_shortened IN (0, 1));
ALTER TABLE attempts
    ADD COLUMN is_shortened INTEGER NOT NULL DEFAULT 0 CHECK (is_shortened IN (0, 1));

-- Few attempts end in doubt, and at each start those are looked for.
CREATE INDEX attempts_in_doubt ON attempts (delivery_id) WHERE outcome = 'ambiguous';
