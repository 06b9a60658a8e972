DROP TABLE idempotency_keys;
DROP TABLE entries;
DROP TABLE transactions;
DROP TABLE item_totals;
DROP TABLE item_tags;
DROP TABLE items;
DROP TABLE balances;
DROP TABLE accounts;
