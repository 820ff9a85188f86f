/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_session - what agents remember of branches, for the next task there.
 *
 * A session belongs to a branch as its last task left it: it is kept when that work goes to the
 * branch, and found by forge, repository and branch. The tar was packed in a box and will be
 * unpacked in one; to us it is bytes. It was written by whoever the agent listened to, as the
 * branch was, and nobody but an agent on that branch gets to see it.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABOUT_BYTES_MAX KIB(4)

/* Beside the tar. */
struct about {
	char *agent; /* by its name in the configuration */
	char *kind;
	char *id;
	int64_t read;
	int64_t written;
};

static const struct row ABOUT_ROWS[] = {
	ROW_S(struct about, agent, "agent", LIMIT_NAME_BYTES),
	ROW_S(struct about, kind, "kind", LIMIT_NAME_BYTES),
	ROW_S(struct about, id, "id", LIMIT_NAME_BYTES),
	ROW_I(struct about, read, "read"),
	ROW_I(struct about, written, "written"),
	ROW_DONE,
};

static void
clean_about(struct about *about)
{
	row_finish(ABOUT_ROWS, about);
}

/* Its directory; the caller's to free. */
static char *
place(const struct attempt *a, const char *branch)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	auto_free char *text = mem_fmt("%s\n%" PRId64 "\n%s\n", a->task.forge ? a->task.forge : "",
		a->task.repo_id, branch);

	crypto_sha256_hex(text, strlen(text), hex);
	return mem_fmt("%s/sessions/%s", a->r->dir, hex);
}

static bool
is_old(const struct stat *st)
{
	return clock_wall_ms() - (int64_t)st->st_mtim.tv_sec * 1000 > LIMIT_SESSION_MS;
}

/* ---- find ---- */

static int
read_about(const char *dir, struct about *out, struct err *e)
{
	auto_free char *path = mem_fmt("%s/about", dir);
	auto_buf struct buf data = BUF_INIT(ABOUT_BYTES_MAX);
	int rc = fs_read(path, &data, e);

	return rc < 0 ? rc : row_unpack(ABOUT_ROWS, out, buf_str(&data), data.len, e);
}

/* A task on a branch that this agent left a session on. */
static bool
fits(const struct attempt *a, const struct about *about)
{
	const struct config_agent *agent = attempt_agent(a);
	const struct agent_row *row = attempt_agent_row(a);

	return row && row->resume && row->session_dir && str_eq(about->agent, agent->name) &&
	       str_eq(about->kind, row->name) && agent_session_ok(about->id);
}

bool
session_find(struct attempt *a, int *tar_fd)
{
	auto_cleanup(clean_about) struct about about = { 0 };
	struct stat st;

	if (str_is_empty(a->base.base_ref))
		return false;
	auto_free char *dir = place(a, a->base.base_ref);
	auto_free char *tar = mem_fmt("%s/tar", dir);
	auto_fd int fd = open(tar, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || is_old(&st))
		return false;
	if (read_about(dir, &about, NULL) < 0 || !fits(a, &about))
		return false;
	mem_set(&a->session.id, about.id);
	a->session.read = about.read;
	a->session.written = about.written;
	*tar_fd = steal_fd(&fd);
	return true;
}

void
session_drop(struct attempt *a)
{
	auto_free char *dir = place(a, a->base.base_ref);
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	if (fs_remove_tree(dir, &e) < 0)
		log_err(LOG_LEVEL_WARN, &log, "session.undropped", &e);
}

/* ---- keep ---- */

static int
write_about(const struct attempt *a, const char *dir, struct err *e)
{
	const struct config_agent *agent = attempt_agent(a);
	auto_free char *path = mem_fmt("%s/about", dir);
	auto_buf struct buf data = BUF_INIT(ABOUT_BYTES_MAX);
	struct about about = {
		.agent = agent->name,
		.kind = agent->kind,
		.id = a->session.id,
		.read = a->session.read,
		.written = a->session.written,
	};
	int rc = row_pack(ABOUT_ROWS, &about, &data, e);

	return rc < 0 ? rc : fs_write_atomic(path, buf_str(&data), data.len, 0600, e);
}

/* Whole, in the attempt's own directory, so that it can take its place in one step. */
static int
make_whole(const struct attempt *a, const char *dir, struct err *e)
{
	auto_free char *from = attempt_path(a, "session.tar");
	auto_free char *to = mem_fmt("%s/tar", dir);

	if (mkdir(dir, 0700) < 0)
		return err_sys(e, "mkdir %s", dir);
	if (rename(from, to) < 0)
		return err_sys(e, "rename %s", from);
	return write_about(a, dir, e);
}

/* Removes what is too old, and the oldest if there are too many. */
static void
make_room(struct runner *r)
{
	auto_free char *dir = mem_fmt("%s/sessions", r->dir);
	auto_dir DIR *d = opendir(dir);
	const struct dirent *de;
	auto_free char *oldest = NULL;
	int64_t oldest_s = INT64_MAX;
	int count = 0;

	while (d && (de = readdir(d))) {
		auto_free char *path = mem_fmt("%s/%s", dir, de->d_name);
		struct stat st;

		if (de->d_name[0] == '.' || lstat(path, &st) < 0)
			continue;
		if (is_old(&st)) {
			(void)fs_remove_tree(path, NULL); /* the next one tries again */
			continue;
		}
		count++;
		if ((int64_t)st.st_mtim.tv_sec < oldest_s) {
			oldest_s = (int64_t)st.st_mtim.tv_sec;
			mem_set(&oldest, path);
		}
	}
	if (count >= LIMIT_SESSIONS && oldest)
		(void)fs_remove_tree(oldest, NULL);
}

void
session_keep(struct attempt *a)
{
	const char *branch = a->task.is_pull ? a->base.base_ref : a->task.branch;
	auto_free char *whole = attempt_path(a, "session");
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	/* Nothing that an agent leaves is found by the runs of the default branch. */
	if (!a->session.is_packed || str_is_empty(branch) || str_eq(branch, a->base.default_branch))
		return;
	auto_free char *to = place(a, branch);
	make_room(a->r);
	int rc = make_whole(a, whole, &e);
	if (rc == 0)
		rc = fs_remove_tree(to, &e);
	if (rc == 0 && rename(whole, to) < 0)
		rc = err_sys(&e, "rename %s", whole);
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, &log, "session.unkept", &e);
	else
		log_info(&log, "session.kept", "session=%s branch=%s", a->session.id, branch);
}
