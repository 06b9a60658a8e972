-- Since when it is gone for everybody. Its posts go later, a little at a time, and then it does.
ALTER TABLE channels ADD COLUMN deleted_at TIMESTAMPTZ;
CREATE INDEX channels_deleted ON channels (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE members (
    channel_id BIGINT      NOT NULL REFERENCES channels (id),
    user_id    UUID        NOT NULL,
    added_by   UUID        NOT NULL,
    added_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (channel_id, user_id)
);

CREATE INDEX members_by_time ON members (channel_id, added_at, user_id);

-- Words are runs of letters and digits, in lower case: ASCII's other signs are spaces, or addresses and paths would be words.
ALTER TABLE posts
    ADD COLUMN tags TEXT[] NOT NULL DEFAULT '{}' CHECK (cardinality(tags) <= 20),
    ADD COLUMN words TSVECTOR NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', translate(
        coalesce(title, '') || ' ' || content, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)
    ))) STORED;

CREATE INDEX posts_by_time ON posts (created_at, id);
CREATE INDEX posts_by_author ON posts (author_id, created_at, id);
CREATE INDEX posts_of_channel_by_time ON posts (channel_id, created_at, id);
CREATE INDEX posts_by_tag ON posts USING gin (tags);
CREATE INDEX posts_by_word ON posts USING gin (words);

CREATE FUNCTION uncount_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE channels SET
        economic_posts      = economic_posts - (OLD.topic = 'economic')::int,
        philosophical_posts = philosophical_posts - (OLD.topic = 'philosophical')::int,
        strategic_posts     = strategic_posts - (OLD.topic = 'strategic')::int,
        general_posts       = general_posts - (OLD.topic = 'general')::int
    WHERE id = OLD.channel_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER posts_uncounted AFTER DELETE ON posts FOR EACH ROW EXECUTE FUNCTION uncount_post();

CREATE FUNCTION recount_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE channels SET
        economic_posts      = economic_posts + (NEW.topic = 'economic')::int - (OLD.topic = 'economic')::int,
        philosophical_posts = philosophical_posts + (NEW.topic = 'philosophical')::int - (OLD.topic = 'philosophical')::int,
        strategic_posts     = strategic_posts + (NEW.topic = 'strategic')::int - (OLD.topic = 'strategic')::int,
        general_posts       = general_posts + (NEW.topic = 'general')::int - (OLD.topic = 'general')::int
    WHERE id = NEW.channel_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER posts_recounted AFTER UPDATE OF topic ON posts FOR EACH ROW WHEN (OLD.topic <> NEW.topic)
EXECUTE FUNCTION recount_post();
