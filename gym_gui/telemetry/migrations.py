"""The schema of a run's file, as numbered migrations. ``docs/store.md`` describes it.

A file carries the number of its last migration in ``user_version``. Each migration runs in one
transaction together with that number, so a file is always of exactly one version. A published
migration is never changed: a new one follows it.
"""

from __future__ import annotations

import apsw

APPLICATION_ID = 0x67796D67  # "gymg"

_FIRST = """
CREATE TABLE runs(
    run_id TEXT PRIMARY KEY, spec_json TEXT NOT NULL, created_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE channels(
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL UNIQUE, high_water INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE streams(
    stream INTEGER PRIMARY KEY, channel TEXT NOT NULL, instance INTEGER NOT NULL,
    env_id TEXT NOT NULL DEFAULT '', spec_json TEXT NOT NULL DEFAULT '',
    observation_space TEXT NOT NULL DEFAULT '', action_space TEXT NOT NULL DEFAULT '',
    agents TEXT NOT NULL DEFAULT '[]', vector TEXT, render_mode TEXT NOT NULL DEFAULT '',
    reproducible INTEGER NOT NULL DEFAULT 1, note TEXT NOT NULL DEFAULT '',
    UNIQUE(channel, instance)
);
CREATE TABLE steps(
    id INTEGER PRIMARY KEY, episode INTEGER NOT NULL, step INTEGER NOT NULL, action,
    reward REAL, flags INTEGER NOT NULL, time_ns INTEGER NOT NULL, observation TEXT,
    agent TEXT, proposed_action
);
CREATE TABLE episodes(
    stream INTEGER NOT NULL, episode INTEGER NOT NULL, agent TEXT NOT NULL,
    length INTEGER NOT NULL, return REAL, terminated INTEGER NOT NULL,
    truncated INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    first_index INTEGER NOT NULL, success INTEGER,
    PRIMARY KEY(stream, episode, agent)
) WITHOUT ROWID;
CREATE INDEX episodes_by_end ON episodes(end_ns);
CREATE TABLE resets(
    id INTEGER PRIMARY KEY, seed, options TEXT, rng_state TEXT, snapshot TEXT,
    observation TEXT, time_ns INTEGER NOT NULL
);
CREATE TABLE metric_names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE metrics(
    id INTEGER PRIMARY KEY, name_id INTEGER NOT NULL REFERENCES metric_names(id), value REAL,
    global_step INTEGER NOT NULL, time_ns INTEGER NOT NULL
);
CREATE INDEX metrics_by_name ON metrics(name_id, id);
CREATE TABLE logs(
    id INTEGER PRIMARY KEY, level TEXT NOT NULL, message TEXT NOT NULL, time_ns INTEGER NOT NULL
);
CREATE TABLE events(
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, data TEXT NOT NULL, time_ns INTEGER NOT NULL
);
CREATE TABLE frames(
    id INTEGER PRIMARY KEY, episode INTEGER NOT NULL, step INTEGER NOT NULL,
    height INTEGER NOT NULL, width INTEGER NOT NULL, channels INTEGER NOT NULL,
    format TEXT NOT NULL, pixels BLOB NOT NULL
);
CREATE TABLE totals(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""

_AUTORESETS = """
CREATE TABLE autoresets(id INTEGER PRIMARY KEY);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _AUTORESETS)
VERSION = len(MIGRATIONS)


def migrate(connection: apsw.Connection) -> int:
    """Bring a file of ours, or an empty one, to ``VERSION``; return the version it had.

    The caller has refused newer and foreign files. Two processes may call it at once.
    """
    connection.execute("BEGIN IMMEDIATE")
    with_version = _version(connection)
    connection.execute("COMMIT")
    for number in range(with_version + 1, VERSION + 1):
        _apply(connection, number)
    return with_version


def _version(connection: apsw.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]  # type: ignore[index]


def _apply(connection: apsw.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < number:
            connection.execute(MIGRATIONS[number - 1])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
