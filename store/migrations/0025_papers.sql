-- +goose Up

-- Tables of licenses on paper that were read, with the rows that did not stand (Art. 8)
CREATE TABLE stock_table (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  type_version BIGINT NOT NULL,
  again BOOLEAN NOT NULL,
  person TEXT NOT NULL,
  at BIGINT NOT NULL,
  entered BIGINT NOT NULL,
  differ BIGINT NOT NULL,
  bad BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX stock_table_person ON stock_table (unit, person, at);
