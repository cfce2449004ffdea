-- +goose Up

-- Kits for making licenses where the platform can't be reached (Art. 7(2)), the
-- numbers of their blocks, and the packages that come back
CREATE TABLE kit (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  state TEXT NOT NULL,
  ground TEXT NOT NULL,
  size BIGINT NOT NULL,
  drafter TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  starts BIGINT,
  ends BIGINT,
  created BIGINT NOT NULL,
  confirmed BIGINT,
  cancelled BIGINT,
  lost BOOLEAN NOT NULL,
  certificate BYTEA NOT NULL,
  content_enc BYTEA NOT NULL,
  head_enc BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX kit_unit ON kit (unit, created);
CREATE TABLE kit_number (
  kit TEXT NOT NULL,
  n BIGINT NOT NULL,
  license TEXT NOT NULL,
  serial TEXT NOT NULL,
  code_index BYTEA NOT NULL,
  state TEXT NOT NULL,
  draft TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  token BYTEA NOT NULL,
  code_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (kit, n)
);
CREATE UNIQUE INDEX kit_number_code ON kit_number (code_index);
CREATE UNIQUE INDEX kit_number_serial ON kit_number (serial);
CREATE TABLE kit_package (
  id TEXT NOT NULL PRIMARY KEY,
  kit TEXT NOT NULL,
  digest BYTEA NOT NULL,
  file TEXT NOT NULL,
  state TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  received BIGINT NOT NULL,
  finished BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX kit_package_once ON kit_package (kit, digest);
CREATE TABLE kit_row (
  package TEXT NOT NULL,
  n BIGINT NOT NULL,
  state TEXT NOT NULL,
  license TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  PRIMARY KEY (package, n)
);
