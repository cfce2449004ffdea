-- +goose Up

-- When a job that was enqueued while it ran is to run once more
ALTER TABLE job ADD COLUMN next BIGINT;
