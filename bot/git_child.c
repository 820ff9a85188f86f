/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_child - see git_child.h.
 */
#include "bot/git_child.h"

#include "base/confine.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "repo/extra.h"
#include "repo/lfs.h"
#include "repo/modules.h"
#include "repo/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define JOB_BYTES_MAX (2 * LIMIT_TRANSCRIPT_BYTES + MIB(2))
#define BUNDLE_FD     3
#define FILES_MAX     256
#define PATHS_MAX     24
#define EVICT_AGE_MS  (2 * 3600 * 1000L) /* between a prepare and the lock of the box */

struct result {
	struct git_done done;
	struct buf settings;
};

/* ---- What it may touch ---- */

static const char *const PROGRAM_PATHS[] = { "/bin", "/dev/null", "/dev/urandom",
	"/etc/ld.so.cache", "/lib", "/lib64", "/proc", "/usr", NULL };

struct paths {
	const char *v[PATHS_MAX];
	size_t n;
};

static void
add_path(struct paths *p, const char *path)
{
	if (path && p->n + 1 < PATHS_MAX)
		p->v[p->n++] = path;
}

/* Directories to write in must exist before the rules for them are made. */
static int
make_dirs(const struct git_job *job, struct err *e)
{
	int rc = job->trees ? fs_mkdirs(job->trees, 0755, e) : 0;

	if (rc == 0 && job->dir)
		rc = fs_mkdirs(job->dir, 0755, e);
	/* The time of the last use, for the sweep. */
	if (rc == 0 && job->dir && job->kind != GIT_JOB_SWEEP && job->kind != GIT_JOB_FIT)
		(void)utimensat(AT_FDCWD, job->dir, NULL, 0);
	return rc;
}

static int
confine(const struct git_job *job, struct err *e)
{
	struct paths reads = { 0 };
	struct paths writes = { 0 };
	struct confine_done done;
	struct confine c = {
		.net = CONFINE_NET_NONE,
		.may_exec = job->kind == GIT_JOB_CHECKOUT,
		.read_paths = reads.v,
		.write_paths = writes.v,
		.files_max = FILES_MAX,
	};

	if (c.may_exec) {
		for (size_t i = 0; PROGRAM_PATHS[i]; i++)
			add_path(&reads, PROGRAM_PATHS[i]);
		add_path(&writes, "/dev/null");
	}
	add_path(&reads, "/dev/urandom");
	add_path(&reads, job->mirror);
	add_path(&reads, job->objects);
	/* Written to as well, as far as the kernel is asked: links out of it count as writes. */
	add_path(&writes, job->modules_dir);
	add_path(job->kind == GIT_JOB_EXTRA ? &writes : &reads, job->lfs_dir);
	add_path(&writes, job->trees);
	add_path(&writes, job->dir);
	int rc = make_dirs(job, e);
	return rc < 0 ? rc : confine_apply(&c, &done, e);
}

/* ---- Jobs ---- */

struct wants {
	bool modules;
	bool lfs;
};

static int
read_settings(const struct git_job *job, struct result *r, struct wants *wants, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_AGENT_YML_BYTES);
	struct agent_settings settings = { 0 };
	struct err why = { 0 };
	int rc = repo_file_read(job->mirror, job->settings_sha, ".agent.yml", &text, &why);

	if (rc == ERR_MISSING)
		rc = 0; /* most repositories have none; a link in its place counts as none */
	else if (rc == ERR_LIMIT)
		buf_reset(&text);
	else if (rc < 0)
		return err_set(e, rc, "%s", why.text);
	if (rc == 0)
		rc = agent_settings_parse(buf_str(&text), text.len, ".agent.yml", &settings, &why);
	if (rc < 0) {
		r->done.settings_text = mem_str(why.text);
		rc = agent_settings_parse("", 0, ".agent.yml", &settings, e);
	}
	if (rc == 0)
		rc = row_pack(AGENT_SETTINGS_ROWS, &settings, &r->settings, e);
	*wants = (struct wants){ settings.submodules, settings.lfs };
	agent_settings_finish(&settings);
	return rc;
}

static int
list_lfs(const struct git_job *job, struct result *r, struct err *e)
{
	size_t left = 0;
	int rc = repo_lfs_scan(job->trees, job->sha, e);

	if (rc == 0)
		rc = repo_lfs_missing(job->trees, job->sha, job->lfs_dir, &r->done.lfs, &left, e);
	r->done.lfs_left = (int64_t)left;
	return rc;
}

static int
job_checkout(const struct git_job *job, struct result *r, struct err *e)
{
	struct repo_checkout c = { .mirror = job->mirror, .trees = job->trees, .sha = job->sha };
	struct wants wants = { .modules = !job->settings_sha };
	int rc = repo_checkout_make(&c, e);

	if (rc == 0)
		rc = repo_checkout_evict(job->trees, LIMIT_CHECKOUTS, EVICT_AGE_MS, e);
	if (rc >= 0)
		rc = job->settings_sha ? read_settings(job, r, &wants, e) : 0;
	if (rc == 0 && wants.modules)
		rc = repo_modules_read(job->mirror, job->sha, &r->done.modules, e);
	if (rc == 0 && wants.lfs && repo_extra_wanted(job->trees, job->sha, REPO_EXTRA_LFS))
		rc = list_lfs(job, r, e);
	return rc;
}

static int
job_extra(const struct git_job *job, struct result *r, struct err *e)
{
	struct repo_extra x = {
		.trees = job->trees,
		.sha = job->sha,
		.name = job->extra,
		.modules = &job->modules,
		.lfs_dir = job->lfs_dir,
		.notes = job->notes,
		.is_partial = job->is_partial,
	};

	(void)r;
	return repo_extra_make(&x, e);
}

