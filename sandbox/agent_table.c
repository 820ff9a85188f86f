/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_table - how each agent is started.
 *
 * What all rows have in common: the prompt comes on standard input, from a file; nobody is asked
 * anything; the model is behind the gateway, the key is a dummy; nothing is looked up elsewhere (it
 * would only be a blocked host in the report); web tools of the provider are off, as the box has no
 * network; and what the repository brings along for the agent (hooks, servers, plugins, addresses)
 * is ignored as far as the agent can be told so. The versions that this was tried with are in
 * tests/e2e/package.json and tests/golden/agents/README.md.
 */
#include "sandbox/agent.h"

#define END_ARGS                                                                                   \
	{                                                                                          \
		NULL, NULL                                                                         \
	}
#define END_FILES                                                                                  \
	{                                                                                          \
		NULL, 0, NULL                                                                      \
	}

/* ---- Claude Code ---- */

static const struct agent_arg CLAUDE_ARGS[] = {
	{ "-p", NULL },
	{ "--output-format", "stream-json" },
	{ "--verbose", NULL },
	{ "--dangerously-skip-permissions", NULL },
	{ "--disallowedTools", "WebFetch,WebSearch" },
	{ "--model", "{model}" },
	END_ARGS,
};
static const struct agent_arg CLAUDE_FRESH[] = { { "--session-id", "{session}" }, END_ARGS };
static const struct agent_arg CLAUDE_RESUME[] = { { "--resume", "{session}" }, END_ARGS };
static const char *const CLAUDE_ENV[] = {
	"ANTHROPIC_API_KEY={key}",
	"ANTHROPIC_BASE_URL={gateway}/llm/{provider}",
	"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	"DISABLE_AUTOUPDATER=1",
	NULL,
};
/* A repository's .claude/settings.json may set the environment, hooks and servers, and wins over
 * everything but this file. CLAUDE.md is still read. */
static const struct agent_file CLAUDE_FILES[] = {
	{ "/etc/claude-code/managed-settings.json", 0444,
		"{\"env\":{\"ANTHROPIC_BASE_URL\":\"{gateway}/llm/{provider}\"},"
		"\"disableAllHooks\":true,\"allowManagedHooksOnly\":true,"
		"\"allowedMcpServers\":[]}\n" },
	END_FILES,
};

/* ---- Cline ---- */

/* It takes a file on its standard input for a person at a terminal. The prompt starts with words of
 * ours, so it is no option. */
static const struct agent_arg CLINE_WRAP[] = {
	{ "/bin/sh", NULL },
	{ "-c", "exec \"$@\" \"$(cat)\"" },
	{ "sh", NULL },
	END_ARGS,
};
static const struct agent_arg CLINE_ARGS[] = {
	{ "--json", NULL },
	{ "--auto-approve", "true" },
	END_ARGS,
};
static const char *const CLINE_ENV[] = { "CLINE_TELEMETRY_DISABLED=1", NULL };
static const struct agent_file CLINE_FILES[] = {
	{ BOX_HOME "/.cline/data/settings/providers.json", 0600,
		"{\"version\":1,\"lastUsedProvider\":\"openai-compatible\",\"modes\":{},"
		"\"providers\":{\"openai-compatible\":{\"settings\":{"
		"\"provider\":\"openai-compatible\",\"apiKey\":\"{key}\",\"model\":\"{model}\","
		"\"baseUrl\":\"{gateway}/llm/{provider}/v1\"},"
		"\"updatedAt\":\"2026-01-01T00:00:00.000Z\",\"tokenSource\":\"manual\"}}}\n" },
	END_FILES,
};

/* ---- Codex ---- */

/* Retries are bounded here and by the wall clock: on errors that last, it would go on for half a
 * minute anyway. It does not trust the repository's .codex by itself. */
