-- Sets of views: the one that is read, and maybe one that is being made anew. What belongs to no set any more is swept.
CREATE TABLE views (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    phase TEXT NOT NULL UNIQUE CHECK (phase IN ('current', 'building')),
    -- How far it has come, JSON.
    head  TEXT NOT NULL
) STRICT;

-- Lists of entries, newest first.
CREATE TABLE entries (
    view    INTEGER NOT NULL,
    list    TEXT    NOT NULL,
    -- One more than the one before it in its list.
    number  INTEGER NOT NULL,
    -- What it is about, such as `post/7`: goes with that.
    thing   TEXT    NOT NULL,
    -- Where it is said; NULL where that is nowhere.
    channel INTEGER,
    -- JSON.
    entry   TEXT    NOT NULL,
    PRIMARY KEY (view, list, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_by_thing ON entries (view, thing);
CREATE INDEX entries_by_channel ON entries (view, channel) WHERE channel IS NOT NULL;

-- The number that a list gave last.
CREATE TABLE lists (
    view   INTEGER NOT NULL,
    list   TEXT    NOT NULL,
    newest INTEGER NOT NULL,
    PRIMARY KEY (view, list)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    view    INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    -- JSON: owner and state.
    channel TEXT    NOT NULL,
    PRIMARY KEY (view, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    view    INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    user    TEXT    NOT NULL,
    PRIMARY KEY (view, channel, user)
) STRICT, WITHOUT ROWID;

-- Events for all, by type.
CREATE TABLE totals (
    view  INTEGER NOT NULL,
    type  TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (view, type)
) STRICT, WITHOUT ROWID;

-- The same by time: slots of so many seconds, used again when they do not count any more.
CREATE TABLE rates (
    view  INTEGER NOT NULL,
    width INTEGER NOT NULL,
    slot  INTEGER NOT NULL,
    -- Of the time that is counted, seconds since the Unix epoch.
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (view, width, slot)
) STRICT, WITHOUT ROWID;

-- When users did something last, microseconds since the Unix epoch.
CREATE TABLE active (
    view INTEGER NOT NULL,
    user TEXT    NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (view, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX active_by_time ON active (view, at);

-- What users have read of their notifications: no event tells it, so it outlives every set of views.
CREATE TABLE reads (
    user   TEXT    NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `as_of`: everything that the log had then is applied, microseconds since the Unix epoch. `rebuild`: there when the views
-- are to be made anew.
CREATE TABLE marks (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
