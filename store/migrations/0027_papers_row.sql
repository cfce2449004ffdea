-- +goose Up

-- The rows of a table of licenses on paper while it is read: each is noted in the
-- transaction that enters it, so that a stop loses none. They are gone with the end of
-- the reading, when the table holds those that came back.
ALTER TABLE stock_table ADD COLUMN reading BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE stock_table_row (
  papers TEXT NOT NULL,
  place BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  PRIMARY KEY (papers, place)
);
