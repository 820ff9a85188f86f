-- SPDX-License-Identifier: Apache-2.0
-- Several nodes on one database (store/store.h, struct store_shared).

ALTER TABLE task ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE effect ADD COLUMN node TEXT NOT NULL DEFAULT '';
CREATE INDEX task_node ON task (node) WHERE state < 5;

-- A row is locked by each transaction of its node, and taken out when the node is given up. turn: the
-- process that is the node now; beat: grows as long as it lives; pid: of its connection's backend;
-- lease_ms: who does not beat for so long is gone.
ALTER TABLE store_node ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE store_node ADD COLUMN beat BIGINT NOT NULL DEFAULT 0;
ALTER TABLE store_node ADD COLUMN pid BIGINT NOT NULL DEFAULT 0;
ALTER TABLE store_node ADD COLUMN lease_ms BIGINT NOT NULL DEFAULT 30000;

-- Whoever waits for something is told when it has been committed: a delivery for the leader, a task
-- that may start, a box that is free for it, a stop, the end of a publication.
CREATE FUNCTION tell_nodes() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_notify('nightshift', ''); RETURN NULL; END $$;
CREATE TRIGGER tell_of_deliveries AFTER INSERT ON delivery
	FOR EACH STATEMENT EXECUTE FUNCTION tell_nodes();
CREATE TRIGGER tell_of_tasks AFTER INSERT ON task FOR EACH STATEMENT EXECUTE FUNCTION tell_nodes();
CREATE TRIGGER tell_of_changes AFTER UPDATE ON task FOR EACH ROW
	WHEN (OLD.state <> NEW.state OR OLD.stop_wanted <> NEW.stop_wanted)
	EXECUTE FUNCTION tell_nodes();
