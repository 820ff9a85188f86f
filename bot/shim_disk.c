/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_disk - what the boxes of an attempt write: on a disk of its own where there is one, and
 * watched in any case.
 *
 * A disk of its own holds its limit by itself; here it is only noticed that it was full, for the
 * sentence about a box that failed. What lies on the machine's disk instead (all, where there are
 * no loop devices, and a setup that is to be kept) is counted again and again.  And whatever the
 * limits say: before the machine's own disk is full, boxes end, those that hold most first.
 */
#include "bot/shim_state.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "sandbox/disk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 1000
#define REST_MS_MIN   3000 /* between two measurements */
#define REST_TIMES    10   /* as long as the last one took */
#define MISSES_MAX    10   /* directories that are moved just where we are, so often in a row */
#define FLOOR_BYTES   (INT64_C(1) << 30)
#define LAST_BYTES    (INT64_C(1) << 28)
#define FLOOR_NAMES   20000
#define GIB           (INT64_C(1) << 30)

struct shim_disk {
	bool is_own; /* mounted at SHIM_DISK */
	dev_t device;
	bool was_full;       /* at the last look */
	bool has_ended;      /* the box under way, for it */
	int64_t free_before; /* of the machine's, when that box began */
	struct loop_timer *look;

	/* What lies on the machine's disk. */
	char *dir; /* the attempt's */
	struct strs plain;
	struct loop_child *child; /* counts */
	struct disk_count count;
	int64_t began_ms;
	int64_t next_ms;
	int misses;
	struct disk_counted last;
};

static int
attach(int fd, struct err *e)
{
	auto_fd int made = -1;
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at the disk");
	if (S_ISREG(st.st_mode)) /* nothing was made ahead */
		rc = disk_make(fd, ".", &made, e);
	return rc < 0 ? rc : disk_attach(made < 0 ? fd : made, SHIM_DISK, e);
}

void
shim_disk_take(struct shim *s, int take_disk)
{
	auto_fd int fd = take_disk;
	struct shim_disk *d = s->disk;
	struct err e = { 0 };
	struct stat st;

	if (d->is_own)
		return;
	if (attach(fd, &e) < 0 || stat(SHIM_DISK, &st) < 0) {
		log_err(LOG_LEVEL_WARN, NULL, "disk.not_own", &e);
		return;
	}
	d->is_own = true;
	d->device = st.st_dev;
}

/* ---- the end for it ---- */

static char *
size_text(int64_t bytes)
{
	return bytes >= GIB && bytes % GIB == 0 ? mem_fmt("%lld GiB", (long long)(bytes / GIB))
						: mem_fmt("%lld MiB", (long long)(bytes >> 20));
}

static void
end_box(struct shim *s, char *take_text)
{
	auto_free char *text = take_text;

	if (s->disk->has_ended)
		return;
	s->disk->has_ended = true;
	log_warn(NULL, "box.disk", "step=%s why=\"%s\"", s->step->spec.name, text);
	if (s->step->end == BOX_END_ITSELF)
		mem_set(&s->step->text, text);
	shim_step_stop(s, BOX_END_DISK, 0); /* it may write gigabytes in a second */
}

/* ---- what lies on the machine's disk ---- */

static bool
is_plain(const struct shim_disk *d, const struct box_layer *l)
{
	struct stat st;

	return l->is_writable && stat(l->path, &st) == 0 && st.st_dev != d->device;
}

static int64_t
names_max(const struct shim *s)
{
	int64_t bytes = s->step->spec.disk_bytes_max;

	return bytes > 0 ? bytes / DISK_BYTES_PER_NAME : INT64_MAX;
}

/* All that this attempt writes there: its directory, which holds what earlier boxes wrote too, and
 * layers elsewhere. */
static void
find_plain(const struct shim *s)
{
	struct shim_disk *d = s->disk;
	const struct box_layer *l = s->step->spec.layers.v;

	strs_finish(&d->plain);
	if (!d->is_own)
		strs_add(&d->plain, d->dir);
	for (size_t i = 0; i < s->step->spec.layers.n; i++) {
		if (is_plain(d, &l[i]) && (d->is_own || !str_starts(l[i].path, d->dir)))
			strs_add(&d->plain, l[i].path);
	}
}

static void
judge(struct shim *s, const struct disk_counted *m)
{
	struct shim_disk *d = s->disk;
	int64_t limit = s->step->spec.disk_bytes_max;
	auto_free char *size = size_text(limit);

	d->last = *m;
	d->misses = m->rc == ERR_CONFLICT ? d->misses + 1 : 0;
	if (limit <= 0)
		return;
	if (m->bytes > limit)
		end_box(s, mem_fmt("its disk of %s was full", size));
	else if (m->rc == ERR_LIMIT || m->names > names_max(s))
		end_box(s, mem_fmt("its disk of %s was full: it has more than %lld files, or "
				   "directories too deep",
				   size, (long long)names_max(s)));
	else if (d->misses >= MISSES_MAX)
		end_box(s, mem_str("its directories are moved so fast that what it takes on the "
				   "disk cannot be measured"));
}

