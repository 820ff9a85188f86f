-- SPDX-License-Identifier: Apache-2.0
-- What 0005 is for SQLite.

CREATE INDEX effect_next ON effect (scope, is_urgent, is_latest, not_before_ms, id) WHERE state = 0;
CREATE INDEX task_at_work ON task (forge, repo_id, id) WHERE state < 5;
