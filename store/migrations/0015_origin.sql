-- +goose Up

-- Whether a license is new, of the stock, or made late for one on paper (Art. 8)
ALTER TABLE draft ADD COLUMN origin TEXT NOT NULL DEFAULT '';
