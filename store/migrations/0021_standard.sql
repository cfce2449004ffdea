-- +goose Up

-- The provincial standard type a local one is an instance of (Art. 6)
ALTER TABLE license_type ADD COLUMN standard TEXT NOT NULL DEFAULT '';
CREATE INDEX license_type_standard ON license_type (standard, state);
