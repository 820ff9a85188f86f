/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - the tables. In the order in which a person should read them, for they are the
 * documentation too.
 */
#include "config/settings.h"

#include "base/limits.h"
#include "base/str.h"
#include "config/config.h"

#include <assert.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define LIMIT_ID_MAX INT64_C(1000000000000)
#define CACHE_MAX    (INT64_C(1) << 44)

/* A secret is a file or a variable; these two rows say so for each. */
#define SECRET(file, env, what)                                                                    \
	{ .path = (file), .type = SETTING_PATH, .help = (what) },                                  \
	{                                                                                          \
		.path = (env), .type = SETTING_ENV,                                                \
		.help = "The same from an environment variable of `nightshift serve`."             \
	}

static const struct setting FORGE_SETTINGS[] = {
	{ .path = "kind",
		.type = SETTING_CHOICE,
		.is_required = true,
		.choices = "forgejo|gitea|github",
		.help = "What speaks there." },
	{ .path = "url",
		.type = SETTING_URL,
		.help = "Where people see it and git clones from. Default for `github`: "
			"`https://github.com`." },
	{ .path = "api_url",
		.type = SETTING_URL,
		.help = "Where its API is. Default: what belongs to `kind` and `url` "
			"(`https://api.github.com`, "
			"`<url>/api/v3` of a GitHub Enterprise Server, `<url>/api/v1` of Gitea and "
			"Forgejo)." },
	{ .path = "app_id",
		.type = SETTING_INT,
		.min = 1,
		.max = LIMIT_ID_MAX,
		.help = "The number of the GitHub App." },
	SECRET("app_key_file", "app_key_env", "The App's private key, as GitHub gives it (PEM)."),
	SECRET("token_file", "token_env",
		"A personal access token: instead of an App for `github`, always for the others."),
	SECRET("webhook_secret_file", "webhook_secret_env",
		"What deliveries are signed with. Needed with `intake: webhook`."),
	SECRET("webhook_secret_old_file", "webhook_secret_old_env",
		"The secret before it, accepted too while you change it."),
	{ .path = "repos",
		.type = SETTING_GLOB,
		.is_list = true,
		.help = "Repositories to listen to: patterns of `owner/name`; one with `!` in "
			"front takes out again; the last "
			"one that matches decides. Default: all that send deliveries." },
	{ .type = SETTING_END },
};

