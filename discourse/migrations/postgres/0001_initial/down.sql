DROP TABLE posts;
DROP TABLE channels;
DROP FUNCTION count_post();
