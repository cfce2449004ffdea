-- +goose Up

-- The form of a disclosure's code: from 2 it covers when it was put forward and
-- decided, from which its day of reading is counted. Rows from before hold form 1.
ALTER TABLE disclosure ADD COLUMN mac_form BIGINT NOT NULL DEFAULT 1;
