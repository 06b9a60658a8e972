DROP INDEX transactions_by_buyer;
