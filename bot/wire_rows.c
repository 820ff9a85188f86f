/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_rows - the members of every message, with their limits.
 */
#include "bot/wire.h"

#include "base/limits.h"

const struct row WIRE_ALIVE_ROWS[] = {
	ROW_I(struct wire_alive, task, "task"),
	ROW_I(struct wire_alive, fence, "fence"),
	ROW_DONE,
};

const struct row WIRE_PEER_ROWS[] = {
	ROW_I(struct wire_peer, role, "role"),
	ROW_I(struct wire_peer, turn, "turn"),
	ROW_DONE,
};

const struct row WIRE_READY_ROWS[] = {
	ROW_S(struct wire_ready, address, "address", LIMIT_PATH_BYTES),
	ROW_DONE,
};

const struct row WIRE_NAME_ROWS[] = {
	ROW_S(struct wire_name, name, "name", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row WIRE_VERDICT_ROWS[] = {
	ROW_B(struct wire_verdict, ok, "ok"),
	ROW_I(struct wire_verdict, code, "code"),
	ROW_S(struct wire_verdict, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_VERIFY_ROWS[] = {
	ROW_S(struct wire_verify, forge, "forge", LIMIT_NAME_BYTES),
	ROW_SS(struct wire_verify, proofs, "proofs", LIMIT_PROOF_BYTES, LIMIT_PROOFS),
	ROW_DONE,
};

const struct row WIRE_STORED_ROWS[] = {
	ROW_B(struct wire_stored, ok, "ok"),
	ROW_I(struct wire_stored, delivery, "delivery"),
	ROW_B(struct wire_stored, is_duplicate, "is_duplicate"),
	ROW_S(struct wire_stored, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_QUERY_ROWS[] = {
	ROW_I(struct wire_query, kind, "kind"),
	ROW_S(struct wire_query, page, "page", 64),
	ROW_DONE,
};

const struct row WIRE_PAGE_ROWS[] = {
	ROW_B(struct wire_page, found, "found"),
	ROW_L(struct wire_page, tasks, "tasks", 1, TASK_ROWS, struct task),
	ROW_L(struct wire_page, steps, "steps", LIMIT_STEPS, TASK_STEP_ROWS, struct task_step),
	ROW_DONE,
};

const struct row WIRE_EFFECT_ROWS[] = {
	ROW_I(struct wire_effect, effect, "effect"),
	ROW_I(struct wire_effect, task, "task"),
	ROW_B(struct wire_effect, was_unknown, "was_unknown"),
	ROW_I(struct wire_effect, unknown_ms, "unknown_ms"),
	ROW_L(struct wire_effect, op, "op", 1, FORGE_OP_ROWS, struct forge_op),
	ROW_DONE,
};

const struct row WIRE_ANSWER_ROWS[] = {
	ROW_I(struct wire_answer, code, "code"),
	ROW_S(struct wire_answer, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_I(struct wire_answer, retry_after_ms, "retry_after_ms"),
	ROW_L(struct wire_answer, answer, "answer", 1, FORGE_ANSWER_ROWS, struct forge_answer),
	ROW_L(struct wire_answer, items, "items", LIMIT_ITEMS, FORGE_ITEM_ROWS, struct forge_item),
	ROW_DONE,
};

const struct row WIRE_PEACE_ROWS[] = {
	ROW_S(struct wire_peace, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct wire_peace, installation_id, "installation_id"),
	ROW_I(struct wire_peace, for_ms, "for_ms"),
	ROW_DONE,
};

const struct row WIRE_PUSH_ROWS[] = {
	ROW_I(struct wire_push, task, "task"),
	ROW_S(struct wire_push, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct wire_push, installation_id, "installation_id"),
	ROW_I(struct wire_push, repo_id, "repo_id"),
	ROW_S(struct wire_push, repo, "repo", LIMIT_NAME_BYTES),
	ROW_S(struct wire_push, branch, "branch", LIMIT_NAME_BYTES),
	ROW_S(struct wire_push, sha, "sha", 64),
	ROW_S(struct wire_push, old_sha, "old_sha", 64),
	ROW_DONE,
};

const struct row WIRE_PUSHED_ROWS[] = {
	ROW_I(struct wire_pushed, code, "code"),
	ROW_S(struct wire_pushed, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_I(struct wire_pushed, retry_after_ms, "retry_after_ms"),
	ROW_S(struct wire_pushed, sha, "sha", 64),
	ROW_DONE,
};

const struct row WIRE_PREPARE_ROWS[] = {
	ROW_I(struct wire_prepare, task, "task"),
	ROW_I(struct wire_prepare, attempt, "attempt"),
	ROW_S(struct wire_prepare, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct wire_prepare, installation_id, "installation_id"),
	ROW_I(struct wire_prepare, repo_id, "repo_id"),
	ROW_S(struct wire_prepare, repo, "repo", LIMIT_NAME_BYTES),
	ROW_S(struct wire_prepare, base_ref, "base_ref", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row WIRE_PREPARED_ROWS[] = {
	ROW_I(struct wire_prepared, code, "code"),
	ROW_S(struct wire_prepared, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_I(struct wire_prepared, retry_after_ms, "retry_after_ms"),
	ROW_S(struct wire_prepared, base_sha, "base_sha", 64),
	ROW_S(struct wire_prepared, default_branch, "default_branch", LIMIT_NAME_BYTES),
	ROW_S(struct wire_prepared, base_ref, "base_ref", LIMIT_NAME_BYTES),
	ROW_S(struct wire_prepared, checkout_dir, "checkout_dir", LIMIT_PATH_BYTES),
	ROW_S(struct wire_prepared, extra_dir, "extra_dir", LIMIT_PATH_BYTES),
	ROW_I(struct wire_prepared, owner_uid, "owner_uid"),
	ROW_S(struct wire_prepared, notes, "notes", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_prepared, settings_text, "settings_text", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_HARVEST_ROWS[] = {
	ROW_I(struct wire_harvest, task, "task"),
	ROW_I(struct wire_harvest, attempt, "attempt"),
	ROW_S(struct wire_harvest, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct wire_harvest, repo_id, "repo_id"),
	ROW_S(struct wire_harvest, repo, "repo", LIMIT_NAME_BYTES),
	ROW_S(struct wire_harvest, base_sha, "base_sha", 64),
	ROW_S(struct wire_harvest, message, "message", LIMIT_COMMENT_BYTES),
	ROW_S(struct wire_harvest, trailers, "trailers", LIMIT_SUMMARY_BYTES),
	ROW_I(struct wire_harvest, date_ms, "date_ms"),
	ROW_B(struct wire_harvest, lfs, "lfs"),
	ROW_SS(struct wire_harvest, protect, "protect", LIMIT_PATH_BYTES, LIMIT_GLOBS),
	ROW_DONE,
};

const struct row WIRE_HARVESTED_ROWS[] = {
	ROW_I(struct wire_harvested, code, "code"),
	ROW_S(struct wire_harvested, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_harvested, head_sha, "head_sha", 64),
	ROW_I(struct wire_harvested, files, "files"),
	ROW_I(struct wire_harvested, insertions, "insertions"),
	ROW_I(struct wire_harvested, deletions, "deletions"),
	ROW_S(struct wire_harvested, delta_dir, "delta_dir", LIMIT_PATH_BYTES),
	ROW_I(struct wire_harvested, owner_uid, "owner_uid"),
	ROW_S(struct wire_harvested, notes, "notes", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_CLAIM_ROWS[] = {
	ROW_I(struct wire_claim, free_slots, "free_slots"),
	ROW_I(struct wire_claim, held_slots, "held_slots"),
	ROW_B(struct wire_claim, is_disk_low, "is_disk_low"),
	ROW_L(struct wire_claim, alive, "alive", LIMIT_BOXES, WIRE_ALIVE_ROWS, struct wire_alive),
	ROW_DONE,
};

const struct row WIRE_START_ROWS[] = {
	ROW_L(struct wire_start, task, "task", 1, TASK_ROWS, struct task),
	ROW_S(struct wire_start, marker, "marker", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row WIRE_SIGN_ROWS[] = {
	ROW_S(struct wire_sign, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct wire_sign, skew_ms, "skew_ms"),
	ROW_DONE,
};

const struct row WIRE_LEASE_ROWS[] = {
	ROW_I(struct wire_lease, ends_ms, "ends_ms"),
	ROW_DONE,
};

const struct row WIRE_STOP_ROWS[] = {
	ROW_I(struct wire_stop, task, "task"),
	ROW_I(struct wire_stop, fence, "fence"),
	ROW_DONE,
};

const struct row WIRE_PROGRESS_ROWS[] = {
	ROW_I(struct wire_progress, task, "task"),
	ROW_I(struct wire_progress, fence, "fence"),
	ROW_I(struct wire_progress, state, "state"),
	ROW_L(struct wire_progress, step, "step", 1, TASK_STEP_ROWS, struct task_step),
	ROW_S(struct wire_progress, tail, "tail", LIMIT_TAIL_BYTES),
	ROW_S(struct wire_progress, base_sha, "base_sha", 64),
	ROW_S(struct wire_progress, base_ref, "base_ref", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row WIRE_DONE_ROWS[] = {
	ROW_I(struct wire_done, task, "task"),
	ROW_I(struct wire_done, fence, "fence"),
	ROW_I(struct wire_done, outcome, "outcome"),
	ROW_S(struct wire_done, reason, "reason", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_done, head_sha, "head_sha", 64),
	ROW_S(struct wire_done, base_sha, "base_sha", 64),
	ROW_S(struct wire_done, base_ref, "base_ref", LIMIT_NAME_BYTES),
	ROW_I(struct wire_done, files, "files"),
	ROW_I(struct wire_done, insertions, "insertions"),
	ROW_I(struct wire_done, deletions, "deletions"),
	ROW_S(struct wire_done, gate_command, "gate_command", LIMIT_PATH_BYTES),
	ROW_I(struct wire_done, gate_exit, "gate_exit"),
	ROW_S(struct wire_done, summary, "summary", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_done, tail, "tail", LIMIT_TAIL_BYTES),
	ROW_S(struct wire_done, tier, "tier", LIMIT_NAME_BYTES),
	ROW_S(struct wire_done, blocked, "blocked", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_done, usage, "usage", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_done, notes, "notes", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_LOGS_ROWS[] = {
	ROW_S(struct wire_logs, cast, "cast", LIMIT_TRANSCRIPT_BYTES),
	ROW_S(struct wire_logs, text, "text", LIMIT_TRANSCRIPT_BYTES),
	ROW_DONE,
};

const struct row WIRE_BOX_ROWS[] = {
	ROW_I(struct wire_box, task, "task"),
	ROW_I(struct wire_box, fence, "fence"),
	ROW_B(struct wire_box, models, "models"),
	ROW_B(struct wire_box, registries, "registries"),
	ROW_B(struct wire_box, is_guest, "is_guest"),
	ROW_SS(struct wire_box, hosts, "hosts", LIMIT_NAME_BYTES, LIMIT_GLOBS),
	ROW_S(struct wire_box, usage, "usage", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_box, blocked, "blocked", LIMIT_SUMMARY_BYTES),
	ROW_I(struct wire_box, tokens_max, "tokens_max"),
	ROW_I(struct wire_box, cost_max, "cost_max"),
	ROW_DONE,
};

const struct row WIRE_USAGE_ROWS[] = {
	ROW_I(struct wire_usage, task, "task"),
	ROW_I(struct wire_usage, fence, "fence"),
	ROW_B(struct wire_usage, ok, "ok"),
	ROW_I(struct wire_usage, requests, "requests"),
	ROW_I(struct wire_usage, bytes_in, "bytes_in"),
	ROW_I(struct wire_usage, bytes_out, "bytes_out"),
	ROW_S(struct wire_usage, blocked, "blocked", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_usage, usage, "usage", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_usage, spent, "spent", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row WIRE_STEP_ROWS[] = {
	ROW_I(struct wire_step, serial, "serial"),
	ROW_B(struct wire_step, has_stdin, "has_stdin"),
	ROW_B(struct wire_step, has_stdout, "has_stdout"),
	ROW_I(struct wire_step, alone_ms, "alone_ms"),
	ROW_DONE,
};

const struct row WIRE_STEP_SPENT_ROWS[] = {
	ROW_I(struct wire_step_spent, serial, "serial"),
	ROW_DONE,
};

const struct row WIRE_SHIM_STATE_ROWS[] = {
	ROW_I(struct wire_shim_state, serial, "serial"),
	ROW_B(struct wire_shim_state, is_in_step, "is_in_step"),
	ROW_B(struct wire_shim_state, has_gone, "has_gone"),
	ROW_DONE,
};

const struct row WIRE_STEP_DONE_ROWS[] = {
	ROW_I(struct wire_step_done, serial, "serial"),
	ROW_I(struct wire_step_done, exit_code, "exit_code"),
	ROW_I(struct wire_step_done, ended_by, "ended_by"),
	ROW_I(struct wire_step_done, limit, "limit"),
	ROW_I(struct wire_step_done, procs_met, "procs_met"),
	ROW_I(struct wire_step_done, stage, "stage"),
	ROW_S(struct wire_step_done, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_S(struct wire_step_done, session, "session", LIMIT_NAME_BYTES),
	ROW_B(struct wire_step_done, has_begun, "has_begun"),
	ROW_B(struct wire_step_done, is_done, "is_done"),
	ROW_I(struct wire_step_done, read, "read"),
	ROW_I(struct wire_step_done, written, "written"),
	ROW_I(struct wire_step_done, disk_bytes, "disk_bytes"),
	ROW_DONE,
};
