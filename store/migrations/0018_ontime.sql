-- +goose Up

-- The times of a draft come under its code with form 2 (Art. 7)
ALTER TABLE draft ADD COLUMN mac_form BIGINT NOT NULL DEFAULT 1;
CREATE INDEX completion_draft ON completion (draft);
-- All that on-time figures ask of a published draft
CREATE INDEX draft_ontime ON draft (closed, unit, type, mode, origin, published, due, generated, lot, id) WHERE state = 'published';
CREATE INDEX draft_old ON draft (generated, origin, unit, type, state, lot, id) WHERE origin <> '';
CREATE INDEX comparison_waiting ON comparison (unit, at) WHERE stands AND outcome = 'unavailable';

-- Results of closed cases a license is due for, as reported or closed here
CREATE TABLE case_result (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  case_index BYTEA NOT NULL,
  item TEXT NOT NULL,
  type TEXT NOT NULL,
  type_name TEXT NOT NULL,
  mode TEXT NOT NULL,
  closed BIGINT NOT NULL,
  due BIGINT,
  source TEXT NOT NULL,
  office_case TEXT NOT NULL,
  wholly BOOLEAN NOT NULL,
  content_enc BYTEA NOT NULL,
  owner TEXT NOT NULL,
  standing TEXT NOT NULL,
  ground TEXT NOT NULL,
  claimer TEXT NOT NULL,
  claimed BIGINT,
  confirmer TEXT NOT NULL,
  confirmed BIGINT,
  awaited BOOLEAN NOT NULL,
  reported BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX case_result_case ON case_result (unit, case_index, item);
CREATE INDEX case_result_awaited ON case_result (unit, closed, id) WHERE awaited;
CREATE INDEX case_result_closed ON case_result (closed, unit, standing, ground);

-- Files of reported results, with the rows that did not stand
CREATE TABLE result_file (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  name TEXT NOT NULL,
  account TEXT NOT NULL,
  account_name TEXT NOT NULL,
  at BIGINT NOT NULL,
  good BIGINT NOT NULL,
  repeated BIGINT NOT NULL,
  bad BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX result_file_unit ON result_file (unit, at);

-- What supervision excused (Art. 19): the late one stays late
CREATE TABLE excuse (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  unit TEXT NOT NULL,
  ground TEXT NOT NULL,
  doc TEXT NOT NULL,
  reason TEXT NOT NULL,
  by_unit TEXT NOT NULL,
  account TEXT NOT NULL,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  at BIGINT NOT NULL,
  lifted BIGINT,
  lifter TEXT NOT NULL,
  lift_reason TEXT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX excuse_subject ON excuse (kind, subject) WHERE lifted IS NULL;

-- Within how many minutes of closing a unit says it makes licenses
CREATE TABLE sync_setting (
  unit TEXT NOT NULL PRIMARY KEY,
  minutes BIGINT NOT NULL,
  name TEXT NOT NULL,
  changed BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