static void
on_counted(void *ctx, pid_t pid, struct loop_exit how)
{
	struct shim *s = ctx;
	struct shim_disk *d = s->disk;
	int64_t now = loop_now_ms(s->loop);
	int64_t rest = (now - d->began_ms) * REST_TIMES;
	auto_fd int answer = steal_fd(&d->count.answer_fd);
	struct disk_counted c;

	(void)pid;
	d->child = NULL;
	clean_fd(&d->count.pidfd);
	d->next_ms = now + (rest > REST_MS_MIN ? rest : REST_MS_MIN);
	if (how.code == 0 && read(answer, &c, sizeof(c)) == sizeof(c) && s->step->is_live)
		judge(s, &c);
}

static void
count_plain(struct shim *s)
{
	struct shim_disk *d = s->disk;
	struct err e = { 0 };

	if (d->plain.n == 0 || d->child || loop_now_ms(s->loop) < d->next_ms)
		return;
	if (disk_count_start(&d->plain, names_max(s), &d->count, &e) < 0) {
		log_err(LOG_LEVEL_WARN, NULL, "disk.not_counted", &e);
		return;
	}
	d->child = loop_child_add(
		s->loop, d->count.pid, fcntl(d->count.pidfd, F_DUPFD_CLOEXEC, 3), on_counted, s);
	d->began_ms = loop_now_ms(s->loop);
}

static void
stop_counting(struct shim_disk *d)
{
	if (!d->child)
		return;
	loop_child_remove(d->child);
	d->child = NULL;
	(void)pidfd_send_signal(d->count.pidfd, SIGKILL, NULL, 0);
	(void)waitid(P_PIDFD, (id_t)d->count.pidfd, NULL, WEXITED);
	clean_fd(&d->count.pidfd);
	clean_fd(&d->count.answer_fd);
}

/* ---- looking ---- */

/* What is on it. */
static int64_t
look_at_own(struct shim_disk *d)
{
	struct disk_room r;

	if (!d->is_own || disk_room(SHIM_DISK, &r, NULL) < 0)
		return 0;
	d->was_full = disk_is_full(&r);
	return r.bytes - r.bytes_free;
}

/* What is written to a disk of its own reaches the machine's half a minute later. How much is on
 * the way, the kernel says of all together. */
static int64_t
on_the_way(const struct shim_disk *d)
{
	static const char *const names[] = { "\nDirty:", "\nWriteback:" };
	auto_buf struct buf text = BUF_INIT(KIB(16));
	int64_t sum = 0;

	if (!d->is_own || fs_read("/proc/meminfo", &text, NULL) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *at = strstr(buf_str(&text), names[i]);

		sum += at ? KIB(strtoll(at + strlen(names[i]), NULL, 10)) : 0;
	}
	return sum;
}

/* Of two boxes the one goes first that holds more than is left, so none ends for what a larger one
 * has taken. Not all that they hold can be counted: a file without a name that somebody has open.
 * Therefore, when next to nothing is left, those go since whose beginning more than that was taken,
 * whoever took it. */
static void
look_at_machine(struct shim *s, int64_t held)
{
	struct shim_disk *d = s->disk;
	struct disk_room r;

	if (disk_room(".", &r, NULL) < 0)
		return;
	int64_t left = r.bytes_free - on_the_way(d);
	bool is_last = left < LAST_BYTES && left < d->free_before - r.bytes_free;
	if ((left < FLOOR_BYTES && left < held) || is_last) {
		auto_free char *size = size_text(r.bytes_free);

		end_box(s, mem_fmt("the machine's disk is nearly full: %s are left", size));
	} else if (r.names > 0 && r.names_free < FLOOR_NAMES && r.names_free < d->last.names) {
		end_box(s, mem_fmt("the machine's disk is nearly full: room for %lld files is left",
				   (long long)r.names_free));
	}
}

static void
on_look(void *ctx)
{
	struct shim *s = ctx;
	struct shim_disk *d = s->disk;

	d->look = loop_timer_add(s->loop, LOOK_EVERY_MS, on_look, s);
	look_at_machine(s, look_at_own(d) + d->last.bytes);
	count_plain(s);
}

void
shim_disk_watch(struct shim *s)
{
	struct shim_disk *d = s->disk;
	struct disk_room r;

	find_plain(s);
	d->has_ended = d->was_full = false;
	d->free_before = disk_room(".", &r, NULL) < 0 ? 0 : r.bytes_free;
	d->last = (struct disk_counted){ 0 };
	d->next_ms = loop_now_ms(s->loop) + REST_MS_MIN;
	d->look = loop_timer_add(s->loop, LOOK_EVERY_MS, on_look, s);
}

char *
shim_disk_unwatch(struct shim *s)
{
	struct shim_disk *d = s->disk;
	bool was_full = d->was_full;

	loop_timer_remove(d->look);
	d->look = NULL;
	stop_counting(d);
	(void)look_at_own(d);
	if (!was_full && !d->was_full)
		return NULL;
	auto_free char *size = size_text(s->step->spec.disk_bytes_max);
	return mem_fmt("its disk of %s was full", size);
}

void
shim_disk_init(struct shim *s)
{
	s->disk = mem_zero(sizeof(*s->disk));
	s->disk->dir = realpath(".", NULL);
}

void
shim_disk_finish(struct shim *s)
{
	if (!s->disk)
		return;
	if (s->disk->is_own)
		disk_detach(SHIM_DISK);
	strs_finish(&s->disk->plain);
	free(s->disk->dir);
	free(s->disk);
	s->disk = NULL;
}