static const struct agent_arg CODEX_ARGS[] = {
	{ "exec", NULL },
	{ "--json", NULL },
	{ "--skip-git-repo-check", NULL },
	/* The box is the sandbox; its own does not nest. */
	{ "--dangerously-bypass-approvals-and-sandbox", NULL },
	{ "-c", "model_provider=\"gateway\"" },
	{ "-c", "model=\"{model}\"" },
	{ "-c", "model_providers.gateway={name=\"gateway\",base_url=\"{gateway}/llm/{provider}/"
		"v1\","
		"env_key=\"GATEWAY_KEY\",wire_api=\"responses\",request_max_retries=4,"
		"stream_max_retries=4,stream_idle_timeout_ms=300000}" },
	{ "-c", "analytics.enabled=false" },
	{ "-c", "features.plugins=false" },
	{ "-c", "check_for_update_on_startup=false" },
	{ "-c", "web_search=\"disabled\"" },
	END_ARGS,
};
static const struct agent_arg CODEX_RESUME[] = { { "resume", "{session}" }, END_ARGS };
static const char *const CODEX_ENV[] = { "GATEWAY_KEY={key}", NULL };

/* ---- any command ---- */

static const char *const COMMAND_ENV[] = { "OPENAI_API_KEY={key}",
	"OPENAI_BASE_URL={gateway}/llm/{provider}/v1", NULL };

/* ---- GitHub Copilot, with a model of one's own ---- */

static const struct agent_arg COPILOT_ARGS[] = {
	{ "--allow-all", NULL },
	{ "--no-ask-user", NULL },
	{ "--no-color", NULL },
	{ "--output-format", "json" },
	END_ARGS,
};
static const struct agent_arg COPILOT_FRESH[] = { { "--session-id", "{session}" }, END_ARGS };
static const struct agent_arg COPILOT_RESUME[] = { { "--resume={session}", NULL }, END_ARGS };
static const char *const COPILOT_ENV[] = {
	"COPILOT_AUTO_UPDATE=false",
	"COPILOT_MODEL={model}",
	"COPILOT_OFFLINE=true",
	"COPILOT_PROVIDER_API_KEY={key}",
	"COPILOT_PROVIDER_BASE_URL={gateway}/llm/{provider}/v1",
	"COPILOT_PROVIDER_TYPE=openai",
	"COPILOT_PROVIDER_WIRE_API=completions",
	NULL,
};

/* ---- Gemini ---- */

static const struct agent_arg GEMINI_ARGS[] = {
	{ "-m", "{model}" },
	{ "--yolo", NULL },
	{ "--skip-trust", NULL },
	{ "--output-format", "stream-json" },
	END_ARGS,
};
static const struct agent_arg GEMINI_FRESH[] = { { "--session-id", "{session}" }, END_ARGS };
static const struct agent_arg GEMINI_RESUME[] = { { "--resume", "{session}" }, END_ARGS };
static const char *const GEMINI_ENV[] = { "GEMINI_API_KEY={key}",
	"GOOGLE_GEMINI_BASE_URL={gateway}/llm/{provider}", NULL };
/* AGENTS.md is what most repositories have; it would read only its own. */
static const struct agent_file GEMINI_FILES[] = {
	{ BOX_HOME "/.gemini/settings.json", 0600,
		"{\"security\":{\"auth\":{\"selectedType\":\"gemini-api-key\"}},"
		"\"privacy\":{\"usageStatisticsEnabled\":false},\"telemetry\":{\"enabled\":false},"
		"\"general\":{\"enableAutoUpdate\":false,\"disableAutoUpdate\":true},"
		"\"context\":{\"fileName\":[\"GEMINI.md\",\"AGENTS.md\"]},"
		"\"tools\":{\"exclude\":[\"google_web_search\",\"web_fetch\"]}}\n" },
	END_FILES,
};

/* ---- OpenCode ---- */

static const struct agent_arg OPENCODE_ARGS[] = {
	{ "run", NULL },
	{ "--format", "json" },
	{ "--auto", NULL },
	{ "--title", "task" }, /* or it asks the model for one */
	{ "-m", "gateway/{model}" },
	END_ARGS,
};
static const struct agent_arg OPENCODE_RESUME[] = { { "--session", "{session}" }, END_ARGS };
/* Without the project's opencode.json it does not read AGENTS.md by itself. A plugin in .opencode
 * runs all the same: nothing is known that would stop it but the box. */
