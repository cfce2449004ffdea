-- +goose Up

-- The queue passes over the rows of lots, of which there may be a million, and
-- most drafts are of no old paper: neither has to stand in these indexes. The
-- conditions are those of the queries, word for word.
DROP INDEX draft_unit;
CREATE INDEX draft_unit ON draft (unit, state, due) WHERE lot = '' OR state = 'draft';
DROP INDEX draft_origin;
CREATE INDEX draft_origin ON draft (unit, type, origin, state) WHERE origin <> '';