static const struct setting MODEL_SETTINGS[] = {
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

static const struct setting REGISTRY_SETTINGS[] = {
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

static const struct setting AGENT_KINDS[] = {
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

static const struct setting SERVER[] = {
	{ .path = "listen",
		.type = SETTING_LISTEN,
		.def = "127.0.0.1:8080",
		.help = "Where deliveries and pages are served: `host:port`, `[v6]:port`, "
			"`unix:PATH`, or `systemd` (socket "
			"activation). Plain HTTP; TLS ends at the proxy in front." },
	{ .path = "public_url",
		.type = SETTING_URL,
		.help = "The address of the same as forges and people see it. Needed with `intake: "
			"webhook`." },
	{ .path = "trusted_proxies",
		.type = SETTING_NET,
		.is_list = true,
		.help = "Addresses or CIDR blocks of proxies whose word about the client's address "
			"(`X-Forwarded-For`) is taken; `unix`: whoever comes over a unix socket." },
	{ .path = "intake",
		.type = SETTING_CHOICE,
		.choices = "webhook|poll",
		.def = "webhook",
		.help = "`poll` asks the forges instead, and needs no public address." },
	{ .path = "poll_every",
		.type = SETTING_DURATION,
		.min = 5 * SECOND,
		.max = HOUR,
		.def = "30s",
		.help = "How often, with `intake: poll`." },
	{ .path = "state_dir",
		.type = SETTING_PATH,
		.def = "state",
		.help = "Where everything is kept: database, mirrors, boxes, sockets." },
	{ .path = "user",
		.type = SETTING_WORD,
		.def = "nightshift",
		.help = "The user that roles become when started as root." },
	{ .path = "boxes",
		.type = SETTING_INT,
		.min = 1,
		.max = 256,
		.def = "4",
		.help = "Attempts at once." },
	{ .path = "tasks_per_repo",
		.type = SETTING_INT,
		.min = 1,
		.max = 256,
		.def = "2",
		.help = "Of these, at most so many for one repository." },
	{ .path = "forges",
		.type = SETTING_NAMED,
		.sub = FORGE_SETTINGS,
		.help = "The forges, at least one. The name is yours; deliveries go to `POST "
			"/hook/<name>`." },
	{ .path = "models",
		.type = SETTING_NAMED,
		.sub = MODEL_SETTINGS,
		.help = "Model APIs that agents reach through the gateway, which adds the key." },
	{ .path = "registries",
		.type = SETTING_NAMED,
		.sub = REGISTRY_SETTINGS,
		.help = "Package registries that boxes reach through the gateway. The tools in a "
			"box are told of `npm`, `pypi` (or `pip`), `cargo` (a sparse index) and "
			"`go` (a module proxy); `apt` and names of your own are reached as "
			"`http://` by their own address. `npm: <url>` is short for `npm: { url: "
			"<url> }`." },
	{ .path = "caches.registries",
		.type = SETTING_SIZE,
		.min = 0,
		.max = CACHE_MAX,
		.def = "4GiB",
		.help = "How much of what registries answered is kept on disk for all boxes. 0: "
			"nothing. In each cache the least recently used go first." },
	{ .path = "caches.layers",
		.type = SETTING_SIZE,
		.min = 0,
		.max = CACHE_MAX,
		.def = "20GiB",
		.help = "How much of what setups wrote is kept for later tasks with the same "
			"`setup_key`. 0: nothing." },
	{ .path = "caches.checkouts",
		.type = SETTING_SIZE,
		.min = 0,
		.max = CACHE_MAX,
		.def = "40GiB",
		.help = "How much the frozen checkouts may take that boxes start from; one in use "
			"stays." },
	{ .path = "caches.mirrors",
		.type = SETTING_SIZE,
		.min = 0,
		.max = CACHE_MAX,
		.def = "100GiB",
		.help = "The same for mirrors of repositories, with their submodules and objects "
			"of Git LFS. One that was used within a week stays." },
	{ .path = "network",
		.type = SETTING_HOST,
		.is_list = true,
		.help = "Hosts that a repository may open to its boxes with its own `network`: "
			"names, `*.domain`. Only TLS on port 443 of public addresses. Default: "
			"none." },
	{ .path = "agent",
		.type = SETTING_WORD,
		.def = "codex",
		.help = "The agent where neither `.agent.yml` nor the command says another." },
	{ .path = "agents",
		.type = SETTING_NAMED,
		.sub = AGENT_KINDS,
		.help = "Agents of your own, and what the built-in ones are to be told. Built in: "
			"`claude`, `cline`, `codex`, `copilot`, `gemini`, `opencode`, `pi`, "
			"`qwen`." },
	{ .path = "sandbox.tier_min",
		.type = SETTING_CHOICE,
		.choices = "userns|slots|vm",
		.def = "userns",
		.help = "The weakest box in which an agent may run: `userns` (namespaces, one host "
			"uid for all boxes), `slots` (a host uid for each: nightshift started as "
			"root), `vm` (a kernel of its own). On a machine that cannot build it, "
			"nothing runs at all." },
	{ .path = "sandbox.rootfs",
		.type = SETTING_PATH,
		.help = "A directory whose programs boxes see instead of this machine's: an "
			"unpacked image, what debootstrap made. It is shown read-only: `/usr`, "
			"`/opt`, and what is in `/bin`, `/lib` and `/sbin`. Needs a shell, git and "
			"tar." },
	{ .path = "sandbox.tools",
		.type = SETTING_PATH,
		.is_list = true,
		.help = "More directories that boxes see, read-only, at the same place." },
	{ .path = "commit.name",
		.type = SETTING_TEXT,
		.def = "nightshift",
		.help = "Author and committer." },
	{ .path = "commit.email",
		.type = SETTING_TEXT,
		.def = "nightshift@localhost",
		.help = "Their address." },
	{ .path = "commit.coauthor",
		.type = SETTING_BOOL,
		.def = "true",
		.help = "Add `Co-authored-by` with the person who asked." },
	{ .path = "commit.signoff",
		.type = SETTING_BOOL,
		.def = "false",
		.help = "Add `Signed-off-by`." },
	SECRET("commit.sign_key_file", "commit.sign_key_env",
		"An SSH private key, Ed25519 or RSA, without a pass phrase: "
		"commits are signed with it."),
	{ .path = "limits.wall",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.def = "45m",
		.help = "Time of the agent in one attempt. A repository may ask for less." },
	{ .path = "limits.log",
		.type = SETTING_SIZE,
		.min = KIB(64),
		.max = MIB(256),
		.def = "8MiB",
		.help = "Size of a transcript; head and tail are kept." },
	{ .path = "limits.disk",
		.type = SETTING_SIZE,
		.min = MIB(64),
		.max = MIB(4 * 1024 * 1024),
		.def = "10GiB",
		.help = "Room for what one attempt writes, and a file for each 8 KiB of it." },
	{ .path = "limits.setup",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 6 * HOUR,
		.def = "10m",
		.help = "Time of a repository's `setup`." },
	{ .path = "limits.gate",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 6 * HOUR,
		.def = "20m",
		.help = "Time of one run of a repository's tests." },
	{ .path = "limits.attempts",
		.type = SETTING_INT,
		.min = 1,
		.max = 10,
		.def = "3",
		.help = "Attempts at one task before it fails." },
	{ .path = "limits.tokens",
		.type = SETTING_INT,
		.min = 1,
		.max = LIMIT_ID_MAX,
		.help = "Tokens that one task may take at the models, read and written, cached "
			"ones too. Then its agent is stopped. Default: no limit." },
	{ .path = "limits.cost_usd",
		.type = SETTING_MONEY,
		.min = 1,
		.max = 100000,
		.help = "What one task may cost at the models' APIs, in US dollars. A model "
			"without `prices` is refused then. Default: no limit." },
	{ .path = "logs",
		.type = SETTING_CHOICE,
		.choices = "git|off",
		.def = "git",
		.help = "Where a forge takes no attachments: `git` puts the transcript on "
			"`refs/agent-logs/<task>` of the "
			"repository, `off` leaves it on this server." },
	{ .path = "dry_run",
		.type = SETTING_BOOL,
		.def = "false",
		.help = "Do everything but write to a forge." },
	{ .path = "store_synchronous",
		.type = SETTING_CHOICE,
		.choices = "full|off",
		.def = "full",
		.help = "For tests; `off` loses acknowledged deliveries on power loss." },
	{ .type = SETTING_END },
};

const struct settings SERVER_SETTINGS = { "nightshift.yaml", SERVER, CONFIG_ROWS };

static const struct setting CHORE_SETTINGS[] = {
	{ .path = "schedule",
		.type = SETTING_CRON,
		.is_required = true,
		.help = "Five fields of cron, in UTC: minute, hour, day of the month, month, day "
			"of the week." },
	{ .path = "prompt",
		.type = SETTING_PROSE,
		.is_required = true,
		.help = "What the agent is asked to do." },
	{ .path = "open_max",
		.type = SETTING_INT,
		.min = 1,
		.max = 100,
		.def = "1",
		.help = "No new task while so many pull requests of this chore are open." },
	{ .type = SETTING_END },
};

static const struct setting REPOSITORY[] = {
	{ .path = "agent",
		.type = SETTING_WORD,
		.help = "One of the server's agents. Default: the server's." },
	{ .path = "setup",
		.type = SETTING_PROSE,
		.is_list = true,
		.help = "Commands that install what the work needs. They run once per content of "
			"`setup_key`; all tasks share "
			"the result, read-only." },
	{ .path = "setup_key",
		.type = SETTING_INSIDE,
		.is_list = true,
		.help = "Files whose contents decide whether `setup` has to run again." },
	{ .path = "gate.test",
		.type = SETTING_PROSE,
		.help = "The command that tests the work, run by the bot itself in a clean box. "
			"Exit status 0 is green." },
	{ .path = "gate.report",
		.type = SETTING_INSIDE,
		.help = "The JUnit XML or TAP file that it writes. Default: none." },
	{ .path = "gate.reruns",
		.type = SETTING_INT,
		.min = 0,
		.max = 20,
		.def = "3",
		.help = "How often a red test is repeated to judge it." },
	{ .path = "network",
		.type = SETTING_HOST,
		.is_list = true,
		.help = "What the agent and the tests may reach: `registry` (all of the server's "
			"`registries`) or some by name, `npm`, `pip`; and of the server's "
			"`network` host names, `*.domain`. Nothing else is reachable. `setup` "
			"reaches all registries." },
	{ .path = "protect",
		.type = SETTING_GLOB,
		.is_list = true,
		.help = "Patterns of paths; a change to one of them needs a human." },
	{ .path = "chores",
		.type = SETTING_NAMED,
		.sub = CHORE_SETTINGS,
		.help = "Scheduled tasks." },
	{ .path = "limits.wall",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.help = "Time of the agent in one attempt, at most the server's." },
	{ .path = "limits.tokens",
		.type = SETTING_INT,
		.min = 1,
		.max = LIMIT_ID_MAX,
		.help = "Tokens that one task may take at the models, at most the server's." },
	{ .path = "limits.cost_usd",
		.type = SETTING_MONEY,
		.min = 1,
		.max = 100000,
		.help = "What one task may cost at the models' APIs, in US dollars, at most the "
			"server's. A model for which the server has no `prices` is refused then." },
	{ .path = "limits.tasks_open",
		.type = SETTING_INT,
		.min = 1,
		.max = 1000,
		.help = "No new task while so many pull requests of the bot are open." },
	{ .path = "submodules",
		.type = SETTING_BOOL,
		.def = "false",
		.help = "Check out submodules, three deep. Their repositories must be on the same "
			"forge and among the server's `repos`, their addresses relative or "
			"http(s); "
			"a GitHub App reads only those that it is installed on. They are for "
			"reading: "
			"what an agent changes inside is not committed." },
	{ .path = "lfs",
		.type = SETTING_BOOL,
		.def = "false",
		.help = "Fetch Git LFS objects, at most 1 GiB each and 4 GiB for one task. Of the "
			"protocol: the batch API, basic downloads from the forge's own host "
			"(github.com keeps them on another, so they stay pointers there), SHA-256 "
			"pointers without extensions; no locks, no uploads, not in submodules. "
			"Files "
			"that an agent adds or changes there are not committed." },
	{ .type = SETTING_END },
};

const struct settings REPOSITORY_SETTINGS = { ".agent.yml", REPOSITORY, AGENT_SETTINGS_ROWS };

const struct row *
setting_row(const struct row *rows, const char *path)
{
	const struct row *r = rows;

	while (r->type != ROW_END && !str_eq(r->name, path))
		r++;
	assert(r->type != ROW_END);
	return r;
}
