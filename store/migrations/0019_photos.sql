-- +goose Up

-- Rows of a lot that wait for nothing but their photographs
ALTER TABLE lot_bad ADD COLUMN awaits BOOLEAN NOT NULL DEFAULT FALSE;
