-- +goose Up

-- The course of an electronic seal: 申请 → 制作 → 备案 → 启用 → 停用 → 注销
ALTER TABLE seal ADD COLUMN line TEXT NOT NULL DEFAULT '';
ALTER TABLE seal ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE seal ADD COLUMN applicant TEXT NOT NULL DEFAULT '';
ALTER TABLE seal ADD COLUMN remark TEXT NOT NULL DEFAULT '';
ALTER TABLE seal ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE TABLE seal_event (
  seal TEXT NOT NULL,
  seq BIGINT NOT NULL,
  state TEXT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  remark TEXT NOT NULL,
  happened BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  PRIMARY KEY (seal, seq)
);

-- What certificates are judged by beside the platform's own authority
CREATE TABLE trust_item (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  content BYTEA NOT NULL,
  added BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE TABLE revoked (
  certificate BYTEA NOT NULL PRIMARY KEY,
  reason BIGINT NOT NULL,
  happened BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
