-- The first schema: inbox, trigger, task, attempt, effect.
--
-- Column names are the row names of store/task.h and store/store.h. States are the numbers of their enums:
-- task 0 queued, 1..3 with a runner, 4 publishing, 5 waits for a human, 6.. final; effect 0 pending, 1 sent.

CREATE TABLE delivery (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	forge TEXT NOT NULL,
	guid TEXT,
	event TEXT NOT NULL,
	event_type TEXT,
	content_type TEXT,
	received_ms INTEGER NOT NULL,
	state INTEGER NOT NULL DEFAULT 0,
	reason TEXT,
	strikes INTEGER NOT NULL DEFAULT 0,
	size INTEGER NOT NULL,
	body BLOB NOT NULL -- zstd
) STRICT;
-- A short cut for redelivered ones; what makes a task unique is its trigger.
CREATE UNIQUE INDEX delivery_guid ON delivery (forge, guid) WHERE guid IS NOT NULL;
CREATE INDEX delivery_new ON delivery (id) WHERE state = 0;

CREATE TABLE label (
	forge TEXT NOT NULL,
	repo_id INTEGER NOT NULL,
	number INTEGER NOT NULL,
	label TEXT NOT NULL,
	generation INTEGER NOT NULL,
	is_on INTEGER NOT NULL,
	PRIMARY KEY (forge, repo_id, number, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE task (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	page TEXT NOT NULL UNIQUE,
	forge TEXT NOT NULL,
	installation_id INTEGER NOT NULL,
	repo_id INTEGER NOT NULL,
	repo TEXT NOT NULL,
	number INTEGER NOT NULL,
	is_pull INTEGER NOT NULL,
	verb INTEGER NOT NULL,
	instruction TEXT,
	title TEXT,
	input_hash TEXT,
	actor TEXT,
	actor_id INTEGER NOT NULL,
	comment_id INTEGER NOT NULL,
	agent TEXT,
	base_ref TEXT,
	branch TEXT,
	base_sha TEXT,
	head_sha TEXT,
	state INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	reason TEXT,
	attempt INTEGER NOT NULL,
	fence INTEGER NOT NULL,
	lease_ms INTEGER NOT NULL,
	stop_wanted INTEGER NOT NULL,
	stop_by TEXT,
	created_ms INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,
	pull_number INTEGER NOT NULL,
	pull_url TEXT,
	sticky_id INTEGER NOT NULL,
	check_id INTEGER NOT NULL,
	files INTEGER NOT NULL,
	insertions INTEGER NOT NULL,
	deletions INTEGER NOT NULL,
	gate_command TEXT,
	gate_exit INTEGER NOT NULL,
	summary TEXT,
	tail TEXT,
	tier TEXT,
	blocked TEXT,
	notes TEXT,
	log_ref_sha TEXT,
	not_before_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
-- At most one live task that fixes an issue or pull request: label and "/agent fix" (verb 0).
CREATE UNIQUE INDEX task_live ON task (forge, repo_id, number) WHERE state < 5 AND verb = 0;
CREATE INDEX task_issue ON task (forge, repo_id, number, id);
-- Claims walk the queued ones lane by lane and count those with a runner.
CREATE INDEX task_queued ON task (forge, repo_id, id) WHERE state = 0;
CREATE INDEX task_running ON task (forge, repo_id) WHERE state BETWEEN 1 AND 3;
CREATE INDEX task_unfinished ON task (state, id) WHERE state < 6;

-- Apart from its task: half a megabyte is not written again for every change of state.
CREATE TABLE prompt (
	task INTEGER PRIMARY KEY REFERENCES task (id),
	prompt TEXT NOT NULL
) STRICT;

CREATE TABLE trigger_seen (
	key TEXT PRIMARY KEY,
	delivery INTEGER NOT NULL, -- 0: found by looking, not told by a delivery
	task INTEGER NOT NULL REFERENCES task (id),
	created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
	task INTEGER NOT NULL REFERENCES task (id),
	number INTEGER NOT NULL,
	fence INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL DEFAULT 0,
	outcome INTEGER NOT NULL DEFAULT 0,
	reason TEXT,
	PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
	id INTEGER PRIMARY KEY,
	task INTEGER NOT NULL REFERENCES task (id),
	attempt INTEGER NOT NULL,
	name TEXT NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	exit_code INTEGER NOT NULL,
	note TEXT,
	UNIQUE (task, attempt, name)
) STRICT;

CREATE TABLE transcript (
	task INTEGER NOT NULL REFERENCES task (id),
	attempt INTEGER NOT NULL,
	cast_size INTEGER NOT NULL,
	cast_body BLOB NOT NULL, -- zstd
	text_size INTEGER NOT NULL,
	text_body BLOB NOT NULL, -- zstd
	PRIMARY KEY (task, attempt)
) STRICT;

CREATE TABLE effect (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	task INTEGER NOT NULL, -- 0: of no task
	purpose TEXT NOT NULL,
	lane TEXT NOT NULL,
	scope TEXT NOT NULL,
	what INTEGER NOT NULL,
	is_latest INTEGER NOT NULL,
	is_urgent INTEGER NOT NULL,
	must INTEGER NOT NULL,
	op TEXT NOT NULL,
	digest TEXT NOT NULL,
	next_op TEXT,
	next_digest TEXT,
	state INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	not_before_ms INTEGER NOT NULL,
	was_unknown INTEGER NOT NULL,
	unknown_ms INTEGER NOT NULL,
	code INTEGER NOT NULL,
	text TEXT,
	answer TEXT,
	created_ms INTEGER NOT NULL,
	done_ms INTEGER NOT NULL,
	edited_ms INTEGER NOT NULL,
	UNIQUE (task, purpose)
) STRICT;
CREATE INDEX effect_pending ON effect (not_before_ms) WHERE state = 0;
CREATE INDEX effect_sent ON effect (task) WHERE state = 1;

CREATE TABLE kv (
	key TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
