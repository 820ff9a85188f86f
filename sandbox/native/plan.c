/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - writes down for PID 1 what it is to start (init/plan.h), and holds the image of PID 1
 * itself.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* The kernel takes 2 MiB of arguments and environment; the rest is for files. */
#define PLAN_BYTES_MAX MIB(12)

#define PROCS_SLACK 16
#define CPU_SLACK_S 60
#define NICE        10

extern const unsigned char init_image_start[], init_image_end[];

/* The offset where n strings begin. */
static uint32_t
add_strings(struct buf *b, char *const *v, size_t n)
{
	uint32_t at = (uint32_t)b->len;

	for (size_t i = 0; i < n; i++)
		(void)buf_add(b, v[i], strlen(v[i]) + 1);
	return at;
}

/* Where the box may write because a layer of its own lies there. */
static void
add_writable(struct buf *b, const struct box_spec *s, struct init_plan *p)
{
	const struct box_layer *l = s->layers.v;

	p->writable = (uint32_t)b->len;
	for (size_t i = 0; i < s->layers.n; i++) {
		if (!l[i].is_writable)
			continue;
		(void)add_strings(b, &l[i].at, 1);
		p->n_writable++;
	}
}

static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

bool
native_is_writable(const struct box_spec *s, const char *path)
{
	static const char *const always[] = { BOX_HOME, "/dev/shm", "/tmp", "/var/tmp" };
	const struct box_layer *l = s->layers.v;
	bool found = false;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		found |= is_below(path, always[i]);
	for (size_t i = 0; i < s->layers.n; i++)
		found |= is_below(path, l[i].at);
	return found;
}

/* Those where the box may write; what is in its root is there already. */
static void
add_files(struct buf *b, const struct box_spec *s, struct init_plan *p)
{
	const struct box_file *f = s->files.v;

	p->files = (uint32_t)b->len;
	for (size_t i = 0; i < s->files.n; i++) {
		char mode[16];
		char *const strings[] = { f[i].path, mode, f[i].text };

		if (!native_is_writable(s, f[i].path))
			continue;
		(void)snprintf(mode, sizeof(mode), "%o", (unsigned)f[i].mode);
		(void)add_strings(b, strings, 3);
		p->n_files++;
	}
}

static uint32_t
add_filter(struct buf *b, const void *filter, size_t n)
{
	while (b->len % 8 != 0 && !b->is_full)
		(void)buf_addc(b, '\0');
	uint32_t at = (uint32_t)b->len;
	(void)buf_add(b, filter, n * sizeof(struct sock_filter));
	return at;
}

static uint64_t
limit(int64_t value)
{
	return value > 0 ? (uint64_t)value : UINT64_MAX;
}

/* Seconds that one process may work: as much as all of the box could, were there a quota. */
static int64_t
cpu_seconds(const struct box_spec *s)
{
	int64_t milli = s->cpu_milli_max > 0 ? s->cpu_milli_max
					     : sysconf(_SC_NPROCESSORS_ONLN) * INT64_C(1000);

	return s->wall_ms / 1000 * milli / 1000 + CPU_SLACK_S;
}

/* What no cgroup keeps, each process has for itself; what one keeps is a second lock behind it that
 * must not snap first. Never the size of the address space: WebAssembly reserves a lot of that. */
static void
set_limits(struct init_plan *p, const struct box_spec *s, unsigned keeps)
{
	int64_t data = s->data_bytes_max;

	if (!(keeps & CGROUP_MEMORY) && s->memory_bytes_max > 0 &&
		(data <= 0 || data > s->memory_bytes_max))
		data = s->memory_bytes_max;
	p->limits[INIT_LIMIT_CORE] = 0;
	p->limits[INIT_LIMIT_DATA] = limit(data);
	p->limits[INIT_LIMIT_FILES] = limit(s->files_max);
	p->limits[INIT_LIMIT_FILE_BYTES] = limit(s->file_bytes_max);
	p->limits[INIT_LIMIT_LOCKED] = MIB(8);
	p->limits[INIT_LIMIT_PROCS] =
		limit(s->procs_max + (keeps & CGROUP_PROCS ? PROCS_SLACK : 0));
	p->limits[INIT_LIMIT_CPU] = keeps & CGROUP_CPU ? UINT64_MAX : (uint64_t)cpu_seconds(s);
	p->nice = keeps & CGROUP_CPU ? 0 : NICE;
}

int
native_plan_create(const struct native *n, int *out_fd, struct err *e)
{
	const struct box_spec *s = n->spec;
	struct init_plan p = { .magic = INIT_MAGIC, .uid = BOX_UID };
	auto_buf struct buf b = BUF_INIT(PLAN_BYTES_MAX);
	const void *filter = NULL;
	size_t n_filter = 0;
	int rc = native_filter(&filter, &n_filter, e);

	if (rc < 0)
		return rc;
	if (s->argv.n > INIT_STRINGS || s->env.n > INIT_STRINGS)
		return err_set(e, ERR_LIMIT, "more than %d arguments or variables", INIT_STRINGS);
	(void)buf_add(&b, &p, sizeof(p));
	p.n_argv = (uint32_t)s->argv.n;
	p.argv = add_strings(&b, s->argv.v, s->argv.n);
	p.n_env = (uint32_t)s->env.n;
	p.env = add_strings(&b, s->env.v, s->env.n);
	p.cwd = add_strings(&b, &s->cwd, 1);
	add_writable(&b, s, &p);
	add_files(&b, s, &p);
	p.has_stdout = n->stdout_fd >= 0;
	p.port = s->net ? BOX_PORT : 0;
	p.rows = BOX_ROWS;
	p.columns = BOX_COLUMNS;
	p.filter = add_filter(&b, filter, n_filter);
	p.n_filter = (uint32_t)n_filter;
	set_limits(&p, s, cgroup_keeps(n->cgroup));
	native_namespaces(p.ns);
	if (b.is_full)
		return err_set(e, ERR_LIMIT, "arguments, environment and files over %ld bytes",
			PLAN_BYTES_MAX);
	p.size = (uint32_t)b.len;
	memcpy(b.data, &p, sizeof(p));
	return fs_memfd("plan", b.data, b.len, out_fd, e);
}

void
native_init_program(const void **program, size_t *len)
{
	*program = init_image_start;
	*len = (size_t)(init_image_end - init_image_start);
}

int
native_init_image(int *out_fd, struct err *e)
{
	static int cached = -1;

	if (cached < 0) {
		const void *program;
		size_t len;

		native_init_program(&program, &len);
		int rc = fs_memfd_program("init", program, len, &cached, e);

		if (rc < 0)
			return err_wrap(e, rc, "image of PID 1");
	}
	*out_fd = cached;
	return 0;
}
