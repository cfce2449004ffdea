-- +goose Up

-- Licenses that are on paper: entered, entered again by another, compared (Art. 8)
CREATE TABLE stock_programme (
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  estimated BIGINT NOT NULL,
  until TEXT NOT NULL,
  basis TEXT NOT NULL,
  changed BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (unit, type)
);
CREATE TABLE stock_entry (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  type_version BIGINT NOT NULL,
  type_name TEXT NOT NULL,
  origin TEXT NOT NULL,
  state TEXT NOT NULL,
  first_by TEXT NOT NULL,
  second_by TEXT NOT NULL,
  settled_by TEXT NOT NULL,
  draft TEXT NOT NULL,
  asked BIGINT NOT NULL,
  created BIGINT NOT NULL,
  ended BIGINT,
  content_enc BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX stock_entry_unit ON stock_entry (unit, state, asked, created);
CREATE INDEX stock_entry_type ON stock_entry (unit, type, state);
CREATE TABLE stock_sample (
  draft TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  drawn BIGINT NOT NULL,
  seen BIGINT,
  seen_by TEXT NOT NULL,
  good BOOLEAN NOT NULL,
  remark TEXT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX stock_sample_unit ON stock_sample (unit, type);
CREATE INDEX draft_origin ON draft (unit, type, origin, state);
