/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_care - the store is kept whole while it is in use.
 *
 * Backups, checks and counts take seconds of a large store, and the intake waits for nobody; so
 * they are done by a thread, with a connection of its own that only reads. It shares nothing with
 * the loop but the struct that it was given, writes nothing of the queue's and logs nothing: when
 * it is done it says so through an eventfd. It is the one thread beside a loop in this program,
 * since a role may start no program and SQLite has no other way to be slow.
 *
 * Old rows go on the loop, a few in each minute.
 */
#include "bot/queue.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/upkeep.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PRUNE_MAX     200
#define FULL_CHECK_MS (24 * 3600 * INT64_C(1000))
#define AGAIN_MS      (10 * 60 * INT64_C(1000)) /* after one that went wrong */
#define JOIN_S        3

struct queue_care {
	struct queue *q;
	pthread_t thread;
	struct loop_io *io;
	int done_fd;
	atomic_bool stop;

	/* The thread's until it is done. */
	char *dir;
	char *backups;
	struct backup_keep keep;
	bool keeps_all; /* old backups, too */
	bool is_full;   /* rows and indexes of the store itself, too */
	int64_t took_ms;
	struct backup backup;
	struct store_tally tally;
	int64_t n_gone;
	int rc;           /* of the backup */
	int check_rc;     /* of the store; ERR_INVALID: it is damaged */
	struct err why;   /* of either */
	struct err drift; /* code not 0: the counts do not add up */
};

/* ---- the thread ---- */

static void
work(struct queue_care *c)
{
	const struct upkeep u = { c->dir, c->backups, &c->stop };
	int64_t now_ms = clock_wall_ms();

	if (c->is_full)
		c->check_rc = upkeep_check(&u, true, &c->why);
	if (c->check_rc < 0)
		return;
	c->rc = upkeep_backup(&u, now_ms, &c->backup, &c->why);
	if (c->rc == 0 && !c->keeps_all)
		c->rc = upkeep_prune(&u, &c->keep, now_ms, &c->n_gone, &c->why);
	if (c->rc == 0)
		c->rc = upkeep_tally(&u, &c->tally, &c->why);
	if (c->rc == 0)
		(void)store_tally_check(&c->tally, &c->drift);
}

