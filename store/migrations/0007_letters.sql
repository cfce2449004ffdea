-- +goose Up

-- What a sealing key is used for is a draft or a notice of a case
ALTER TABLE key_use RENAME COLUMN draft TO subject;

-- Sealed notices of cases (行政许可法 32)
CREATE TABLE case_letter (
  case_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  step BIGINT NOT NULL,
  doc_id BYTEA NOT NULL,
  file TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  trouble TEXT NOT NULL,
  asked BIGINT NOT NULL,
  sealed BIGINT,
  mac BYTEA NOT NULL,
  PRIMARY KEY (case_id, kind, step)
);
