-- What is sold, who takes part, and the books. Files of the versions before 4 had no journal; they are refused
-- (storage/src/sqlite/schema.rs), since there was no release.
--
-- STRICT: SQLite would turn an integer that overflows into a float; in a strict table that is an error.
-- Times are microseconds since the epoch, ids ObjectIds as 24 hex digits, users UUIDs, amounts minor units.

-- Who takes part: every user from their first appearance on, and the treasury.
CREATE TABLE accounts (
    owner           TEXT    NOT NULL PRIMARY KEY,
    username        TEXT    NOT NULL,
    -- Counted here, in the write that changes them, so that showing a seller never counts rows.
    active_listings INTEGER NOT NULL DEFAULT 0 CHECK (active_listings >= 0),
    completed_sales INTEGER NOT NULL DEFAULT 0 CHECK (completed_sales >= 0),
    opened_at       INTEGER NOT NULL
) STRICT;

-- What the postings of an account add up to. Only the treasury owes: what it owes is what it has issued.
CREATE TABLE balances (
    owner        TEXT    NOT NULL REFERENCES accounts (owner),
    currency     TEXT    NOT NULL CHECK (currency IN ('USD', 'EUR', 'BTC', 'GOLD')),
    balance      INTEGER NOT NULL CHECK (balance >= 0 OR owner = 'treasury'),
    -- The last day (UTC, as 2026-11-21) with a deposit, and what was deposited on it.
    deposited_on TEXT    NOT NULL DEFAULT '',
    deposited    INTEGER NOT NULL DEFAULT 0 CHECK (deposited >= 0),
    PRIMARY KEY (owner, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    category    TEXT    NOT NULL CHECK (category IN ('asset', 'innovation', 'service', 'knowledge')),
    currency    TEXT    NOT NULL CHECK (currency IN ('USD', 'EUR', 'BTC', 'GOLD')),
    price       INTEGER NOT NULL CHECK (price >= 0),
    -- The price in 10^-8 units, 27 digits: sorts as text like the amount, across currencies.
    price_rank  TEXT    NOT NULL CHECK (length(price_rank) = 27),
    seller_id   TEXT    NOT NULL REFERENCES accounts (owner),
    status      TEXT    NOT NULL CHECK (status IN ('available', 'sold', 'reserved')),
    is_premium  INTEGER NOT NULL CHECK (is_premium IN (0, 1)),
    -- A JSON array of strings, to be shown; item_tags is there to be searched.
    tags        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- Each of the few-valued filters has an index for either sort, since sorting all that match would cost by the size of
-- the market. Newest first reads an index on (…, created_at, id) backwards.
CREATE INDEX items_by_time ON items (created_at, id);
CREATE INDEX items_by_category ON items (category, created_at, id);
CREATE INDEX items_by_status ON items (status, created_at, id);
CREATE INDEX items_by_currency ON items (currency, created_at, id);
CREATE INDEX items_by_premium ON items (is_premium, created_at, id);
CREATE INDEX items_by_seller ON items (seller_id, created_at, id);
-- Prices repeat more than times do, and ties go newest first in both directions: each has its own index.
CREATE INDEX items_by_price ON items (price_rank, id DESC);
CREATE INDEX items_by_price_desc ON items (price_rank, id);
CREATE INDEX items_by_category_and_price ON items (category, price_rank, id DESC);
CREATE INDEX items_by_status_and_price ON items (status, price_rank, id DESC);
CREATE INDEX items_by_currency_and_price ON items (currency, price_rank, id DESC);
CREATE INDEX items_by_premium_and_price ON items (is_premium, price_rank, id DESC);

CREATE TABLE item_tags (
    tag     TEXT NOT NULL,
    item_id TEXT NOT NULL REFERENCES items (id),
    PRIMARY KEY (tag, item_id)
) STRICT, WITHOUT ROWID;

-- How many items there are of each kind: at most 96 rows, so that a page's total needs no scan of the listings.
CREATE TABLE item_totals (
    category   TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    is_premium INTEGER NOT NULL,
    total      INTEGER NOT NULL CHECK (total >= 0),
    PRIMARY KEY (category, status, currency, is_premium)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER items_listed AFTER INSERT ON items BEGIN
    INSERT INTO item_totals VALUES (NEW.category, NEW.status, NEW.currency, NEW.is_premium, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TRIGGER items_changed AFTER UPDATE OF category, status, currency, is_premium ON items BEGIN
    UPDATE item_totals SET total = total - 1
    WHERE category = OLD.category AND status = OLD.status AND currency = OLD.currency AND is_premium = OLD.is_premium;
    INSERT INTO item_totals VALUES (NEW.category, NEW.status, NEW.currency, NEW.is_premium, 1)
    ON CONFLICT DO UPDATE SET total = total + 1;
END;

CREATE TABLE transactions (
    id         TEXT    NOT NULL PRIMARY KEY,
    item_id    TEXT    NOT NULL REFERENCES items (id),
    buyer_id   TEXT    NOT NULL REFERENCES accounts (owner),
    seller_id  TEXT    NOT NULL REFERENCES accounts (owner),
    currency   TEXT    NOT NULL,
    price      INTEGER NOT NULL CHECK (price >= 0),
    type       TEXT    NOT NULL CHECK (type IN ('purchase', 'investment', 'trade')),
    status     TEXT    NOT NULL CHECK (status IN ('pending', 'completed', 'failed')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX transactions_by_item ON transactions (item_id, created_at, id);
-- What a user has bought is asked of the transactions, the one record of it. This index has all of the question and of
-- the answer.
CREATE INDEX transactions_by_buyer ON transactions (buyer_id, status, item_id);

-- The ledger: entries, each of two or more postings that add up to zero in each currency.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN
        ('issue', 'sale', 'settlement', 'release', 'refund', 'deposit', 'tax', 'transfer')),
    -- What it is for: the transaction of a sale, the user of an issue, the deposit's own id. Nothing is paid for twice.
    reference  TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (kind, reference)
) STRICT;

-- What an entry changes: numbered in each account from 1 without a gap, so that a page of them is a range.
CREATE TABLE postings (
    owner    TEXT    NOT NULL,
    number   INTEGER NOT NULL CHECK (number >= 1),
    entry    INTEGER NOT NULL REFERENCES journal (id),
    currency TEXT    NOT NULL,
    -- Negative where the account has less afterwards.
    amount   INTEGER NOT NULL,
    -- What the account had of the currency afterwards.
    balance  INTEGER NOT NULL,
    PRIMARY KEY (owner, number),
    FOREIGN KEY (owner, currency) REFERENCES balances (owner, currency)
) STRICT, WITHOUT ROWID;

-- What a call with an idempotency key was told the first time (storage/src/idempotency.rs).
CREATE TABLE idempotency_records (
    user_id    TEXT    NOT NULL,
    rpc        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    -- Tells one request from another.
    request    TEXT    NOT NULL,
    is_refusal INTEGER NOT NULL CHECK (is_refusal IN (0, 1)),
    -- JSON.
    outcome    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, rpc, key)
) STRICT, WITHOUT ROWID;

-- Outcomes are forgotten when they are old, refusals sooner than what was done.
CREATE INDEX idempotency_records_by_age ON idempotency_records (is_refusal, created_at);

INSERT INTO accounts (owner, username, opened_at) VALUES ('treasury', 'treasury', 0);
INSERT INTO balances (owner, currency, balance)
VALUES ('treasury', 'USD', 0), ('treasury', 'EUR', 0), ('treasury', 'BTC', 0), ('treasury', 'GOLD', 0);
