-- +goose Up

-- Legal bases by which paper or presence may be asked for (Art. 11(1))
CREATE TABLE basis (
  id TEXT NOT NULL PRIMARY KEY,
  rank TEXT NOT NULL,
  title TEXT NOT NULL,
  article TEXT NOT NULL,
  quote TEXT NOT NULL,
  in_force TEXT NOT NULL,
  repealed TEXT NOT NULL,
  account TEXT NOT NULL,
  changed BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE TABLE matter_task (
  matter TEXT NOT NULL,
  basis TEXT NOT NULL,
  unit TEXT NOT NULL,
  opened BIGINT NOT NULL,
  done BIGINT,
  mac BYTEA NOT NULL,
  PRIMARY KEY (matter, basis)
);
CREATE INDEX matter_task_unit ON matter_task (unit, opened);

-- Versions of matters; the table matter keeps the one in force
CREATE TABLE matter_version (
  code TEXT NOT NULL,
  version BIGINT NOT NULL,
  name TEXT NOT NULL,
  unit TEXT NOT NULL,
  content BYTEA NOT NULL,
  state TEXT NOT NULL,
  proposer TEXT NOT NULL,
  decider TEXT NOT NULL,
  remark TEXT NOT NULL,
  proposed BIGINT NOT NULL,
  decided BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (code, version)
);
CREATE INDEX matter_version_state ON matter_version (state, proposed);
CREATE INDEX matter_version_unit ON matter_version (unit, code, version);
CREATE TABLE entrustment (
  acceptor TEXT NOT NULL,
  unit TEXT NOT NULL,
  doc_no TEXT NOT NULL,
  from_day TEXT NOT NULL,
  to_day TEXT NOT NULL,
  account TEXT NOT NULL,
  filed BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (acceptor, unit)
);

-- The course of a case (Art. 11, 行政许可法 32, 42, 45)
ALTER TABLE office_case ADD COLUMN implementer TEXT NOT NULL DEFAULT '';
ALTER TABLE office_case ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE office_case ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE office_case ADD COLUMN stage TEXT NOT NULL DEFAULT '';
ALTER TABLE office_case ADD COLUMN applicant TEXT NOT NULL DEFAULT '';
ALTER TABLE office_case ADD COLUMN facts_enc BYTEA;
ALTER TABLE office_case ADD COLUMN due BIGINT;
ALTER TABLE office_case ADD COLUMN looks BIGINT NOT NULL DEFAULT 0;
CREATE INDEX office_case_queue ON office_case (implementer, stage, opened);
CREATE INDEX office_case_applicant ON office_case (applicant, opened);
CREATE TABLE case_event (
  case_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  happened BIGINT NOT NULL,
  person TEXT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (case_id, seq)
);

-- How each material of a case was met, or why paper was asked for (Art. 12)
CREATE TABLE case_material (
  case_id TEXT NOT NULL,
  place BIGINT NOT NULL,
  way TEXT NOT NULL,
  reason TEXT NOT NULL,
  basis TEXT NOT NULL,
  unit TEXT NOT NULL,
  matter TEXT NOT NULL,
  account TEXT NOT NULL,
  could BOOLEAN NOT NULL,
  happened BIGINT NOT NULL,
  due BIGINT,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (case_id, place)
);
CREATE INDEX case_material_unit ON case_material (unit, happened);
CREATE TABLE case_file (
  name TEXT NOT NULL PRIMARY KEY,
  case_id TEXT NOT NULL,
  place BIGINT NOT NULL,
  digest TEXT NOT NULL,
  account TEXT NOT NULL,
  kept BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX case_file_case ON case_file (case_id);
CREATE TABLE quality_ticket (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  unit TEXT NOT NULL,
  issuer TEXT NOT NULL,
  type TEXT NOT NULL,
  holder_key TEXT NOT NULL,
  license TEXT NOT NULL,
  case_id TEXT NOT NULL,
  account TEXT NOT NULL,
  opened BIGINT NOT NULL,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX quality_ticket_issuer ON quality_ticket (issuer, state, opened);
CREATE INDEX quality_ticket_unit ON quality_ticket (unit, opened);

-- What a holder agreed to (个人信息保护法 13, 14), and who was told of a first look
CREATE TABLE agreement (
  id TEXT NOT NULL PRIMARY KEY,
  holder_key TEXT NOT NULL,
  case_id TEXT NOT NULL,
  type TEXT NOT NULL,
  unit TEXT NOT NULL,
  state TEXT NOT NULL,
  account TEXT NOT NULL,
  asked BIGINT NOT NULL,
  decided BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  UNIQUE (case_id, holder_key, type)
);
CREATE INDEX agreement_holder ON agreement (holder_key, state, asked);
CREATE TABLE case_look (
  case_id TEXT NOT NULL,
  holder_key TEXT NOT NULL,
  type TEXT NOT NULL,
  first BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  objected BIGINT,
  mac BYTEA NOT NULL,
  PRIMARY KEY (case_id, holder_key, type)
);
CREATE INDEX case_look_holder ON case_look (holder_key, first);

-- Tickets of business systems: each number once (Art. 13(2))
CREATE TABLE case_ticket (
  issuer TEXT NOT NULL,
  number TEXT NOT NULL,
  case_id TEXT NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (issuer, number)
);
CREATE TABLE system_key (
  account TEXT NOT NULL,
  key_id TEXT NOT NULL,
  key BYTEA NOT NULL,
  since BIGINT NOT NULL,
  ended BIGINT,
  mac BYTEA NOT NULL,
  PRIMARY KEY (account, key_id)
);

-- Refusals by day, for the alarm and the pages of figures (Art. 17(1), 18(2))
CREATE TABLE refusal_count (
  day TEXT NOT NULL,
  account TEXT NOT NULL,
  rule TEXT NOT NULL,
  unit TEXT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (day, account, rule)
);
CREATE INDEX refusal_count_unit ON refusal_count (unit, day);

-- Statutory disclosure (Art. 18(1)): to courts, police, audit, discipline
CREATE TABLE disclosure (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  holder_key TEXT NOT NULL,
  license TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  first TEXT NOT NULL,
  second TEXT NOT NULL,
  proposed BIGINT NOT NULL,
  decided BIGINT,
  tell_from TEXT NOT NULL,
  told BIGINT,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX disclosure_unit ON disclosure (unit, state, proposed);
