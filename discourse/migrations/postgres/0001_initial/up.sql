-- What is optional is NULL where it is empty. Limits are those of the domain, in characters.

CREATE TABLE channels (
    id                  BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                TEXT        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    description         TEXT        CHECK (char_length(description) BETWEEN 1 AND 5000),
    type                TEXT        NOT NULL CHECK (type IN ('public', 'private', 'sovereign')),
    zone                TEXT        CHECK (char_length(zone) BETWEEN 1 AND 100),
    created_by          UUID        NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    -- When it was last posted in, or opened.
    updated_at          TIMESTAMPTZ NOT NULL,
    -- How many posts there are of each topic, so that a page's total counts no posts.
    economic_posts      BIGINT      NOT NULL DEFAULT 0 CHECK (economic_posts >= 0),
    philosophical_posts BIGINT      NOT NULL DEFAULT 0 CHECK (philosophical_posts >= 0),
    strategic_posts     BIGINT      NOT NULL DEFAULT 0 CHECK (strategic_posts >= 0),
    general_posts       BIGINT      NOT NULL DEFAULT 0 CHECK (general_posts >= 0)
) WITH (fillfactor = 80); -- Room on the page for the new version that each post makes: no index is touched (HOT).

-- Newest first reads an index backwards. None has updated_at or a total, or each post would have to write it.
CREATE INDEX channels_by_time ON channels (created_at, id);
CREATE INDEX channels_by_type ON channels (type, created_at, id);
CREATE INDEX channels_by_zone ON channels (zone, created_at, id);
CREATE INDEX channels_by_creator ON channels (created_by, created_at, id);

CREATE TABLE posts (
    id         BIGINT      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id BIGINT      NOT NULL REFERENCES channels (id),
    author_id  UUID        NOT NULL,
    title      TEXT        CHECK (char_length(title) BETWEEN 1 AND 500),
    content    TEXT        NOT NULL CHECK (char_length(content) BETWEEN 1 AND 20000),
    topic      TEXT        NOT NULL CHECK (topic IN ('economic', 'philosophical', 'strategic', 'general')),
    is_pinned  BOOLEAN     NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX posts_by_channel ON posts (channel_id, is_pinned, created_at, id);
CREATE INDEX posts_by_topic ON posts (channel_id, topic, is_pinned, created_at, id);

-- One update of the channel a post: its time and its totals. Posts of one channel take turns here, until they commit.
CREATE FUNCTION count_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE channels SET
        -- Posts may arrive here in another order than that of their times.
        updated_at          = greatest(updated_at, NEW.created_at),
        economic_posts      = economic_posts + (NEW.topic = 'economic')::int,
        philosophical_posts = philosophical_posts + (NEW.topic = 'philosophical')::int,
        strategic_posts     = strategic_posts + (NEW.topic = 'strategic')::int,
        general_posts       = general_posts + (NEW.topic = 'general')::int
    WHERE id = NEW.channel_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER posts_counted AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION count_post();
