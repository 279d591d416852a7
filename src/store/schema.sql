-- Store version 1. What the columns mean stands in the documentation of the module `store`.
CREATE TABLE changes (
  id            INTEGER PRIMARY KEY,
  asked_at      INTEGER NOT NULL,
  zone          TEXT    NOT NULL COLLATE NOCASE,
  owner         TEXT    NOT NULL COLLATE NOCASE,
  server        TEXT    NOT NULL,
  update_zone   TEXT    NOT NULL COLLATE NOCASE,
  serial_before INTEGER NOT NULL,
  before        TEXT    NOT NULL,
  after         TEXT    NOT NULL,
  changes       TEXT    NOT NULL,
  digest        TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  outcome       TEXT    CHECK (outcome IN ('applied', 'refused', 'stale', 'failed', 'unknown')),
  outcome_text  TEXT,
  rcode         INTEGER,
  serial_after  INTEGER,
  finished_at   INTEGER CHECK ((finished_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX changes_by_zone ON changes (zone, id);
CREATE INDEX changes_by_time ON changes (asked_at);
CREATE INDEX changes_open ON changes (id) WHERE outcome IS NULL;

CREATE TABLE removals (
  zone      TEXT    NOT NULL COLLATE NOCASE,
  host      TEXT    NOT NULL COLLATE NOCASE,
  at        INTEGER NOT NULL,
  change_id INTEGER REFERENCES changes (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX removals_by_host ON removals (zone, host, at);
CREATE INDEX removals_by_time ON removals (at, zone, host);
CREATE INDEX removals_by_change ON removals (change_id);

CREATE TABLE published (
  zone   TEXT NOT NULL COLLATE NOCASE,
  target TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (zone, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
  host    TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE,
  last_up INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE overrides (
  host    TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE,
  state   TEXT    NOT NULL CHECK (state IN ('up', 'down')),
  reason  TEXT,
  actor   TEXT    NOT NULL,
  made_at INTEGER NOT NULL,
  until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tracks (
  host          TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE,
  settled       TEXT    NOT NULL CHECK (settled IN ('unknown', 'up', 'down')),
  since         INTEGER,
  failures      INTEGER NOT NULL,
  successes     INTEGER NOT NULL,
  first_failure INTEGER,
  passing_since INTEGER,
  newest_began  INTEGER,
  newest_passed INTEGER CHECK (newest_passed IN (0, 1)
                               AND (newest_passed IS NULL) = (newest_began IS NULL)),
  newest_text   TEXT    CHECK ((newest_text IS NULL) = (newest_began IS NULL)),
  asked         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
  host   TEXT    NOT NULL COLLATE NOCASE,
  began  INTEGER NOT NULL,
  took   INTEGER NOT NULL,
  passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
  text   TEXT    NOT NULL,
  PRIMARY KEY (host, began)
) STRICT, WITHOUT ROWID;
CREATE INDEX samples_by_time ON samples (began);

CREATE TABLE pause (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  reason  TEXT,
  actor   TEXT    NOT NULL,
  made_at INTEGER NOT NULL,
  until   INTEGER NOT NULL
) STRICT;

CREATE TABLE contests (
  owner    TEXT    NOT NULL COLLATE NOCASE,
  target   TEXT    NOT NULL COLLATE NOCASE,
  kind     TEXT    NOT NULL CHECK (kind IN ('returns', 'vanishes', 'rewrites')),
  count    INTEGER NOT NULL,
  armed_at INTEGER,
  at       INTEGER NOT NULL,
  written  TEXT,
  PRIMARY KEY (owner, target, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE homes (
  owner  TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  server TEXT,
  rrset  TEXT CHECK (rrset IS NULL OR server IS NOT NULL),
  doubt  TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE refreshes (
  owner TEXT    PRIMARY KEY NOT NULL COLLATE NOCASE,
  at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