static void *
thread_main(void *ctx)
{
	struct queue_care *c = ctx;
	int64_t from = clock_boot_ms();
	const uint64_t one = 1;

	/* Of this thread alone, on Linux. */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
	work(c);
	c->took_ms = clock_boot_ms() - from;
	if (write(c->done_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes it, or nobody would ever hear of us */
	return NULL;
}

/* ---- the loop ---- */

static void
care_destroy(struct queue_care *c)
{
	loop_io_remove(c->io);
	clean_fd(&c->done_fd);
	backup_finish(&c->backup);
	free(c->dir);
	free(c->backups);
	free(c);
}

static void
tell(struct queue *q, const struct queue_care *c)
{
	if (c->rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "store.backup_failed", &c->why);
		return;
	}
	log_info(NULL, "store.backed_up",
		"path=%s bytes=%" PRId64 " ms=%" PRId64 " gone=%" PRId64 " checked=%s",
		c->backup.path, c->backup.bytes, c->took_ms, c->n_gone,
		c->is_full ? "all" : "backup");
	if (c->drift.code < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "store.adrift", &c->drift);
	log_info(NULL, "store.tally",
		"received=%" PRId64 " duplicates=%" PRId64 " ignored=%" PRId64 " accepted=%" PRId64
		" final=%" PRId64 " live=%" PRId64,
		c->tally.received, c->tally.duplicates, c->tally.ignored, c->tally.accepted,
		c->tally.final, c->tally.live + c->tally.waiting);
	q->tally = c->tally;
	q->tally_ms = c->backup.made_ms;
}

static void
on_done(void *ctx, int fd, uint32_t events)
{
	struct queue_care *c = ctx;
	struct queue *q = c->q;

	(void)fd;
	(void)events;
	(void)pthread_join(c->thread, NULL);
	q->care = NULL;
	q->care_at_ms = clock_wall_ms() + (c->rc < 0 ? AGAIN_MS : q->role->config->backup_every_ms);
	if (c->is_full && c->check_rc == 0)
		q->checked_ms = clock_wall_ms();
	if (c->check_rc == ERR_INVALID) {
		/* What is not ours to believe in any more: the next start looks, and heals. */
		q->db->suspect(q->store);
		queue_fatal(q, "store.check", &c->why);
	} else {
		c->rc = c->check_rc < 0 ? c->check_rc : c->rc;
		tell(q, c);
	}
	care_destroy(c);
}

static void
start(struct queue *q)
{
	struct queue_care *c = mem_zero(sizeof(*c));
	const struct config *conf = q->role->config;

	c->q = q;
	c->dir = role_path(conf, "store");
	c->backups = role_path(conf, "backups");
	c->keep = (struct backup_keep){ conf->backup_keep, conf->backup_days };
	c->keeps_all = clock_wall_ms() < q->keep_until_ms;
	c->is_full = clock_wall_ms() - q->checked_ms >= FULL_CHECK_MS;
	c->done_fd = eventfd(0, EFD_CLOEXEC);
	int rc = c->done_fd < 0 ? errno : pthread_create(&c->thread, NULL, thread_main, c);
	if (rc == 0) {
		c->io = loop_io_add(q->role->loop, c->done_fd, EPOLLIN, on_done, c);
		q->care = c;
		return;
	}
	log_error(NULL, "store.backup_failed", "error=\"no thread: errno %d\"", rc);
	q->care_at_ms = clock_wall_ms() + AGAIN_MS;
	care_destroy(c);
}

/* When the next is due; the newest one's own time, so that restarts do not add any. */
static int64_t
due_ms(struct queue *q)
{
	auto_free char *backups = role_path(q->role->config, "backups");
	struct row_list list = { 0 };
	int64_t at_ms = 0;

	if (upkeep_list(backups, &list, NULL) == 0 && list.n > 0)
		at_ms = ((struct backup *)list.v)[0].made_ms + q->role->config->backup_every_ms;
	backup_list_finish(&list);
	return at_ms;
}

static int
prune(struct queue *q, struct err *e)
{
	const struct config *conf = q->role->config;
	int64_t now_ms = clock_wall_ms(), n = 0;
	const struct store_keep keep = {
		.deliveries_ms = now_ms - conf->keep_deliveries_ms,
		.transcripts_ms = now_ms - conf->keep_transcripts_ms,
		.max = BUGGIFY("care.prune") ? 1 : PRUNE_MAX,
	};
	if (now_ms < q->keep_until_ms)
		return 0;
	int rc = q->db->prune(q->store, &keep, &n, e);

	if (rc == 0 && n > 0)
		log_info(NULL, "store.pruned", "rows=%" PRId64, n);
	return rc;
}

int
queue_care_sweep(struct queue *q, struct err *e)
{
	const struct config *conf = q->role->config;
	/* What is on a server is backed up there. */
	int64_t every_ms = config_store_is_remote(conf) ? 0 : conf->backup_every_ms;
	int64_t now_ms = clock_wall_ms();

	if (q->care_at_ms == 0)
		q->care_at_ms = due_ms(q);
	/* A clock that was set back must not put it off for years. */
	bool is_due = now_ms >= q->care_at_ms || q->care_at_ms - now_ms > every_ms + AGAIN_MS;
	if (every_ms > 0 && is_due && !q->care)
		start(q);
	return q->node.leads ? prune(q, e) : 0;
}

void
queue_care_finish(struct queue *q)
{
	struct queue_care *c = q->care;
	struct timespec until;

	if (!c)
		return;
	atomic_store(&c->stop, true);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_S;
	/* One that hangs in the disk ends with the process; its memory is not ours until then. */
	if (pthread_timedjoin_np(c->thread, NULL, &until) == 0)
		care_destroy(c);
	else
		loop_io_remove(c->io);
	q->care = NULL;
}
