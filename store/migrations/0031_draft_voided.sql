-- +goose Up
-- That a license has one draft at most is held by an index of drafts that are not
-- void. Its condition was their state, so that each change of a state wrote the
-- index anew, at a random place, for a million rows of a lot.
ALTER TABLE draft ADD COLUMN voided BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE draft SET voided = TRUE WHERE state = 'void';
DROP INDEX draft_identifier;
CREATE UNIQUE INDEX draft_identifier ON draft (identifier) WHERE NOT voided;
