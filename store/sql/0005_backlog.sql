-- SPDX-License-Identifier: Apache-2.0
-- What is asked for again and again costs the same however much waits.

-- Effects of one scope in the order in which they go out (store/sql_effect.c): four seeks, no sorting.
CREATE INDEX effect_next ON effect (scope, is_urgent, is_latest, not_before_ms, id) WHERE state = 0;
-- A repository's tasks at work, a page at a time.
CREATE INDEX task_at_work ON task (forge, repo_id, id) WHERE state < 5;
