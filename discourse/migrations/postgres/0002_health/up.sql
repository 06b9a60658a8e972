-- A row of each replica, which it writes to find out whether it can. Nobody waits for another one's row.
CREATE TABLE health (
    replica TEXT        PRIMARY KEY,
    at      TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50); -- Room for the new version of each second: no index is touched (HOT).
