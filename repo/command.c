/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - the git CLI as data: program, arguments, environment, limits.
 *
 * git reads settings from six places and runs programs that settings name. Here it gets an
 * environment made from nothing, no home, and our settings by GIT_CONFIG_COUNT, which win over the
 * repository's own. A token travels the same way and so is neither in an argument vector, which
 * everybody on the machine can read, nor in a file.
 */
#include "repo/repo.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

static const char *const GIT_PATHS[] = { "/usr/local/bin/git", "/usr/bin/git", "/bin/git" };

static const char *const ENV[] = {
	"GIT_ALLOC_LIMIT=1g",
	"GIT_ASKPASS=/bin/false",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_FLUSH=1",
	"GIT_NO_REPLACE_OBJECTS=1",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_PROTOCOL_FROM_USER=0",
	"GIT_SSH_COMMAND=/bin/false",
	"GIT_TEMPLATE_DIR=",
	"GIT_TERMINAL_PROMPT=0",
	"HOME=/nonexistent",
	"LC_ALL=C",
	"PATH=/usr/local/bin:/usr/bin:/bin",
	"TZ=UTC",
};

/* Old repositories hold commits that a strict fsck calls errors and that harm nobody; everything
 * else of transfer.fsckObjects stays an error. */
static const char *const CONFIG[][2] = {
	{ "core.askPass", "" },
	{ "core.attributesFile", "/dev/null" },
	{ "core.bigFileThreshold", "16m" },
	{ "core.excludesFile", "/dev/null" },
	{ "core.fsmonitor", "false" },
	{ "core.fsync", "objects,derived-metadata,reference" },
	{ "core.hooksPath", "/dev/null" },
	{ "core.protectHFS", "true" },
	{ "core.protectNTFS", "true" },
	{ "core.sshCommand", "/bin/false" },
	{ "core.symlinks", "true" },
	{ "credential.helper", "" },
	{ "fetch.fsck.badEmail", "ignore" },
	{ "fetch.fsck.badTimezone", "ignore" },
	{ "fetch.fsck.missingEmail", "ignore" },
	{ "fetch.fsck.missingNameBeforeEmail", "ignore" },
	{ "fetch.fsck.missingSpaceBeforeDate", "ignore" },
	{ "fetch.fsck.missingSpaceBeforeEmail", "ignore" },
	{ "fetch.fsck.multipleAuthors", "ignore" },
	{ "fetch.fsck.zeroPaddedDate", "ignore" },
	{ "fetch.fsck.zeroPaddedFilemode", "ignore" },
	{ "fetch.recurseSubmodules", "false" },
	{ "fetch.unpackLimit", "1" },
	{ "fetch.writeCommitGraph", "false" },
	{ "gc.auto", "0" },
	{ "http.followRedirects", "false" },
	{ "http.lowSpeedLimit", "1000" },
	{ "http.lowSpeedTime", "30" },
	{ "http.userAgent", "nightshift" },
	{ "index.threads", "1" },
	{ "maintenance.auto", "false" },
	{ "pack.threads", "1" },
	{ "pack.windowMemory", "64m" },
	{ "protocol.allow", "never" },
	{ "protocol.http.allow", "always" },
	{ "protocol.https.allow", "always" },
	{ "protocol.version", "2" },
	{ "push.gpgSign", "false" },
	{ "push.recurseSubmodules", "no" },
	{ "safe.directory", "*" },
	{ "submodule.recurse", "false" },
	{ "transfer.bundleURI", "false" },
	{ "transfer.fsckObjects", "true" },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

int
repo_command_init(struct repo_command *c, struct err *e)
{
	*c = (struct repo_command){
		.wall_ms = LIMIT_CHECKOUT_MS,
		.data_bytes_max = LIMIT_GIT_MEMORY_BYTES,
		.file_bytes_max = LIMIT_FETCH_BYTES,
	};
	for (size_t i = 0; i < N(GIT_PATHS) && c->argv.n == 0; i++) {
		if (access(GIT_PATHS[i], X_OK) == 0)
			strs_add(&c->argv, GIT_PATHS[i]);
	}
	if (c->argv.n == 0)
		return err_set(
			e, ERR_MISSING, "git is not installed (looked for %s)", GIT_PATHS[1]);
	for (size_t i = 0; i < N(ENV); i++)
		strs_add(&c->env, ENV[i]);
	for (size_t i = 0; i < N(CONFIG); i++)
		repo_command_config(c, CONFIG[i][0], CONFIG[i][1]);
	return 0;
}

void
repo_command_finish(struct repo_command *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->env.n; i++)
		mem_wipe(c->env.v[i], strlen(c->env.v[i]));
	strs_finish(&c->env);
	strs_finish(&c->argv);
	free(c->cwd);
	*c = (struct repo_command){ 0 };
}

void
repo_command_arg(struct repo_command *c, const char *arg)
{
	strs_add(&c->argv, arg);
}

void
repo_command_config(struct repo_command *c, const char *key, const char *value)
{
	strs_addf(&c->env, "GIT_CONFIG_KEY_%zu=%s", c->n_config, key);
	strs_addf(&c->env, "GIT_CONFIG_VALUE_%zu=%s", c->n_config, value);
	c->n_config++;
}

/* "https://host:port/" of a URL; 0 if it is not one that we speak. */
static size_t
origin_len(const char *url)
{
	const char *host = NULL;

	if (str_starts(url, "https://"))
		host = url + strlen("https://");
	else if (str_starts(url, "http://"))
		host = url + strlen("http://");
	if (!host)
		return 0;
	size_t len = strcspn(host, "/");
	if (len == 0 || host[len] != '/' || memchr(host, '@', len))
		return 0;
	return (size_t)(host - url) + len + 1;
}

int
repo_command_auth(struct repo_command *c, const char *url, const char *userinfo, struct err *e)
{
	struct buf b = BUF_INIT(KIB(16));
	size_t len = origin_len(url);

	if (len == 0)
		return err_set(e, ERR_INVALID, "%s: not an http or https address", url);
	auto_free char *key = mem_fmt("http.%.*s.extraHeader", (int)len, url);
	(void)buf_adds(&b, "Authorization: Basic ");
	(void)str_base64(&b, userinfo, strlen(userinfo));
	bool is_full = b.is_full;
	if (!is_full)
		repo_command_config(c, key, buf_str(&b));
	if (b.data)
		mem_wipe(b.data, b.len);
	buf_finish(&b);
	return is_full ? err_set(e, ERR_LIMIT, "token over 12 KiB") : 0;
}

/* NULL-terminated, with one string more; both arrays borrow. */
static const char **
vector(const struct strs *s, const char *more)
{
	const char **v = mem_array(s->n + 2, sizeof(*v));

	for (size_t i = 0; i < s->n; i++)
		v[i] = s->v[i];
	v[s->n] = more;
	return v;
}

int
repo_command_start(
	const struct repo_command *c, const int stdio[3], pid_t *pid, int *pidfd, struct err *e)
{
	auto_free char *count = mem_fmt("GIT_CONFIG_COUNT=%zu", c->n_config);
	auto_free const char **argv = vector(&c->argv, NULL);
	auto_free const char **envp = vector(&c->env, count);
	struct spawn s = {
		.argv = argv,
		.envp = envp,
		.cwd = c->cwd,
		.stdio = { stdio[0], stdio[1], stdio[2] },
		.new_session = true,
		.die_with_parent = true,
		.cpu_s_max = c->cpu_s_max,
		.data_bytes_max = c->data_bytes_max,
		.file_bytes_max = c->file_bytes_max,
	};

	return spawn_start(&s, pid, pidfd, e);
}
