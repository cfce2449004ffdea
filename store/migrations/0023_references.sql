-- +goose Up

-- The systems of ministries that return licenses made by the nation's rules (Art. 7(1), 14(2))
CREATE TABLE ref_source (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  ministry TEXT NOT NULL,
  unit TEXT NOT NULL,
  kind TEXT NOT NULL,
  url TEXT NOT NULL,
  key_pem TEXT NOT NULL,
  key_name TEXT NOT NULL UNIQUE,
  types TEXT NOT NULL,
  state TEXT NOT NULL,
  next_from TEXT NOT NULL,
  heard BIGINT,
  trouble TEXT NOT NULL,
  changed BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX ref_source_unit ON ref_source (unit);
-- What they delivered, with the rows that did not stand
CREATE TABLE ref_delivery (
  id TEXT NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  unit TEXT NOT NULL,
  way TEXT NOT NULL,
  batch TEXT NOT NULL,
  digest TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  at BIGINT NOT NULL,
  n_rows BIGINT NOT NULL,
  taken BIGINT NOT NULL,
  n_new BIGINT NOT NULL,
  n_changed BIGINT NOT NULL,
  n_moved BIGINT NOT NULL,
  n_same BIGINT NOT NULL,
  n_bad BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX ref_delivery_batch ON ref_delivery (source, batch);
CREATE INDEX ref_delivery_unit ON ref_delivery (unit, at);
CREATE INDEX ref_delivery_source ON ref_delivery (source, at);
-- Which source answers for a reference, and how the last check of it came out
CREATE TABLE ref_kept (
  license TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  source TEXT NOT NULL,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  delivery TEXT NOT NULL,
  checked BIGINT,
  outcome TEXT NOT NULL,
  fields TEXT NOT NULL,
  took BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX ref_kept_source ON ref_kept (source, type);
-- Where what a source says it has and what is here are not the same
CREATE TABLE ref_difference (
  id TEXT NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  license TEXT NOT NULL,
  number_enc BYTEA NOT NULL,
  theirs BIGINT NOT NULL,
  ours BIGINT NOT NULL,
  found BIGINT NOT NULL,
  seen BIGINT NOT NULL,
  closed BIGINT,
  mac BYTEA NOT NULL
);
CREATE INDEX ref_difference_open ON ref_difference (unit, found) WHERE closed IS NULL;
-- What is awaited from ministries, and what was asked of them (积极争取)
CREATE TABLE ref_awaited (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  system TEXT NOT NULL,
  ministry TEXT NOT NULL,
  types TEXT NOT NULL,
  state TEXT NOT NULL,
  begun TEXT NOT NULL,
  next_on TEXT NOT NULL,
  steps TEXT NOT NULL,
  changed BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX ref_awaited_unit ON ref_awaited (unit);
