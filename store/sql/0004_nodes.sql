-- SPDX-License-Identifier: Apache-2.0
-- Which node has a task at work, and which is sending an effect. Here there is one, without a name.
ALTER TABLE task ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE effect ADD COLUMN node TEXT NOT NULL DEFAULT '';
