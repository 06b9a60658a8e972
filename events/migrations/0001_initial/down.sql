DROP TABLE dead_letters;
DROP TABLE deliveries;
DROP TABLE entries;
