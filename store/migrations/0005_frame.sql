-- +goose Up

-- Pages of business systems that may show a case's material check in a frame, and
-- the sessions of such frames (Art. 13(1))
CREATE TABLE system_origin (
  account TEXT NOT NULL,
  origin TEXT NOT NULL,
  since BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (account, origin)
);
CREATE TABLE case_frame (
  digest TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  key_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  officer_enc BYTEA NOT NULL,
  expires BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX case_frame_expires ON case_frame (expires);
