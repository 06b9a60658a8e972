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
