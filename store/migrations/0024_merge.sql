-- +goose Up

-- Long runs of keys are merged aside: the rows of the new one are written in
-- pieces before record_run leads to them, under a number of its own (parts), and
-- those of the old ones are deleted after it leads to them no more. record_sweep
-- holds the numbers no run leads to, or none yet.
ALTER TABLE record_run ADD COLUMN parts BIGINT NOT NULL DEFAULT 0;
UPDATE record_run SET parts = first;
CREATE TABLE record_sweep (
  shard BIGINT NOT NULL,
  parts BIGINT NOT NULL,
  PRIMARY KEY (shard, parts)
);
