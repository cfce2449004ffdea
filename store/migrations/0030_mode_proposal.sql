-- +goose Up

-- What an issuing unit proposes for its own licenses of a type it does not register (Art. 7)
CREATE TABLE mode_proposal (
  id TEXT NOT NULL PRIMARY KEY,
  code TEXT NOT NULL,
  unit TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  basis TEXT NOT NULL,
  state TEXT NOT NULL,
  proposer TEXT NOT NULL,
  proposed BIGINT NOT NULL,
  decider TEXT NOT NULL,
  decided BIGINT,
  remark TEXT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE UNIQUE INDEX mode_proposal_open ON mode_proposal (code, unit) WHERE state = 'open';
CREATE INDEX mode_proposal_unit ON mode_proposal (unit, proposed);
