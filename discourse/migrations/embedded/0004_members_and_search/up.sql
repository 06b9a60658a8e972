-- Since when it is gone for everybody. Its posts go later, a little at a time, and then it does.
ALTER TABLE channels ADD COLUMN deleted_at INTEGER;
CREATE INDEX channels_deleted ON channels (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE members (
    channel_id INTEGER NOT NULL REFERENCES channels (id),
    user_id    TEXT    NOT NULL,
    added_by   TEXT    NOT NULL,
    added_at   INTEGER NOT NULL,
    PRIMARY KEY (channel_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_time ON members (channel_id, added_at, user_id);

-- A JSON array of texts.
ALTER TABLE posts ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));

CREATE INDEX posts_by_time ON posts (created_at, id);
CREATE INDEX posts_by_author ON posts (author_id, created_at, id);
CREATE INDEX posts_of_channel_by_time ON posts (channel_id, created_at, id);

-- The posts of a tag.
CREATE TABLE post_tags (
    tag     TEXT    NOT NULL,
    post_id INTEGER NOT NULL,
    PRIMARY KEY (tag, post_id)
) STRICT, WITHOUT ROWID;

-- The posts of a word, in lower case and with its accents, as PostgreSQL has them (https://www.sqlite.org/fts5.html).
CREATE VIRTUAL TABLE post_words USING fts5 (
    title, content, content = 'posts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0'
);
INSERT INTO post_words (post_words) VALUES ('rebuild');

CREATE TRIGGER posts_indexed AFTER INSERT ON posts BEGIN
    INSERT INTO post_words (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
    INSERT INTO post_tags SELECT value, NEW.id FROM json_each(NEW.tags);
END;

CREATE TRIGGER posts_removed AFTER DELETE ON posts BEGIN
    UPDATE post_totals SET total = total - 1 WHERE channel_id = OLD.channel_id AND topic = OLD.topic;
    INSERT INTO post_words (post_words, rowid, title, content) VALUES ('delete', OLD.id, OLD.title, OLD.content);
    DELETE FROM post_tags WHERE post_id = OLD.id AND tag IN (SELECT value FROM json_each(OLD.tags));
END;

CREATE TRIGGER posts_reworded AFTER UPDATE OF title, content ON posts BEGIN
    INSERT INTO post_words (post_words, rowid, title, content) VALUES ('delete', OLD.id, OLD.title, OLD.content);
    INSERT INTO post_words (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
END;

CREATE TRIGGER posts_moved AFTER UPDATE OF topic ON posts WHEN NEW.topic <> OLD.topic BEGIN
    UPDATE post_totals SET total = total - 1 WHERE channel_id = OLD.channel_id AND topic = OLD.topic;
    INSERT INTO post_totals VALUES (NEW.channel_id, NEW.topic, 1) ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TRIGGER posts_retagged AFTER UPDATE OF tags ON posts WHEN NEW.tags <> OLD.tags BEGIN
    DELETE FROM post_tags WHERE post_id = OLD.id AND tag IN (SELECT value FROM json_each(OLD.tags));
    INSERT INTO post_tags SELECT value, NEW.id FROM json_each(NEW.tags);
END;
