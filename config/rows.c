/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - where each setting lies in its struct and how long it may be. What it means is in
 * settings.c, under the same name.
 */
#include "config/config.h"

#include "base/limits.h"

#define LIST_MAX 64

static const struct row FORGE_ROWS[] = {
	ROW_S(struct config_forge, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct config_forge, kind, "kind", LIMIT_NAME_BYTES),
	ROW_S(struct config_forge, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct config_forge, api_url, "api_url", LIMIT_URL_BYTES),
	ROW_I(struct config_forge, app_id, "app_id"),
	ROW_S(struct config_forge, app_key_file, "app_key_file", LIMIT_PATH_BYTES),
	ROW_S(struct config_forge, app_key_env, "app_key_env", LIMIT_NAME_BYTES),
	ROW_S(struct config_forge, token_file, "token_file", LIMIT_PATH_BYTES),
	ROW_S(struct config_forge, token_env, "token_env", LIMIT_NAME_BYTES),
	ROW_S(struct config_forge, webhook_secret_file, "webhook_secret_file", LIMIT_PATH_BYTES),
	ROW_S(struct config_forge, webhook_secret_env, "webhook_secret_env", LIMIT_NAME_BYTES),
	ROW_S(struct config_forge, webhook_secret_old_file, "webhook_secret_old_file",
		LIMIT_PATH_BYTES),
	ROW_S(struct config_forge, webhook_secret_old_env, "webhook_secret_old_env",
		LIMIT_NAME_BYTES),
	ROW_SS(struct config_forge, repos, "repos", LIMIT_NAME_BYTES, 1000),
	ROW_DONE,
};