static const char *const OPENCODE_ENV[] = {
	"GATEWAY_KEY={key}",
	"OPENCODE_CONFIG_CONTENT={\"autoupdate\":false,\"share\":\"disabled\",\"snapshot\":false,"
	"\"model\":\"gateway/{model}\",\"small_model\":\"gateway/{model}\","
	"\"enabled_providers\":[\"gateway\"],\"instructions\":[\"/workspace/AGENTS.md\"],"
	"\"provider\":{\"gateway\":{\"npm\":\"@ai-sdk/openai-compatible\",\"name\":\"gateway\","
	"\"options\":{\"baseURL\":\"{gateway}/llm/{provider}/v1\",\"apiKey\":\"{env:GATEWAY_KEY}\"}"
	",\"models\":{\"{model}\":{\"name\":\"{model}\"}}}}}",
	"OPENCODE_DISABLE_AUTOUPDATE=1",
	"OPENCODE_DISABLE_DEFAULT_PLUGINS=1",
	"OPENCODE_DISABLE_LSP_DOWNLOAD=1",
	"OPENCODE_DISABLE_MODELS_FETCH=1",
	"OPENCODE_DISABLE_PROJECT_CONFIG=1",
	NULL,
};
static const char *const OPENCODE_REWRITES[] = { "opencode.json", "opencode.jsonc",
	".opencode/package.json", ".opencode/bun.lock", ".opencode/.gitignore", NULL };

/* ---- Pi ---- */

static const struct agent_arg PI_ARGS[] = {
	{ "-p", NULL },
	{ "--mode", "json" },
	{ "--no-extensions", NULL },
	{ "--no-skills", NULL },
	{ "--provider", "gateway" },
	{ "--model", "{model}" },
	END_ARGS,
};
static const struct agent_arg PI_RESUME[] = { { "--session", "{session}" }, END_ARGS };
static const char *const PI_ENV[] = { "GATEWAY_KEY={key}", "PI_OFFLINE=1", "PI_TELEMETRY=0", NULL };
static const struct agent_file PI_FILES[] = {
	{ BOX_HOME "/.pi/agent/models.json", 0600,
		"{\"providers\":{\"gateway\":{\"baseUrl\":\"{gateway}/llm/{provider}/v1\","
		"\"api\":\"openai-completions\",\"apiKey\":\"GATEWAY_KEY\",\"models\":[{"
		"\"id\":\"{model}\",\"name\":\"{model}\",\"reasoning\":false,\"input\":[\"text\"],"
		"\"cost\":{\"input\":0,\"output\":0,\"cacheRead\":0,\"cacheWrite\":0},"
		"\"contextWindow\":128000,\"maxTokens\":16384}]}}}\n" },
	END_FILES,
};

/* ---- Qwen ---- */

static const struct agent_arg QWEN_ARGS[] = {
	{ "--yolo", NULL },
	{ "--auth-type", "openai" },
	{ "--output-format", "stream-json" },
	{ "--allowed-mcp-server-names", "none" },
	END_ARGS,
};
static const struct agent_arg QWEN_FRESH[] = { { "--session-id", "{session}" }, END_ARGS };
static const struct agent_arg QWEN_RESUME[] = { { "--resume", "{session}" }, END_ARGS };
static const char *const QWEN_ENV[] = { "OPENAI_API_KEY={key}",
	"OPENAI_BASE_URL={gateway}/llm/{provider}/v1", "OPENAI_MODEL={model}", NULL };
static const struct agent_file QWEN_FILES[] = {
	{ BOX_HOME "/.qwen/settings.json", 0600,
		"{\"privacy\":{\"usageStatisticsEnabled\":false},"
		"\"telemetry\":{\"enabled\":false},"
		"\"general\":{\"enableAutoUpdate\":false,\"disableAutoUpdate\":true}}\n" },
	END_FILES,
};
static const char *const QWEN_REWRITES[] = { ".qwen/settings.json", ".qwen/settings.json.orig",
	NULL };

