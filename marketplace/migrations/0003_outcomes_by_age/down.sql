DROP INDEX refusals_by_age;
DROP INDEX sales_by_age;
