-- What a user has bought is asked of the transactions, the one record of it. This index has all of the question and of
-- the answer.
CREATE INDEX transactions_by_buyer ON transactions (buyer_id, status, item_id);