/* Alphabetical. */
const struct agent_row AGENT_ROWS[] = {
	{ .name = "claude",
		.program = "claude",
		.package = "@anthropic-ai/claude-code",
		.api = "anthropic",
		.args = CLAUDE_ARGS,
		.fresh = CLAUDE_FRESH,
		.resume = CLAUDE_RESUME,
		.env = CLAUDE_ENV,
		.files = CLAUDE_FILES,
		.session_dir = ".claude/projects",
		.rules = AGENT_CLAUDE_RULES,
		.usage = USAGE_LAST },
	{ .name = "cline",
		.program = "cline",
		.package = "cline",
		.api = "openai",
		.needs_model = true,
		.wrap = CLINE_WRAP,
		.args = CLINE_ARGS,
		.env = CLINE_ENV,
		.files = CLINE_FILES,
		.rules = AGENT_CLINE_RULES,
		.usage = USAGE_LAST },
	{ .name = "codex",
		.program = "codex",
		.package = "@openai/codex",
		.api = "openai",
		.args = CODEX_ARGS,
		.resume = CODEX_RESUME,
		.env = CODEX_ENV,
		.session_dir = ".codex/sessions",
		.rules = AGENT_CODEX_RULES,
		.usage = USAGE_CUMULATIVE },
	{ .name = "command", .api = "openai", .env = COMMAND_ENV },
	{ .name = "copilot",
		.program = "copilot",
		.package = "@github/copilot",
		.api = "openai",
		.needs_model = true,
		.args = COPILOT_ARGS,
		.fresh = COPILOT_FRESH,
		.resume = COPILOT_RESUME,
		.env = COPILOT_ENV,
		.session_dir = ".copilot/session-state",
		.rules = AGENT_COPILOT_RULES },
	{ .name = "gemini",
		.program = "gemini",
		.package = "@google/gemini-cli",
		.api = "gemini",
		.needs_model = true,
		.args = GEMINI_ARGS,
		.fresh = GEMINI_FRESH,
		.resume = GEMINI_RESUME,
		.env = GEMINI_ENV,
		.files = GEMINI_FILES,
		.session_dir = ".gemini/tmp",
		.rules = AGENT_GEMINI_RULES,
		.usage = USAGE_LAST,
		.proxies_all = true },
	{ .name = "opencode",
		.program = "opencode",
		.package = "opencode-ai",
		.api = "openai",
		.needs_model = true,
		.args = OPENCODE_ARGS,
		.resume = OPENCODE_RESUME,
		.env = OPENCODE_ENV,
		.session_dir = ".local/share/opencode",
		.rewrites = OPENCODE_REWRITES,
		.rules = AGENT_OPENCODE_RULES,
		.usage = USAGE_SUM },
	{ .name = "pi",
		.program = "pi",
		.package = "@mariozechner/pi-coding-agent",
		.api = "openai",
		.needs_model = true,
		.args = PI_ARGS,
		.resume = PI_RESUME,
		.env = PI_ENV,
		.files = PI_FILES,
		.session_dir = ".pi/agent/sessions",
		.rules = AGENT_PI_RULES,
		.usage = USAGE_SUM },
	{ .name = "qwen",
		.program = "qwen",
		.package = "@qwen-code/qwen-code",
		.api = "openai",
		.needs_model = true,
		.args = QWEN_ARGS,
		.fresh = QWEN_FRESH,
		.resume = QWEN_RESUME,
		.env = QWEN_ENV,
		.files = QWEN_FILES,
		.session_dir = ".qwen/projects",
		.rewrites = QWEN_REWRITES,
		.rules = AGENT_CLAUDE_RULES,
		.usage = USAGE_LAST,
		.proxies_all = true },
};
const size_t AGENT_ROWS_COUNT = sizeof(AGENT_ROWS) / sizeof(AGENT_ROWS[0]);
