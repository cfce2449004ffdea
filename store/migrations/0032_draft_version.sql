-- +goose Up
-- A license has one draft of a version at most that is not void. Identifiers say so
-- too, but stand at random places of an index; licenses stand in the order they are
-- made in.
DROP INDEX draft_identifier;
CREATE UNIQUE INDEX draft_version ON draft (license, version) WHERE NOT voided;
