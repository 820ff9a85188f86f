/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_child - starts, watches and ends the children of the git side.
 *
 * At most so many at once; each a session of its own with a deadline and limits, dead when the
 * courier dies. A child counts as ended when it was reaped and both its pipes are closed, so what a
 * grandchild said is not lost and no grandchild is left.
 */
#include "bot/courier_git.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES     16384
#define LINGER_MS      2000 /* for the pipes to close after the child ended */
#define OUT_BYTES_MAX  (2 * LIMIT_SETTINGS_BYTES + LIMIT_BLOB_BYTES)
#define FILE_BYTES_MAX MIB(512) /* a quarantine's pack: the bundle, and what a thin pack lacks */

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_OF(n) 0 /* its shadow alone is terabytes */
#else
#define MEMORY_OF(n) (n)
#endif

struct end {
	int fd; /* -1: closed */
	struct loop_io *io;
	struct buf *into;
	bool keeps_tail;
	struct child *child;
};

struct child {
	struct children *all;
	struct child *next;
	struct child_order order;
	child_cb *cb;
	void *ctx;
	bool is_slow;
	pid_t pid; /* 0: waits for room */
	struct loop_child *watch;
	struct loop_timer *timer;
	struct end ends[2];
	struct child_end end;
	bool has_exited;
};

struct children {
	struct loop *loop;
	char *exe;
	size_t running;
	size_t running_max;
	struct child *first; /* in the order they came */
	struct loop_timer *round;
};

static void start_waiting(void *ctx);

/* ---- The end ---- */

static void
order_finish(struct child_order *o)
{
	repo_command_finish(&o->command);
	row_finish(GIT_JOB_ROWS, &o->job);
	clean_fd(&o->fd);
	o->fd = -1;
}

static void
close_end(struct end *end)
{
	loop_io_remove(end->io);
	clean_fd(&end->fd);
	end->io = NULL;
	end->fd = -1;
}

static void
child_free(struct child *c)
{
	close_end(&c->ends[0]);
	close_end(&c->ends[1]);
	loop_timer_remove(c->timer);
	loop_child_remove(c->watch);
	order_finish(&c->order);
	buf_finish(&c->end.out);
	buf_finish(&c->end.text);
	free(c);
}

static void
unlink_child(struct child *c)
{
	struct child **at = &c->all->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void
next_round(struct children *all)
{
	if (!all->round)
		all->round = loop_timer_add(all->loop, 0, start_waiting, all);
}

static void
report(struct child *c)
{
	struct children *all = c->all;

	if (c->pid)
		all->running--;
	unlink_child(c);
	next_round(all);
	c->cb(c->ctx, &c->end);
	child_free(c);
}

static void
report_if_done(struct child *c)
{
	if (c->has_exited && c->ends[0].fd < 0 && c->ends[1].fd < 0)
		report(c);
}

/* ---- While it runs ---- */

static void
on_linger(void *ctx)
{
	struct child *c = ctx;

	/* Whoever holds the pipes is of its session, and keeps its number from being given away. */
	c->timer = NULL;
	(void)kill(-c->pid, SIGKILL);
	close_end(&c->ends[0]);
	close_end(&c->ends[1]);
	report_if_done(c);
}

static void
on_deadline(void *ctx)
{
	struct child *c = ctx;

	c->timer = NULL;
	(void)err_set(&c->end.e, ERR_TIMEOUT, "git was too slow");
	(void)kill(-c->pid, SIGKILL);
}

static void
on_end(void *ctx, pid_t pid, struct loop_exit how)
{
	struct child *c = ctx;

	(void)pid;
	c->watch = NULL;
	c->has_exited = true;
	c->end.exit_code = how.code;
	if (c->end.e.code == 0 && how.signo == SIGKILL) {
		/* No limit of ours does that: somebody from outside, or a machine out of memory. */
		(void)err_set(&c->end.e, ERR_TIMEOUT, "git was killed");
	} else if (c->end.e.code == 0 && how.signo != 0) {
		c->end.was_killed = true;
		(void)err_set(&c->end.e, ERR_LIMIT, "git was ended by signal %d", how.signo);
	} else if (c->end.e.code == 0 && how.code != 0) {
		(void)err_set(&c->end.e, ERR_SYSTEM, "git ended with %d", how.code);
	}
	loop_timer_remove(c->timer);
	c->timer = loop_timer_add(c->all->loop, LINGER_MS, on_linger, c);
	report_if_done(c);
}

static void
take_bytes(struct end *end, const char *data, size_t len)
{
	struct buf *b = end->into;

	if (end->keeps_tail && b->len + len > b->limit)
		buf_drop(b, b->len + len - b->limit);
	if (buf_add(b, data, len) == 0 || end->child->end.e.code != 0)
		return;
	(void)err_set(&end->child->end.e, ERR_LIMIT, "git says more than %zu bytes", b->limit);
	(void)kill(-end->child->pid, SIGKILL);
}

static void
on_bytes(void *ctx, int fd, uint32_t events)
{
	struct end *end = ctx;
	struct child *c = end->child;
	char data[READ_BYTES];
	ssize_t n = read(fd, data, sizeof(data));

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		take_bytes(end, data, (size_t)n);
		return;
	}
	close_end(end);
	report_if_done(c);
}