static const struct row MODEL_ROWS[] = {
	ROW_S(struct config_model, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct config_model, kind, "kind", LIMIT_NAME_BYTES),
	ROW_S(struct config_model, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct config_model, key_file, "key_file", LIMIT_PATH_BYTES),
	ROW_S(struct config_model, key_env, "key_env", LIMIT_NAME_BYTES),
	ROW_SS(struct config_model, allow, "allow", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_SS(struct config_model, prices, "prices", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_DONE,
};

static const struct row REGISTRY_ROWS[] = {
	ROW_S(struct config_registry, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct config_registry, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct config_registry, files, "files", LIMIT_URL_BYTES),
	ROW_DONE,
};

static const struct row AGENT_ROWS[] = {
	ROW_S(struct config_agent, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct config_agent, kind, "kind", LIMIT_NAME_BYTES),
	ROW_S(struct config_agent, path, "path", LIMIT_PATH_BYTES),
	ROW_SS(struct config_agent, command, "command", LIMIT_PATH_BYTES, LIST_MAX),
	ROW_SS(struct config_agent, args, "args", LIMIT_PATH_BYTES, LIST_MAX),
	ROW_S(struct config_agent, model, "model", LIMIT_NAME_BYTES),
	ROW_S(struct config_agent, provider, "provider", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row SERVER_CHORE_ROWS[] = {
	ROW_S(struct config_chore, name, "name", LIMIT_NAME_BYTES),
	ROW_SS(struct config_chore, repos, "repos", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_S(struct config_chore, schedule, "schedule", LIMIT_NAME_BYTES),
	ROW_S(struct config_chore, zone, "zone", LIMIT_NAME_BYTES),
	ROW_S(struct config_chore, prompt, "prompt", KIB(16)),
	ROW_S(struct config_chore, agent, "agent", LIMIT_NAME_BYTES),
	ROW_DONE,
};

const struct row CONFIG_ROWS[] = {
	ROW_S(struct config, listen, "listen", LIMIT_NAME_BYTES),
	ROW_S(struct config, public_url, "public_url", LIMIT_URL_BYTES),
	ROW_SS(struct config, trusted_proxies, "trusted_proxies", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_S(struct config, intake, "intake", LIMIT_NAME_BYTES),
	ROW_I(struct config, poll_every_ms, "poll_every"),
	ROW_I(struct config, reconcile_every_ms, "reconcile_every"),
	ROW_S(struct config, state_dir, "state_dir", LIMIT_PATH_BYTES),
	ROW_S(struct config, user, "user", LIMIT_NAME_BYTES),
	ROW_I(struct config, boxes, "boxes"),
	ROW_I(struct config, tasks_per_repo, "tasks_per_repo"),
	ROW_L(struct config, forges, "forges", CONFIG_FORGES_MAX, FORGE_ROWS, struct config_forge),
	ROW_L(struct config, models, "models", CONFIG_NAMES_MAX, MODEL_ROWS, struct config_model),
	ROW_L(struct config, registries, "registries", CONFIG_NAMES_MAX, REGISTRY_ROWS,
		struct config_registry),
	ROW_I(struct config, cache_registry_bytes, "caches.registries"),
	ROW_I(struct config, cache_layer_bytes, "caches.layers"),
	ROW_I(struct config, cache_checkout_bytes, "caches.checkouts"),
	ROW_I(struct config, cache_mirror_bytes, "caches.mirrors"),
	ROW_SS(struct config, network, "network", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_S(struct config, agent, "agent", LIMIT_NAME_BYTES),
	ROW_L(struct config, agents, "agents", CONFIG_NAMES_MAX, AGENT_ROWS, struct config_agent),
	ROW_L(struct config, chores, "chores", CONFIG_NAMES_MAX, SERVER_CHORE_ROWS,
		struct config_chore),
	ROW_S(struct config, sandbox_tier_min, "sandbox.tier_min", LIMIT_NAME_BYTES),
	ROW_S(struct config, sandbox_rootfs, "sandbox.rootfs", LIMIT_PATH_BYTES),
	ROW_S(struct config, sandbox_runtime, "sandbox.runtime", LIMIT_PATH_BYTES),
	ROW_SS(struct config, sandbox_tools, "sandbox.tools", LIMIT_PATH_BYTES, LIST_MAX),
	ROW_S(struct config, commit_name, "commit.name", LIMIT_NAME_BYTES),
	ROW_S(struct config, commit_email, "commit.email", LIMIT_NAME_BYTES),
	ROW_B(struct config, commit_coauthor, "commit.coauthor"),
	ROW_B(struct config, commit_signoff, "commit.signoff"),
	ROW_S(struct config, commit_sign_key_file, "commit.sign_key_file", LIMIT_PATH_BYTES),
	ROW_S(struct config, commit_sign_key_env, "commit.sign_key_env", LIMIT_NAME_BYTES),
	ROW_I(struct config, limit_wall_ms, "limits.wall"),
	ROW_I(struct config, limit_log_bytes, "limits.log"),
	ROW_I(struct config, limit_disk_bytes, "limits.disk"),
	ROW_I(struct config, limit_free_disk_bytes, "limits.free_disk"),
	ROW_I(struct config, limit_setup_ms, "limits.setup"),
	ROW_I(struct config, limit_gate_ms, "limits.gate"),
	ROW_I(struct config, limit_idle_ms, "limits.idle"),
	ROW_I(struct config, limit_memory_bytes, "limits.memory"),
	ROW_I(struct config, limit_cpus_hundredths, "limits.cpus"),
	ROW_I(struct config, limit_processes, "limits.processes"),
	ROW_I(struct config, limit_output_bytes, "limits.output"),
	ROW_I(struct config, limit_attempts, "limits.attempts"),
	ROW_I(struct config, limit_unattended_ms, "limits.unattended"),
	ROW_I(struct config, limit_tokens, "limits.tokens"),
	ROW_I(struct config, limit_cost_cents, "limits.cost_usd"),
	ROW_S(struct config, logs, "logs", LIMIT_NAME_BYTES),
	ROW_B(struct config, dry_run, "dry_run"),
	ROW_I(struct config, backup_every_ms, "backup.every"),
	ROW_I(struct config, backup_keep, "backup.keep"),
	ROW_I(struct config, backup_days, "backup.days"),
	ROW_I(struct config, keep_deliveries_ms, "keep.deliveries"),
	ROW_I(struct config, keep_transcripts_ms, "keep.transcripts"),
	ROW_S(struct config, store, "store", LIMIT_URL_BYTES),
	ROW_S(struct config, store_password_file, "store_password_file", LIMIT_PATH_BYTES),
	ROW_S(struct config, marker_key_file, "marker_key_file", LIMIT_PATH_BYTES),
	ROW_I(struct config, node_lease_ms, "node_lease"),
	ROW_S(struct config, store_synchronous, "store_synchronous", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row CHORE_ROWS[] = {
	ROW_S(struct agent_chore, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct agent_chore, schedule, "schedule", LIMIT_NAME_BYTES),
	ROW_S(struct agent_chore, prompt, "prompt", KIB(16)),
	ROW_I(struct agent_chore, open_max, "open_max"),
	ROW_DONE,
};

const struct row AGENT_SETTINGS_ROWS[] = {
	ROW_S(struct agent_settings, agent, "agent", LIMIT_NAME_BYTES),
	ROW_SS(struct agent_settings, setup, "setup", LIMIT_PATH_BYTES, LIST_MAX),
	ROW_SS(struct agent_settings, setup_key, "setup_key", LIMIT_PATH_BYTES, LIST_MAX),
	ROW_S(struct agent_settings, gate_test, "gate.test", LIMIT_PATH_BYTES),
	ROW_S(struct agent_settings, gate_report, "gate.report", LIMIT_PATH_BYTES),
	ROW_I(struct agent_settings, gate_reruns, "gate.reruns"),
	ROW_SS(struct agent_settings, network, "network", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_SS(struct agent_settings, protect, "protect", LIMIT_NAME_BYTES, LIST_MAX),
	ROW_L(struct agent_settings, chores, "chores", CONFIG_NAMES_MAX, CHORE_ROWS,
		struct agent_chore),
	ROW_I(struct agent_settings, limit_wall_ms, "limits.wall"),
	ROW_I(struct agent_settings, limit_idle_ms, "limits.idle"),
	ROW_I(struct agent_settings, limit_memory_bytes, "limits.memory"),
	ROW_I(struct agent_settings, limit_tokens, "limits.tokens"),
	ROW_I(struct agent_settings, limit_cost_cents, "limits.cost_usd"),
	ROW_I(struct agent_settings, limit_tasks_open, "limits.tasks_open"),
	ROW_B(struct agent_settings, submodules, "submodules"),
	ROW_B(struct agent_settings, lfs, "lfs"),
	ROW_DONE,
};
