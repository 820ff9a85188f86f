-- SPDX-License-Identifier: Apache-2.0
-- What came in and what was taken out again, counted as it happens: with the rows that are there,
-- these numbers show whether anything vanished (store/tally.h).
CREATE TABLE tally (
	name TEXT PRIMARY KEY,
	n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally SELECT 'received', count(*) FROM delivery;
INSERT INTO tally VALUES ('duplicates', 0);
INSERT INTO tally VALUES ('pruned', 0);
INSERT INTO tally SELECT 'accepted', count(*) FROM task;
