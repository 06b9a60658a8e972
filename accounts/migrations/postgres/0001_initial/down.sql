DROP TABLE ended_tokens;
DROP TABLE logins;
DROP TABLE accounts;
