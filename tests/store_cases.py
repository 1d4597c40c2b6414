"""Stores as older versions made them."""

FIRST_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (number INTEGER PRIMARY KEY, state TEXT NOT NULL, "values" TEXT NOT NULL,
  optimizer TEXT NOT NULL, loss REAL, result TEXT NOT NULL DEFAULT '{}', worker TEXT NOT NULL DEFAULT '',
  created REAL NOT NULL, started REAL, finished REAL);
CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), host TEXT, pid INTEGER, start REAL, heartbeat REAL);
INSERT INTO meta VALUES ('schema', '1');
INSERT INTO trials (number, state, "values", optimizer, loss, created)
  VALUES (0, 'COMPLETE', '{"a": 1}', 'sobol', 0.5, 1.0), (1, 'RUNNING', '{"a": 2}', 'sobol', NULL, 2.0);
"""
