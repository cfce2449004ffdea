-- +goose Up

-- Notices of holidays and special days the administration entered (Art. 7)
CREATE TABLE calendar_entry (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  content TEXT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  entered BIGINT NOT NULL,
  ended BIGINT,
  reason TEXT NOT NULL,
  mac BYTEA NOT NULL
);
