-- +goose Up

-- What the base registries answered (Art. 9(2)): outcomes and names of fields,
-- never a value. Those that stand are the last of their subject, a draft.
CREATE TABLE comparison (
  id       TEXT    NOT NULL PRIMARY KEY,
  registry TEXT    NOT NULL, -- empty where none keeps such holders
  subject  TEXT    NOT NULL,
  unit     TEXT    NOT NULL,
  attempt  BIGINT  NOT NULL, -- of the subject; one row a holder
  outcome  TEXT    NOT NULL,
  fields   TEXT    NOT NULL, -- names of those that differ, JSON
  request  TEXT    NOT NULL,
  took     BIGINT  NOT NULL, -- milliseconds
  at       BIGINT  NOT NULL,
  stands   BOOLEAN NOT NULL,
  mac      BYTEA   NOT NULL
);
CREATE INDEX comparison_subject ON comparison (subject, attempt);
CREATE INDEX comparison_at ON comparison (registry, at);
CREATE INDEX comparison_open ON comparison (unit, at) WHERE stands AND outcome IN ('mismatch', 'not-found');
