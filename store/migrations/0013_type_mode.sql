-- +goose Up

-- How a unit's licenses of a type are made, where it is not as the type says (Art. 7)
CREATE TABLE type_mode (
  code TEXT NOT NULL,
  unit TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  basis TEXT NOT NULL,
  changed BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (code, unit)
);
