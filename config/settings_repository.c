/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_repository - the table of a repository's file, in the order in which a person should
 * read it.
 */
#include "config/settings.h"

#include "base/limits.h"
#include "config/config.h"

static const struct setting REPOSITORY_CHORE[] = {
	{ .path = "schedule",
		.type = SETTING_CRON,
		.is_required = true,
		.help = "Five fields of cron, in UTC: minute, hour, day of the month, month, day "
			"of the week, each with names, lists, ranges and steps; or @hourly, "
			"@daily, @weekly, @monthly, @yearly." },
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
		.sub = REPOSITORY_CHORE,
		.help = "Read and checked, but not begun: chores run from the server's `chores` "
			"only." },
	{ .path = "limits.wall",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.help = "Time of the agent in one attempt, at most the server's." },
	{ .path = "limits.idle",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.help = "A box that prints nothing, sends nothing and does no work for so long is "
			"ended; at most the server's." },
	{ .path = "limits.memory",
		.type = SETTING_SIZE,
		.min = MIB(64),
		.max = MIB(4096) * 1024,
		.help = "Memory of a box, at most the server's." },
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
