-- +goose Up
-- One text for SQLite and PostgreSQL. Times are microseconds UTC, dates are text
-- YYYY-MM-DD or empty; a moment that is missing is NULL. Columns named …_enc are SM4-GCM cipher text bound to
-- table, row and column; columns named …_index are keyed SM3. mac is HMAC-SM3
-- over the columns that decide.

-- Units, people, accounts, duties (Art. 5, 17(3), 20)
CREATE TABLE unit (
  code TEXT NOT NULL PRIMARY KEY,
  short TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  region TEXT NOT NULL,
  region_name TEXT NOT NULL,
  parent TEXT NOT NULL,
  kind TEXT NOT NULL,
  roles TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE TABLE person (
  id TEXT NOT NULL PRIMARY KEY,
  name_enc BYTEA NOT NULL,
  code_type TEXT NOT NULL,
  code_enc BYTEA NOT NULL,
  code_index BYTEA NOT NULL UNIQUE,
  created BIGINT NOT NULL
);
CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  login TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  person TEXT NOT NULL,
  holder_key TEXT NOT NULL,
  unit TEXT NOT NULL,
  name TEXT NOT NULL,
  secret TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  stamp BIGINT NOT NULL,
  created BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX account_unit ON account (unit, login);
CREATE TABLE duty (
  account TEXT NOT NULL,
  duty TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (account, duty)
);
CREATE TABLE token (
  digest BYTEA NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX token_expires ON token (expires);
CREATE TABLE web_session (
  digest BYTEA NOT NULL PRIMARY KEY,
  content_enc BYTEA NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX web_session_expires ON web_session (expires);
CREATE TABLE seal (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  name TEXT NOT NULL,
  key_name TEXT NOT NULL,
  certificate BYTEA NOT NULL,
  content BYTEA NOT NULL,
  state TEXT NOT NULL,
  valid_to BIGINT NOT NULL,
  created BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX seal_unit ON seal (unit, state);
CREATE TABLE authority (
  name TEXT NOT NULL PRIMARY KEY,
  certificate BYTEA NOT NULL,
  mac BYTEA NOT NULL
);

-- Holders (GB/T 36903-2018 annex A)
CREATE TABLE holder_code (
  code_index BYTEA NOT NULL PRIMARY KEY,
  holder_key TEXT NOT NULL,
  code_type TEXT NOT NULL,
  created BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX holder_code_holder ON holder_code (holder_key);

-- License types (Art. 6)
CREATE TABLE license_type (
  code TEXT NOT NULL,
  version BIGINT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  unit TEXT NOT NULL,
  state TEXT NOT NULL,
  content BYTEA NOT NULL,
  proposer TEXT NOT NULL,
  decider TEXT NOT NULL,
  remark TEXT NOT NULL,
  proposed BIGINT NOT NULL,
  decided BIGINT,
  confirmed BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (code, version)
);
CREATE INDEX license_type_name ON license_type (name_key, state);
CREATE INDEX license_type_unit ON license_type (unit, code, version);
CREATE INDEX license_type_state ON license_type (state, proposed);

-- Licenses and their events (Art. 7, 10). The owner is the first holder's key:
-- the spreading column of everything that hangs on a license.
CREATE TABLE license (
  owner TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  type_name TEXT NOT NULL,
  type_version BIGINT NOT NULL,
  issuer TEXT NOT NULL,
  state TEXT NOT NULL,
  overlays BIGINT NOT NULL,
  version BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  identifier TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  published BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  reference BOOLEAN NOT NULL,
  source TEXT NOT NULL,
  contact BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (owner, id)
);
CREATE INDEX license_issuer ON license (issuer, published);
CREATE TABLE license_version (
  owner TEXT NOT NULL,
  license TEXT NOT NULL,
  version BIGINT NOT NULL,
  identifier TEXT NOT NULL,
  serial TEXT NOT NULL,
  code_enc BYTEA NOT NULL,
  content_enc BYTEA NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  file TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  closed BIGINT,
  generated BIGINT,
  reviewed BIGINT,
  published BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (owner, license, version)
);
CREATE TABLE license_event (
  owner TEXT NOT NULL,
  license TEXT NOT NULL,
  seq BIGINT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  form BIGINT NOT NULL,
  effective BIGINT NOT NULL,
  learned BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  unit TEXT NOT NULL,
  actor TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (owner, license, seq)
);
CREATE TABLE license_holder (
  holder_key TEXT NOT NULL,
  license TEXT NOT NULL,
  owner TEXT NOT NULL,
  type TEXT NOT NULL,
  place BIGINT NOT NULL,
  PRIMARY KEY (holder_key, license)
);
CREATE INDEX license_holder_license ON license_holder (license);
CREATE TABLE license_id (
  id TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL
);
CREATE TABLE license_identifier (
  identifier TEXT NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  owner TEXT NOT NULL,
  version BIGINT NOT NULL
);
CREATE TABLE license_code (
  code_index BYTEA NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  owner TEXT NOT NULL,
  version BIGINT NOT NULL
);
CREATE TABLE license_number (
  number_index BYTEA NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  owner TEXT NOT NULL
);

-- Making licenses (Art. 7, 9, 14)
CREATE TABLE completion (
  unit TEXT NOT NULL,
  case_index BYTEA NOT NULL,
  item TEXT NOT NULL,
  draft TEXT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (unit, case_index, item)
);
CREATE TABLE draft (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  type TEXT NOT NULL,
  type_version BIGINT NOT NULL,
  type_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  license TEXT NOT NULL,
  owner TEXT NOT NULL,
  version BIGINT NOT NULL,
  identifier TEXT NOT NULL,
  drafter TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  closed BIGINT NOT NULL,
  generated BIGINT NOT NULL,
  submitted BIGINT,
  reviewed BIGINT,
  published BIGINT,
  due BIGINT,
  trouble TEXT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX draft_unit ON draft (unit, state, due);
CREATE UNIQUE INDEX draft_identifier ON draft (identifier) WHERE state <> 'void';
CREATE TABLE key_use (
  id TEXT NOT NULL PRIMARY KEY,
  draft TEXT NOT NULL,
  seal TEXT NOT NULL,
  digest BYTEA NOT NULL,
  state TEXT NOT NULL,
  file TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT,
  mac BYTEA NOT NULL
);
CREATE INDEX key_use_draft ON key_use (draft);
CREATE INDEX key_use_seal ON key_use (seal, started);

-- Changes of licenses awaiting their second person (Art. 10)
CREATE TABLE change_request (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  owner TEXT NOT NULL,
  license TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  effective BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  proposer TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  proposed BIGINT NOT NULL,
  decided BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX change_request_unit ON change_request (unit, state, proposed);
CREATE INDEX change_request_license ON change_request (license);

-- Matters and cases (Art. 11, 12, 13)
CREATE TABLE matter (
  code TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  unit TEXT NOT NULL,
  version BIGINT NOT NULL,
  content BYTEA NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX matter_unit ON matter (unit, code);
CREATE TABLE office_case (
  id TEXT NOT NULL PRIMARY KEY,
  number TEXT NOT NULL,
  unit TEXT NOT NULL,
  matter TEXT NOT NULL,
  matter_version BIGINT NOT NULL,
  matter_name TEXT NOT NULL,
  clerk TEXT NOT NULL,
  state TEXT NOT NULL,
  purpose TEXT NOT NULL,
  opened BIGINT NOT NULL,
  closed BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  UNIQUE (unit, number)
);
CREATE INDEX office_case_clerk ON office_case (clerk, state, opened);
CREATE TABLE case_party (
  case_id TEXT NOT NULL,
  place BIGINT NOT NULL,
  role TEXT NOT NULL,
  holder_key TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  proof TEXT NOT NULL,
  proven_by TEXT NOT NULL,
  proven BIGINT,
  mac BYTEA NOT NULL,
  PRIMARY KEY (case_id, place)
);
CREATE INDEX case_party_holder ON case_party (holder_key);

-- What reached whom, and what someone was typing
CREATE TABLE notice (
  inbox TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  link TEXT NOT NULL,
  sent BIGINT NOT NULL,
  seen BIGINT,
  PRIMARY KEY (inbox, id)
);
CREATE TABLE typed_text (
  account TEXT NOT NULL,
  form TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  saved BIGINT NOT NULL,
  PRIMARY KEY (account, form)
);
