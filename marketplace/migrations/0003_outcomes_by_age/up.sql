-- Outcomes are forgotten when they are old, refusals sooner than sales. Each row is in one of the two indexes.
CREATE INDEX sales_by_age ON idempotency_keys (created_at) WHERE transaction_id IS NOT NULL;
CREATE INDEX refusals_by_age ON idempotency_keys (created_at) WHERE transaction_id IS NULL;
