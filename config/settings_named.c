/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_named - what the server's file says below a name of the operator's: a forge, a model, a
 * registry, an agent, a chore.
 */
#include "config/settings.h"

#include "base/limits.h"

const struct setting FORGE_SETTINGS[] = {
	{ .path = "kind",
		.type = SETTING_CHOICE,
		.is_required = true,
		.choices = "forgejo|gitea|github|gitlab",
		.help = "What speaks there." },
	{ .path = "url",
		.type = SETTING_URL,
		.help = "Where people see it and git clones from. Default for `github`: "
			"`https://github.com`, for `gitlab`: `https://gitlab.com`." },
	{ .path = "api_url",
		.type = SETTING_URL,
		.help = "Where its API is. Default: what belongs to `kind` and `url` "
			"(`https://api.github.com`, "
			"`<url>/api/v3` of a GitHub Enterprise Server, `<url>/api/v1` of Gitea and "
			"Forgejo, `<url>/api/v4` of GitLab)." },
	{ .path = "app_id",
		.type = SETTING_INT,
		.min = 1,
		.max = LIMIT_ID_MAX,
		.help = "The number of the GitHub App." },
	SECRET("app_key_file", "app_key_env", "The App's private key, as GitHub gives it (PEM)."),
	SECRET("token_file", "token_env",
		"An access token (of a person; GitLab: or of a project, a group or a service "
		"account, or OAuth): instead of an App for `github`, always for the others."),
	SECRET("webhook_secret_file", "webhook_secret_env",
		"What deliveries are signed with. Needed with `intake: webhook`. Of GitLab the "
		"signing token (`whsec_...`), or else the secret token."),
	SECRET("webhook_secret_old_file", "webhook_secret_old_env",
		"The secret before it, accepted too while you change it."),
	{ .path = "repos",
		.type = SETTING_GLOB,
		.is_list = true,
		.help = "Repositories to listen to: patterns of `owner/name` (`**` goes past a "
			"`/`: GitLab's `group/**`); one with `!` in front takes out again; the "
			"last one that matches decides. Default: all that send deliveries." },
	{ .type = SETTING_END },
};

const struct setting MODEL_SETTINGS[] = {
	{ .path = "kind",
		.type = SETTING_CHOICE,
		.choices = "openai|anthropic|gemini",
		.help = "How the key is sent. Default: the name, if it is one of these, else "
			"`openai`." },
	{ .path = "url",
		.type = SETTING_URL,
		.help = "Base of the API, as the vendor's own clients are told it. Default: the "
			"vendor's." },
	SECRET("key_file", "key_env", "The API key. It never enters a box."),
	{ .path = "allow",
		.type = SETTING_GLOB,
		.is_list = true,
		.help = "Names of models that agents may ask for. Default: all." },
	{ .path = "prices",
		.type = SETTING_PRICE,
		.is_list = true,
		.help = "What a million tokens cost in US dollars, by pattern of models: `gpt-5* "
			"in 1.25 cached 0.125 out 10`; the last one that matches decides. With "
			"them, costs are told and `limits.cost_usd` is kept." },
	{ .type = SETTING_END },
};

const struct setting REGISTRY_SETTINGS[] = {
	{ .path = "url",
		.type = SETTING_URL,
		.is_required = true,
		.help = "Base of the registry. Only GET and HEAD go there." },
	{ .path = "files",
		.type = SETTING_URL,
		.help = "Where its index says that the packages are, if not below `url`. Default: "
			"the public ones' for `pypi` and `cargo`." },
	{ .type = SETTING_END },
};

const struct setting AGENT_KIND_SETTINGS[] = {
	{ .path = "kind",
		.type = SETTING_CHOICE,
		.choices = "claude|cline|codex|command|copilot|gemini|opencode|pi|qwen",
		.help = "Whose command line it has. Default: the name, if it is one of these; "
			"`command` if there is one." },
	{ .path = "path",
		.type = SETTING_PATH,
		.help = "The program. Default: found in the box's `PATH`." },
	{ .path = "command",
		.type = SETTING_TEXT,
		.is_list = true,
		.help = "Kind `command`: program and arguments. It gets the prompt on standard "
			"input and works in its folder." },
	{ .path = "args",
		.type = SETTING_TEXT,
		.is_list = true,
		.help = "More arguments, behind those that nightshift gives it." },
	{ .path = "model",
		.type = SETTING_TEXT,
		.help = "The name of the model that it is told to use. `claude` and `codex` have a "
			"default of their own, the others need one." },
	{ .path = "provider",
		.type = SETTING_WORD,
		.help = "Which of `models` it talks to. Default: the one that its kind needs." },
	{ .type = SETTING_END },
};

const struct setting CHORE_SETTINGS[] = {
	{ .path = "repos",
		.type = SETTING_GLOB,
		.is_list = true,
		.is_required = true,
		.help = "Patterns of repositories, of those that the bot serves." },
	{ .path = "schedule",
		.type = SETTING_CRON,
		.is_required = true,
		.help = "When, as five fields of cron: minute, hour, day of the month, month, day "
			"of the week, each with names, lists, ranges and steps; or @hourly, "
			"@daily, @weekly, @monthly, @yearly. Each repository has its own few "
			"minutes of delay, so that not all begin at once." },
	{ .path = "zone",
		.type = SETTING_ZONE,
		.def = "UTC",
		.help = "The time zone of `schedule`, as in Europe/Berlin. A time that is left "
			"out when clocks are changed comes as much later, one that comes twice "
			"counts once; what is due every hour stays so." },
	{ .path = "prompt",
		.type = SETTING_PROSE,
		.is_required = true,
		.help = "What the agent is asked to do. The first line is the pull request's "
			"title." },
	{ .path = "agent",
		.type = SETTING_WORD,
		.help = "The agent for it, instead of the repository's or the default one." },
	{ .type = SETTING_END },
};
