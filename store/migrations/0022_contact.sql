-- +goose Up

-- Whom to ask about a type's licenses at an issuing unit (Art. 6)
CREATE TABLE type_contact (
  code TEXT NOT NULL,
  unit TEXT NOT NULL,
  office TEXT NOT NULL,
  phone TEXT NOT NULL,
  address TEXT NOT NULL,
  hours TEXT NOT NULL,
  changed BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (code, unit)
);
