-- +goose Up

-- Rules administrators added to the law of access; they only forbid (Art. 13(2))
CREATE TABLE local_rule (
  id TEXT NOT NULL,
  version BIGINT NOT NULL,
  state TEXT NOT NULL,
  title TEXT NOT NULL,
  doc_no TEXT NOT NULL,
  rule TEXT NOT NULL,
  steps TEXT NOT NULL,
  stamp BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (id, version)
);
CREATE INDEX local_rule_state ON local_rule (state);
CREATE UNIQUE INDEX local_rule_stamp ON local_rule (stamp);
