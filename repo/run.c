/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run - runs a command to its end, for a child that does one thing.
 *
 * What it says is kept up to a bound: all of standard output (more is an error), the end of
 * standard error. At the deadline the whole session is killed.
 */
#include "repo/repo.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 16384

struct run {
	int fds[2]; /* what it writes: output, errors; -1 when at its end */
	struct buf out;
	struct buf err;
	int64_t deadline_ms;
};

static void
keep_tail(struct buf *b, const char *data, size_t len)
{
	if (len > b->limit)
		return;
	if (b->len + len > b->limit)
		buf_drop(b, b->len + len - b->limit);
	(void)buf_add(b, data, len);
}

static void
close_end(int *fd)
{
	(void)close(*fd);
	*fd = -1;
}

static int
read_end(struct run *r, int i, struct err *e)
{
	char data[READ_BYTES];
	ssize_t n = read(r->fds[i], data, sizeof(data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		close_end(&r->fds[i]);
		return 0;
	}
	if (i == 1)
		keep_tail(&r->err, data, (size_t)n);
	else if (buf_add(&r->out, data, (size_t)n) < 0)
		return err_set(e, ERR_LIMIT, "git says more than %zu bytes", r->out.limit);
	return 0;
}

/* Until both pipes are closed, which is when the last process of the session has gone. */
static int
collect(struct run *r, struct err *e)
{
	while (r->fds[0] >= 0 || r->fds[1] >= 0) {
		struct pollfd p[2] = { { r->fds[0], POLLIN, 0 }, { r->fds[1], POLLIN, 0 } };
		int64_t left = r->deadline_ms - clock_boot_ms();

		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "git was too slow");
		if (poll(p, 2, (int)(left > 60000 ? 60000 : left)) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		for (int i = 0; i < 2; i++) {
			int rc = p[i].revents ? read_end(r, i, e) : 0;
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int
start(const struct repo_command *c, const struct buf *in, struct run *r, pid_t *pid, int *pidfd,
	struct err *e)
{
	int out[2];
	int errs[2];
	auto_fd int in_fd = -1;

	if (in) {
		int rc = fs_memfd("git-input", buf_str(in), in->len, &in_fd, e);
		if (rc < 0)
			return rc;
	}
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int out_w = out[1];
	r->fds[0] = out[0];
	if (pipe2(errs, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int err_w = errs[1];
	r->fds[1] = errs[0];
	int stdio[3] = { in_fd, out_w, err_w };
	return repo_command_start(c, stdio, pid, pidfd, e);
}

static int
wait_exit(pid_t pid, int *status, struct err *e)
{
	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(e, "waitpid");
	}
	return 0;
}

static int
exit_error(const struct repo_command *c, int status, const struct buf *text, struct err *e)
{
	struct err why = { 0 };

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(e, ERR_LIMIT, "git was ended by signal %d", WTERMSIG(status));
	int rc = repo_command_why(buf_str(text), &why);
	return err_set(e, rc, "%s: %s", c->argv.n > 2 ? c->argv.v[2] : "git", why.text);
}

int
repo_command_run(const struct repo_command *c, const struct buf *in, struct buf *out, struct err *e)
{
	struct run r = {
		.fds = { -1, -1 },
		.out = BUF_INIT(out ? out->limit : LIMIT_GIT_OUTPUT_BYTES),
		.err = BUF_INIT(LIMIT_GIT_OUTPUT_BYTES),
		.deadline_ms = clock_boot_ms() + c->wall_ms,
	};
	auto_fd int pidfd = -1;
	pid_t pid = 0;
	int status = 0;
	int rc = start(c, in, &r, &pid, &pidfd, e);

	if (rc == 0) {
		rc = collect(&r, e);
		if (rc < 0)
			(void)kill(-pid, SIGKILL);
		int waited = wait_exit(pid, &status, rc < 0 ? NULL : e);
		if (rc == 0)
			rc = waited < 0 ? waited : exit_error(c, status, &r.err, e);
	}
	if (rc == 0 && out)
		rc = buf_add(out, buf_str(&r.out), r.out.len);
	clean_fd(&r.fds[0]);
	clean_fd(&r.fds[1]);
	buf_finish(&r.out);
	buf_finish(&r.err);
	return rc;
}
