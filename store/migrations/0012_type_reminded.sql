-- +goose Up

-- For how many months without a confirmation the unit was reminded (Art. 6)
ALTER TABLE license_type ADD COLUMN reminded BIGINT NOT NULL DEFAULT 0;
