-- +goose Up

-- Delivery (Art. 14(1)). How a holder wants to be told that a license was issued
CREATE TABLE contact (
  id TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  channel TEXT NOT NULL,
  address_enc BYTEA NOT NULL,
  source TEXT NOT NULL,
  unit TEXT NOT NULL,
  account TEXT NOT NULL,
  confirmed BIGINT,
  pending_enc BYTEA NOT NULL,
  code BYTEA NOT NULL,
  expires BIGINT,
  tries BIGINT NOT NULL,
  asked BIGINT,
  codes BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX contact_holder ON contact (holder, channel);

-- Closing documents of a case that a business system or an officer uploaded
CREATE TABLE closing_document (
  id TEXT NOT NULL PRIMARY KEY,
  draft TEXT NOT NULL,
  unit TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  file TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  size BIGINT NOT NULL,
  account TEXT NOT NULL,
  at BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX closing_document_draft ON closing_document (draft);

-- Packages: the license and the other closing documents, with their sealed list
CREATE TABLE delivery (
  id TEXT NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  version BIGINT NOT NULL,
  unit TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  doc_id BYTEA NOT NULL,
  made BIGINT NOT NULL,
  file TEXT NOT NULL,
  file_digest BYTEA NOT NULL,
  sealed BIGINT,
  trouble TEXT NOT NULL,
  mac BYTEA NOT NULL
);

-- What was sent over a channel, and what the other side answered
CREATE TABLE delivery_message (
  id TEXT NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  version BIGINT NOT NULL,
  unit TEXT NOT NULL,
  holder TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  state TEXT NOT NULL,
  tries BIGINT NOT NULL,
  answer TEXT NOT NULL,
  created BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX delivery_message_license ON delivery_message (license, version);
CREATE INDEX delivery_message_unit ON delivery_message (unit, state, created);

-- That a holder has it: he opened it, or a person handed it over
CREATE TABLE delivery_receipt (
  id TEXT NOT NULL PRIMARY KEY,
  license TEXT NOT NULL,
  version BIGINT NOT NULL,
  unit TEXT NOT NULL,
  holder TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  account TEXT NOT NULL,
  person TEXT NOT NULL,
  proof TEXT NOT NULL,
  content_enc BYTEA NOT NULL,
  mac BYTEA NOT NULL
);
CREATE INDEX delivery_receipt_license ON delivery_receipt (license, version);
CREATE INDEX delivery_receipt_unit ON delivery_receipt (unit, at);
