-- +goose Up

-- Licenses made in lots (Art. 7(3)): each row of a lot is a draft
ALTER TABLE draft ADD COLUMN mode TEXT NOT NULL DEFAULT '';
ALTER TABLE draft ADD COLUMN lot TEXT NOT NULL DEFAULT '';
ALTER TABLE draft ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
CREATE INDEX draft_lot ON draft (lot, state, place);
CREATE TABLE lot (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  type_version BIGINT NOT NULL,
  type_name TEXT NOT NULL,
  state TEXT NOT NULL,
  name TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  closed BIGINT NOT NULL,
  due BIGINT,
  rows_good BIGINT NOT NULL,
  reason TEXT NOT NULL,
  remark TEXT NOT NULL,
  drafter TEXT NOT NULL,
  drafter_account TEXT NOT NULL,
  drafter_name TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  created BIGINT NOT NULL,
  submitted BIGINT,
  reviewed BIGINT,
  finished BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX lot_unit ON lot (unit, created);
CREATE TABLE lot_bad (
  lot TEXT NOT NULL,
  place BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  PRIMARY KEY (lot, place)
);
CREATE TABLE lot_sample (
  lot TEXT NOT NULL,
  draft TEXT NOT NULL,
  seen BIGINT,
  good BOOLEAN NOT NULL,
  remark TEXT NOT NULL,
  PRIMARY KEY (lot, draft)
);
