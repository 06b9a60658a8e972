-- What happened, in the order in which the log was told. Rows are only added.
CREATE TABLE entries (
    -- Never given twice.
    position     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Microseconds since the Unix epoch.
    published_at INTEGER NOT NULL,
    -- A CloudEvent, JSON.
    event        TEXT    NOT NULL
) STRICT;

-- Where what was published since some time begins.
CREATE INDEX entries_by_time ON entries (published_at);

-- What groups of workers have still to do.
CREATE TABLE deliveries (
    work_group   TEXT    NOT NULL,
    position     INTEGER NOT NULL REFERENCES entries (position),
    -- Who has it; nobody where the lease is over.
    owner        TEXT    NOT NULL DEFAULT '',
    -- Microseconds since the Unix epoch.
    leased_until INTEGER NOT NULL DEFAULT 0,
    -- How often it was given to somebody.
    attempts     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (work_group, position)
) STRICT, WITHOUT ROWID;

-- What they gave up on.
CREATE TABLE dead_letters (
    work_group TEXT    NOT NULL,
    position   INTEGER NOT NULL REFERENCES entries (position),
    reason     TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (work_group, position)
) STRICT, WITHOUT ROWID;
