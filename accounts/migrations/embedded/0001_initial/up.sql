-- Times are microseconds since the epoch. Texts that are not there are empty.
CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    -- Comma-separated, in the order of the words.
    roles TEXT NOT NULL,
    -- What the claim `gen` of the account's tokens must be.
    generation INTEGER NOT NULL,
    -- When the generation was last raised; 0 where it never was.
    raised_at INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    phone TEXT NOT NULL,
    address TEXT NOT NULL,
    bio TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_by_raised_at ON accounts (raised_at) WHERE raised_at > 0;

-- Names and addresses in lower case, each belonging to one account. Tables of their own, so that `accounts` can be
-- distributed by its id.
CREATE TABLE logins (
    login TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ended_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    -- Seconds since the epoch.
    expires_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_tokens_by_ended_at ON ended_tokens (ended_at);
CREATE INDEX ended_tokens_by_expires_at ON ended_tokens (expires_at);
