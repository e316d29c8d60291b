//! History, journal and cluster state in SQLite: the only room that knows SQL.