static int
job_harvest(const struct git_job *job, struct result *r, struct err *e)
{
	struct repo_harvest h = {
		.quarantine = job->quarantine,
		.objects = job->objects,
		.mirror = job->mirror,
		.base_sha = job->sha,
		.message = job->message,
		.trailers = job->trailers,
		.author = { job->author, job->email, job->date_s },
		.protect = &job->protect,
		.delta_dir = job->delta_dir,
		.lfs_dir = job->lfs_dir,
	};
	struct repo_harvested got = { 0 };
	int rc = repo_harvest(&h, BUNDLE_FD, &got, e);

	r->done.sha = got.sha;
	r->done.payload = got.payload;
	r->done.notes = got.notes;
	r->done.files = got.files;
	r->done.insertions = got.insertions;
	r->done.deletions = got.deletions;
	return rc;
}

static int
job_seal(const struct git_job *job, struct result *r, struct err *e)
{
	return repo_seal(job->quarantine, job->payload, job->signature, &r->done.sha, e);
}

/* The transcript's own start, so that the same transcript is the same commit. */
static int64_t
cast_time(const char *cast)
{
	static const struct json_limits limits = { KIB(4), 64, 8 };
	auto_json struct json *head = NULL;

	if (!cast || json_parse(cast, strcspn(cast, "\n"), &limits, &head, NULL) < 0)
		return 0;
	int64_t t = json_i64(head, "timestamp");
	return t < 0 ? 0 : t;
}

static int
job_logs(const struct git_job *job, struct result *r, struct err *e)
{
	struct repo_logs l = {
		.quarantine = job->quarantine,
		.cast = job->cast,
		.text = job->text,
		.author = { job->author, job->email, cast_time(job->cast) },
	};

	return repo_logs_commit(&l, &r->done.sha, e);
}

static int
job_sweep(const struct git_job *job, struct result *r, struct err *e)
{
	int rc = repo_quarantine_sweep(job->dir, LIMIT_QUARANTINE_MS, e);

	r->done.files = rc > 0 ? rc : 0;
	return rc < 0 ? rc : 0;
}

static int
job_fit(const struct git_job *job, struct result *r, struct err *e)
{
	int rc = repo_checkouts_fit(job->dir, job->checkout_bytes_max, EVICT_AGE_MS, e);

	if (rc < 0)
		return rc;
	r->done.files = rc;
	rc = repo_mirrors_fit(job->dir, job->mirror_bytes_max, LIMIT_QUARANTINE_MS, e);
	r->done.deletions = rc > 0 ? rc : 0;
	return rc < 0 ? rc : 0;
}

static int (*const JOBS[GIT_JOB_COUNT])(const struct git_job *, struct result *, struct err *) = {
	[GIT_JOB_CHECKOUT] = job_checkout,
	[GIT_JOB_EXTRA] = job_extra,
	[GIT_JOB_HARVEST] = job_harvest,
	[GIT_JOB_SEAL] = job_seal,
	[GIT_JOB_LOGS] = job_logs,
	[GIT_JOB_SWEEP] = job_sweep,
	[GIT_JOB_FIT] = job_fit,
};

/* ---- In and out ---- */

static int
read_job(struct git_job *job, struct err *e)
{
	auto_buf struct buf in = BUF_INIT(JOB_BYTES_MAX);
	char data[KIB(64)];
	ssize_t n;

	while ((n = read(STDIN_FILENO, data, sizeof(data))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read the job");
		if (buf_add(&in, data, (size_t)n) < 0)
			return err_set(e, ERR_LIMIT, "job of over %ld bytes", JOB_BYTES_MAX);
	}
	int rc = row_unpack(GIT_JOB_ROWS, job, buf_str(&in), in.len, e);
	if (rc == 0 && (job->kind < 0 || job->kind >= GIT_JOB_COUNT))
		return err_set(e, ERR_INVALID, "no such job");
	return rc;
}

static int
write_result(const struct result *r, struct err *e)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_BLOB_BYTES);
	auto_buf struct buf out = BUF_INIT(2 * LIMIT_BLOB_BYTES + 4);
	int rc = row_pack(GIT_DONE_ROWS, &r->done, &packed, e);

	if (rc < 0)
		return rc;
	for (int shift = 0; shift < 32; shift += 8)
		(void)buf_addc(&out, (char)(packed.len >> shift & 0xff));
	(void)buf_add(&out, packed.data, packed.len);
	(void)buf_add(&out, buf_str(&r->settings), r->settings.len);
	for (size_t at = 0; at < out.len;) {
		ssize_t n = write(STDOUT_FILENO, out.data + at, out.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write the result");
		at += (size_t)n;
	}
	return 0;
}

int
git_child_main(void)
{
	struct git_job job = { 0 };
	struct result r = { .settings = BUF_INIT(LIMIT_SETTINGS_BYTES) };
	struct err e = { 0 };
	int rc;

	log_init(GIT_CHILD_ROLE, LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, GIT_CHILD_ROLE);
	(void)umask(022);
	rc = read_job(&job, &e);
	if (rc == 0)
		rc = confine(&job, &e);
	if (rc == 0)
		rc = JOBS[job.kind](&job, &r, &e);
	if (rc < 0) {
		/* No room on the disk is not the bundle's fault, though it is a limit too. */
		r.done.code = e.sys != 0 && rc != ERR_MISSING ? ERR_SYSTEM : rc;
		r.done.text = mem_str(e.text);
	}
	rc = write_result(&r, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "git.result", &e);
	row_finish(GIT_JOB_ROWS, &job);
	row_finish(GIT_DONE_ROWS, &r.done);
	buf_finish(&r.settings);
	return rc < 0 ? EX_OSERR : EX_OK;
}
