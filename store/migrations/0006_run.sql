-- +goose Up

-- By what records are found, in runs: record_run names the records idx from first
-- on; record_part holds their keys, sorted, a few thousand bytes to a row, under
-- the first of them. The store makes the runs of the records there are when it is
-- opened.
DROP TABLE record_key;
CREATE TABLE record_run (
  shard BIGINT NOT NULL,
  first BIGINT NOT NULL,
  size  BIGINT NOT NULL,
  PRIMARY KEY (shard, first)
);
CREATE TABLE record_part (
  shard BIGINT NOT NULL,
  first BIGINT NOT NULL,
  low   BYTEA  NOT NULL,
  keys  BYTEA  NOT NULL,
  PRIMARY KEY (shard, first, low)
);
