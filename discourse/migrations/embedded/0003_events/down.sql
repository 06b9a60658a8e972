ALTER TABLE posts DROP COLUMN version;
ALTER TABLE channels DROP COLUMN version;
