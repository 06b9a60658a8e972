-- Times are microseconds since the epoch, users UUIDs; what is optional is NULL where it is empty.

CREATE TABLE channels (
    -- AUTOINCREMENT: an id is never given twice.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL,
    description TEXT,
    type        TEXT    NOT NULL CHECK (type IN ('public', 'private', 'sovereign')),
    zone        TEXT,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    -- When it was last posted in, or opened.
    updated_at  INTEGER NOT NULL
) STRICT;

-- Newest first reads an index backwards.
CREATE INDEX channels_by_time ON channels (created_at, id);
CREATE INDEX channels_by_type ON channels (type, created_at, id);
CREATE INDEX channels_by_zone ON channels (zone, created_at, id);
CREATE INDEX channels_by_creator ON channels (created_by, created_at, id);

CREATE TABLE posts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    author_id  TEXT    NOT NULL,
    title      TEXT,
    content    TEXT    NOT NULL,
    topic      TEXT    NOT NULL CHECK (topic IN ('economic', 'philosophical', 'strategic', 'general')),
    is_pinned  INTEGER NOT NULL CHECK (is_pinned IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX posts_by_channel ON posts (channel_id, is_pinned, created_at, id);
CREATE INDEX posts_by_topic ON posts (channel_id, topic, is_pinned, created_at, id);

-- How many posts a channel has of each topic: at most four rows a channel, so that a page's total counts no posts.
CREATE TABLE post_totals (
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    topic      TEXT    NOT NULL,
    total      INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (channel_id, topic)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER posts_counted AFTER INSERT ON posts BEGIN
    INSERT INTO post_totals VALUES (NEW.channel_id, NEW.topic, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;
