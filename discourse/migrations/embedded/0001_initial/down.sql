DROP TABLE post_totals;
DROP TABLE posts;
DROP TABLE channels;
