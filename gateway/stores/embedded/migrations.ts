/**
 * The schema's history: entry n brings version n to n + 1. An entry that was released is never edited; a change is a new entry.
 * Amounts are nano-dollars, times milliseconds since the epoch. `holds` are the records, `accounts` the totals that follow from
 * them: spent = archived + Σ charged, held = Σ amount of open holds (state 0).
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE accounts (
    id        TEXT PRIMARY KEY,
    spent     INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    archived  INTEGER NOT NULL DEFAULT 0,
    resets_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX accounts_by_end ON accounts (resets_at) WHERE resets_at IS NOT NULL;

  CREATE TABLE holds (
    id        TEXT PRIMARY KEY,
    at        INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    charged   INTEGER NOT NULL,
    state     INTEGER NOT NULL,
    lapses_at INTEGER NOT NULL,
    accounts  TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holds_open ON holds (id) WHERE state = 0;

  CREATE TABLE keys (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    tenant     TEXT NOT NULL,
    human      TEXT,
    agent      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    expires_at INTEGER
  ) STRICT;

  CREATE TABLE calls (
    seq    INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    at     INTEGER NOT NULL,
    run    TEXT,
    tenant TEXT,
    key    TEXT,
    agent  TEXT,
    human  TEXT,
    step   INTEGER NOT NULL,
    model  TEXT NOT NULL,
    cost   INTEGER NOT NULL,
    json   TEXT NOT NULL
  ) STRICT;
  CREATE INDEX calls_by_run ON calls (run, seq) WHERE run IS NOT NULL;

  CREATE TABLE runs (
    id       TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    key      TEXT NOT NULL,
    agent    TEXT NOT NULL,
    human    TEXT,
    calls    INTEGER NOT NULL,
    carried  INTEGER NOT NULL,
    steps    INTEGER NOT NULL,
    cost     INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (id, tenant, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_by_time ON runs (last_at);

  CREATE TABLE halts (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE run_labels (
    tenant TEXT NOT NULL,
    key    TEXT NOT NULL,
    run    TEXT NOT NULL,
    label  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, key, run, label)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX run_labels_by_time ON run_labels (at);
  `,
  `
  CREATE TABLE deferrals (
    call    TEXT PRIMARY KEY,
    object  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    json    TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deferrals_by_object ON deferrals (object);
  CREATE INDEX deferrals_waiting ON deferrals (at) WHERE settled = 0;
  `,
  `
  CREATE TABLE pins_shown (
    server     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    beside     TEXT NOT NULL,
    text       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL,
    suspicions TEXT NOT NULL,
    PRIMARY KEY (server, kind, name)
  ) STRICT;

  CREATE TABLE pins_trusted (
    server  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    hash    TEXT NOT NULL,
    beside  TEXT NOT NULL,
    text    TEXT,
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,
    revoked INTEGER NOT NULL,
    PRIMARY KEY (server, kind, name, hash)
  ) STRICT;
  `,
  `
  CREATE TABLE rates (
    account TEXT NOT NULL,
    slot    INTEGER NOT NULL,
    amount  INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (account, slot)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX rates_by_end ON rates (until);
  `,
  `
  ALTER TABLE holds ADD COLUMN rates TEXT;
  `,
  `
  ALTER TABLE keys ADD COLUMN tags TEXT;
  `,
];
