-- +goose Up

-- The administration's check of proposed types within one working day (Art. 6)
CREATE TABLE type_check (
  code TEXT NOT NULL,
  version BIGINT NOT NULL,
  due BIGINT,
  done BIGINT,
  how TEXT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (code, version)
);
CREATE INDEX type_check_how ON type_check (how, due);