/* ---- The start ---- */

static int
make_pipe(int *rd, int *wr, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	*rd = fds[0];
	*wr = fds[1];
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? err_sys(e, "pipe") : 0;
}

/* Those that write trees. */
static bool
is_large(const struct git_job *job)
{
	return job->kind == GIT_JOB_CHECKOUT || job->kind == GIT_JOB_EXTRA;
}

static int
start_job(struct child *c, const int stdio[3], int *pidfd, struct err *e)
{
	static const char *const env[] = { "LC_ALL=C", "TZ=UTC", NULL };
	const char *const argv[] = { c->all->exe, "--role", GIT_CHILD_ROLE, NULL };
	auto_buf struct buf packed = BUF_INIT(2 * LIMIT_TRANSCRIPT_BYTES + MIB(2));
	bool large = is_large(&c->order.job);
	auto_fd int in = -1;
	int rc = row_pack(GIT_JOB_ROWS, &c->order.job, &packed, e);

	if (rc == 0)
		rc = fs_memfd("git-job", packed.data, packed.len, &in, e);
	if (rc < 0)
		return rc;
	struct spawn s = {
		.argv = argv,
		.envp = env,
		.stdio = { in, stdio[1], stdio[2] },
		.new_session = true,
		.die_with_parent = true,
		.data_bytes_max =
			MEMORY_OF(large ? LIMIT_GIT_MEMORY_BYTES : LIMIT_HARVEST_MEMORY_BYTES),
		.file_bytes_max = large ? LIMIT_FETCH_BYTES : FILE_BYTES_MAX,
		.cpu_s_max = (large ? LIMIT_CHECKOUT_MS : LIMIT_HARVEST_MS) / 1000,
	};
	if (c->order.fd >= 0)
		s.fds[s.n_fds++] = c->order.fd;
	return spawn_start(&s, &c->pid, pidfd, e);
}

static int
start_child(struct child *c, struct err *e)
{
	struct repo_command *command = &c->order.command;
	bool is_command = command->argv.n > 0;
	auto_fd int out = -1;
	auto_fd int text = -1;
	int pidfd = -1;
	int rc = make_pipe(&c->ends[0].fd, &out, e);

	if (rc == 0)
		rc = make_pipe(&c->ends[1].fd, &text, e);
	int stdio[3] = { -1, out, text };
	if (rc == 0)
		rc = is_command ? repo_command_start(command, stdio, &c->pid, &pidfd, e)
				: start_job(c, stdio, &pidfd, e);
	if (rc < 0)
		return rc;
	int64_t wall_ms = is_command                ? command->wall_ms
			  : is_large(&c->order.job) ? LIMIT_CHECKOUT_MS
						    : LIMIT_HARVEST_MS;
	order_finish(&c->order); /* the token is the child's now */
	c->watch = loop_child_add(c->all->loop, c->pid, pidfd, on_end, c);
	c->timer = loop_timer_add(c->all->loop, wall_ms, on_deadline, c);
	for (int i = 0; i < 2; i++)
		c->ends[i].io =
			loop_io_add(c->all->loop, c->ends[i].fd, EPOLLIN, on_bytes, &c->ends[i]);
	return 0;
}

static struct child *
first_waiting(const struct children *all)
{
	size_t slow = 0;

	for (const struct child *c = all->first; c; c = c->next)
		slow += c->pid && c->is_slow;
	for (struct child *c = all->first; c; c = c->next) {
		if (!c->pid && (!c->is_slow || slow + 1 < all->running_max))
			return c;
	}
	return NULL;
}

static void
start_waiting(void *ctx)
{
	struct children *all = ctx;
	struct child *c;

	all->round = NULL;
	while (all->running < all->running_max && (c = first_waiting(all))) {
		if (start_child(c, &c->end.e) == 0)
			all->running++;
		else
			report(c);
	}
}

struct children *
children_create(struct loop *l, const char *exe, size_t running_max)
{
	struct children *all = mem_zero(sizeof(*all));

	all->loop = l;
	all->exe = mem_str(exe);
	all->running_max = running_max;
	return all;
}

void
children_destroy(struct children *all)
{
	if (!all)
		return;
	for (struct child *c = all->first, *next; c; c = next) {
		next = c->next;
		if (c->pid && !c->has_exited)
			(void)kill(-c->pid, SIGKILL);
		child_free(c);
	}
	loop_timer_remove(all->round);
	free(all->exe);
	free(all);
}

void
children_add(struct children *all, struct child_order *take_order, child_cb *cb, void *ctx)
{
	struct child *c = mem_zero(sizeof(*c));
	struct child **at = &all->first;

	*c = (struct child){ .all = all,
		.order = *take_order,
		.is_slow = take_order->is_slow,
		.cb = cb,
		.ctx = ctx };
	*take_order = (struct child_order){ .fd = -1 };
	buf_init(&c->end.out, OUT_BYTES_MAX);
	buf_init(&c->end.text, LIMIT_GIT_OUTPUT_BYTES);
	c->ends[0] = (struct end){ .fd = -1, .into = &c->end.out, .child = c };
	c->ends[1] = (struct end){ .fd = -1, .into = &c->end.text, .keeps_tail = true, .child = c };
	while (*at)
		at = &(*at)->next;
	*at = c;
	next_round(all);
}
