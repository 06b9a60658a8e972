-- One more with each change. What was there before begins with 1 too.
ALTER TABLE items ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);
