-- What the platform's technical rooms keep: data keys, the record of every act
-- and its log, answers to repeated requests, jobs. One text for SQLite and
-- PostgreSQL. Times are microseconds since 1970 in UTC; month is year*100+month
-- of the time of appending and never goes back, so (month, idx) sorts like idx.

-- +goose Up
CREATE TABLE data_key (
    id      BIGINT  NOT NULL PRIMARY KEY,
    purpose TEXT    NOT NULL, -- field, index, mac
    sealed  BYTEA   NOT NULL, -- the key under the key-encryption secret
    created BIGINT  NOT NULL
);

-- The record: shard and month spread it; idx is the place in the shard's log.
CREATE TABLE record (
    shard BIGINT NOT NULL,
    month BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    id    TEXT   NOT NULL,
    time  BIGINT NOT NULL,
    bytes BYTEA  NOT NULL,
    salt  BYTEA  NOT NULL,
    leaf  BYTEA  NOT NULL,
    PRIMARY KEY (shard, month, idx)
);

CREATE TABLE record_id (
    id    TEXT   NOT NULL PRIMARY KEY,
    shard BIGINT NOT NULL,
    month BIGINT NOT NULL,
    idx   BIGINT NOT NULL
);

-- Who and what a record is about: kind is license, case, holder, actor or unit.
CREATE TABLE record_key (
    kind  TEXT   NOT NULL,
    key   TEXT   NOT NULL,
    time  BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    month BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    PRIMARY KEY (kind, key, time, shard, idx, month)
);

-- The right edge of each shard's tree.
CREATE TABLE log_head (
    shard  BIGINT NOT NULL PRIMARY KEY,
    size   BIGINT NOT NULL,
    month  BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,
    mac    BYTEA  NOT NULL
);

-- Level 0 is stored when a tile is full (the leaves stand in record until then),
-- higher levels as they grow.
CREATE TABLE log_tile (
    shard  BIGINT NOT NULL,
    level  BIGINT NOT NULL,
    tile   BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,
    PRIMARY KEY (shard, level, tile)
);

CREATE TABLE checkpoint (
    shard     BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    time      BIGINT NOT NULL,
    note      BYTEA  NOT NULL, -- the signed text
    signature BYTEA,           -- NULL: this process had no key to sign with
    PRIMARY KEY (shard, size)
);

CREATE TABLE log_top (
    time      BIGINT NOT NULL PRIMARY KEY,
    note      BYTEA  NOT NULL,
    members   BYTEA  NOT NULL, -- shard and size of each checkpoint under the root
    signature BYTEA
);

CREATE TABLE once (
    scope   TEXT   NOT NULL,
    key     TEXT   NOT NULL,
    digest  BYTEA  NOT NULL, -- keyed code of the request's digest
    reply   BYTEA,           -- NULL until the answer is kept
    expires BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX once_expires ON once (expires);

CREATE TABLE job (
    kind     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    state    TEXT    NOT NULL, -- waiting, running, dead
    due      BIGINT,           -- waiting: when to run; running: end of the lease; dead: NULL
    claims   BIGINT  NOT NULL, -- grows with each claim: tells an old claim from the present one
    attempts BIGINT  NOT NULL,
    most     BIGINT  NOT NULL, -- attempts before it is dead
    again    BOOLEAN NOT NULL, -- enqueued once more while it ran
    payload  BYTEA   NOT NULL,
    reason   TEXT    NOT NULL, -- of the last failure
    created  BIGINT  NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX job_due ON job (due) WHERE due IS NOT NULL;
