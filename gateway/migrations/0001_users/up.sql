CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL,
    -- The name in lower case: names are unique without regard to case.
    username_key  TEXT   NOT NULL UNIQUE,
    -- PHC string.
    password_hash TEXT   NOT NULL,
    -- Microseconds since the epoch.
    created_at    BIGINT NOT NULL
);
