/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - the table of the server's file. In the order in which a person should read it, for it
 * is the documentation too. What is below a name is in settings_named.c, that of a repository's
 * file in settings_repository.c.
 */
#include "config/settings.h"

#include "base/limits.h"
#include "base/str.h"
#include "config/config.h"

#include <assert.h>

#define CACHE_MAX (INT64_C(1) << 44)

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
	{ .path = "reconcile_every",
		.type = SETTING_DURATION,
		.min = 5 * SECOND,
		.max = HOUR,
		.def = "5m",
		.help = "How often the forges are asked for what they could not deliver. At the "
			"start they are asked at once." },
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
		.help = "How much the frozen checkouts may take that boxes start from; one in use, "
			"or used within two hours, stays." },
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
		.sub = AGENT_KIND_SETTINGS,
		.help = "Agents of your own, and what the built-in ones are to be told. Built in: "
			"`claude`, `cline`, `codex`, `copilot`, `gemini`, `opencode`, `pi`, "
			"`qwen`." },
	{ .path = "chores",
		.type = SETTING_NAMED,
		.sub = CHORE_SETTINGS,
		.help = "Work that the bot begins by itself, again and again. While the pull "
			"request of the last time is open, that one is added to; when nothing "
			"had to be changed, nothing is said. What fell due while the bot was down "
			"is made up for once." },
	{ .path = "sandbox.tier_min",
		.type = SETTING_CHOICE,
		.choices = "userns|slots|vm",
		.refused = "landlock|that is no box; `nightshift check` says what userns needs",
		.def = "userns",
		.help = "The weakest box in which an agent may run: `userns` (namespaces, one host "
			"uid for all boxes), `slots` (a host uid for each: nightshift started as "
			"root), `vm` (a kernel of its own; not built yet). On a machine that "
			"cannot build it, nothing runs at all." },
	{ .path = "sandbox.rootfs",
		.type = SETTING_PATH,
		.help = "A directory whose programs boxes see instead of this machine's: an "
			"unpacked image, what debootstrap made. It is shown read-only: `/usr`, "
			"`/opt`, and what is in `/bin`, `/lib` and `/sbin`. Needs a shell, git and "
			"tar." },
	{ .path = "sandbox.runtime",
		.type = SETTING_TEXT,
		.help = "An OCI runtime that makes the boxes: `crun`, `runc`, or the path of "
			"another one. `runsc` and `kata` are known and refused: a box's terminal "
			"and network could not be handed out of their kernel. `nightshift check` "
			"tries it. Default: none, nightshift makes them itself, several times "
			"faster." },
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
	{ .path = "limits.free_disk",
		.type = SETTING_SIZE,
		.min = 0,
		.max = MIB(4 * 1024 * 1024),
		.def = "1GiB",
		.help = "No attempt begins while the file system of `state_dir` has less room than "
			"this; tasks wait, and deliveries are taken. 0: none is asked for." },
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
	{ .path = "limits.idle",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.def = "10m",
		.help = "A box that prints nothing, sends nothing and does no work for so long is "
			"ended. A repository may ask for less." },
	{ .path = "limits.memory",
		.type = SETTING_SIZE,
		.min = MIB(64),
		.max = MIB(4096) * 1024,
		.def = "8GiB",
		.help = "Memory of all processes of a box together, with its filesystems in "
			"memory; never more than three quarters of the machine's. A box that "
			"needs more is ended. A repository may ask for less." },
	{ .path = "limits.cpus",
		.type = SETTING_MONEY,
		.min = 10,
		.max = 100000,
		.help = "Processors that a box may keep busy, as in 2 or 0.5. Default: all, but "
			"the bot goes first, and boxes share evenly." },
	{ .path = "limits.processes",
		.type = SETTING_INT,
		.min = 16,
		.max = 32768,
		.def = "512",
		.help = "Processes and threads of a box; beyond, none can be started." },
	{ .path = "limits.output",
		.type = SETTING_SIZE,
		.min = KIB(64),
		.max = MIB(1024) * 1024,
		.def = "1GiB",
		.help = "What a box may print on its terminal; then it is ended. Over 1 MiB a "
			"second for long, it has to wait." },
	{ .path = "limits.attempts",
		.type = SETTING_INT,
		.min = 1,
		.max = 10,
		.def = "3",
		.help = "Attempts at one task before it fails." },
	{ .path = "limits.unattended",
		.type = SETTING_DURATION,
		.min = SECOND,
		.max = 24 * HOUR,
		.def = "10m",
		.help = "How long boxes go on while the bot starts anew. Then they end, and "
			"their attempts are repeated. Without a gateway it is 30 s for all "
			"that have a network." },
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
	{ .path = "store",
		.type = SETTING_TEXT,
		.def = "sqlite",
		.help = "Where tasks are kept: `sqlite`, in `state_dir`, or a database of its own "
			"on a PostgreSQL server of 13 or newer, "
			"`postgres://user@host/database?sslmode=verify-full`. Backups are that "
			"server's business then. `nightshift store copy` moves from one to the "
			"other." },
	{ .path = "store_password_file",
		.type = SETTING_PATH,
		.help = "The password for that server." },
	{ .path = "node_lease",
		.type = SETTING_DURATION,
		.min = 3 * SECOND,
		.max = 600 * SECOND,
		.def = "30s",
		.help = "How long a node may be silent, with several on one such server, before "
			"the others repeat its tasks. It stops writing to forges after half of "
			"that." },
	{ .path = "marker_key_file",
		.type = SETTING_PATH,
		.help = "What the marks in our comments are made with, for several nodes on one "
			"such server: a secret that all of them have. One node alone makes one "
			"for itself." },
	{ .path = "backup.every",
		.type = SETTING_DURATION,
		.min = 0,
		.max = 7 * DAY,
		.def = "1h",
		.help = "How often the database is copied, checked, into `backups` below "
			"`state_dir`; a damaged one is healed from there. 0: never." },
	{ .path = "backup.keep",
		.type = SETTING_INT,
		.min = 1,
		.max = 1000,
		.def = "24",
		.help = "How many of the newest backups stay." },
	{ .path = "backup.days",
		.type = SETTING_INT,
		.min = 0,
		.max = 1000,
		.def = "7",
		.help = "For how many days one backup of each day stays beyond those." },
	{ .path = "keep.deliveries",
		.type = SETTING_DURATION,
		.min = 3 * DAY,
		.max = 3650 * DAY,
		.def = "90d",
		.help = "How long deliveries are kept after they were handled. What they caused "
			"stays known for ever." },
	{ .path = "keep.transcripts",
		.type = SETTING_DURATION,
		.min = DAY,
		.max = 3650 * DAY,
		.def = "90d",
		.help = "How long the transcripts of finished tasks are kept on this server." },
	{ .path = "store_synchronous",
		.type = SETTING_CHOICE,
		.choices = "full|off",
		.def = "full",
		.help = "For tests; `off` loses acknowledged deliveries on power loss." },
	{ .type = SETTING_END },
};

const struct settings SERVER_SETTINGS = { "nightshift.yaml", SERVER, CONFIG_ROWS };

const struct row *
setting_row(const struct row *rows, const char *path)
{
	const struct row *r = rows;

	while (r->type != ROW_END && !str_eq(r->name, path))
		r++;
	assert(r->type != ROW_END);
	return r;
}
