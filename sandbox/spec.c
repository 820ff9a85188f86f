/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec - what goes into a box, as a row table, and what may be said in it.
 */
#include "sandbox/sandbox.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define ARGS_MAX        256
#define LAYERS_MAX      32
#define FILES_MAX       32
#define FILE_TEXT_MAX   KIB(256)
#define TOOLS_MAX       32
#define WALL_MS_DEFAULT (INT64_C(30) * 60 * 1000)

static const struct row FILE_ROWS[] = {
	ROW_S(struct box_file, path, "path", LIMIT_PATH_BYTES),
	ROW_I(struct box_file, mode, "mode"),
	ROW_S(struct box_file, text, "text", FILE_TEXT_MAX),
	ROW_DONE,
};

static const struct row LAYER_ROWS[] = {
	ROW_S(struct box_layer, at, "at", LIMIT_PATH_BYTES),
	ROW_S(struct box_layer, path, "path", LIMIT_PATH_BYTES),
	ROW_I(struct box_layer, owner_uid, "owner_uid"),
	ROW_B(struct box_layer, is_writable, "is_writable"),
	ROW_DONE,
};

const struct row BOX_SPEC_ROWS[] = {
	ROW_S(struct box_spec, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct box_spec, title, "title", LIMIT_BODY_BYTES),
	ROW_SS(struct box_spec, argv, "argv", KIB(128), ARGS_MAX),
	ROW_SS(struct box_spec, env, "env", KIB(128), ARGS_MAX),
	ROW_S(struct box_spec, cwd, "cwd", LIMIT_PATH_BYTES),
	ROW_L(struct box_spec, layers, "layers", LAYERS_MAX, LAYER_ROWS, struct box_layer),
	ROW_L(struct box_spec, files, "files", FILES_MAX, FILE_ROWS, struct box_file),
	ROW_S(struct box_spec, rootfs, "rootfs", LIMIT_PATH_BYTES),
	ROW_SS(struct box_spec, tools, "tools", LIMIT_PATH_BYTES, TOOLS_MAX),
	ROW_B(struct box_spec, net, "net"),
	ROW_B(struct box_spec, is_measured, "is_measured"),
	ROW_S(struct box_spec, runtime, "runtime", LIMIT_PATH_BYTES),
	ROW_B(struct box_spec, is_quiet, "is_quiet"),
	ROW_S(struct box_spec, events, "events", LIMIT_NAME_BYTES),
	ROW_I(struct box_spec, slot, "slot"),
	ROW_I(struct box_spec, wall_ms, "wall_ms"),
	ROW_I(struct box_spec, idle_ms, "idle_ms"),
	ROW_I(struct box_spec, log_bytes_max, "log_bytes_max"),
	ROW_I(struct box_spec, file_bytes_max, "file_bytes_max"),
	ROW_I(struct box_spec, tmp_bytes_max, "tmp_bytes_max"),
	ROW_I(struct box_spec, tmp_inodes_max, "tmp_inodes_max"),
	ROW_I(struct box_spec, procs_max, "procs_max"),
	ROW_I(struct box_spec, files_max, "files_max"),
	ROW_I(struct box_spec, data_bytes_max, "data_bytes_max"),
	ROW_I(struct box_spec, memory_bytes_max, "memory_bytes_max"),
	ROW_I(struct box_spec, cpu_milli_max, "cpu_milli_max"),
	ROW_I(struct box_spec, disk_bytes_max, "disk_bytes_max"),
	ROW_I(struct box_spec, output_bytes_max, "output_bytes_max"),
	ROW_DONE,
};

/* What the box makes itself: nothing may be placed on or in it. */
static const char *const TAKEN[] = { "/bin", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/proc",
	"/sbin", "/sys", "/usr" };

void
box_spec_layer(
	struct box_spec *s, const char *at, const char *path, int64_t owner_uid, bool is_writable)
{
	struct box_layer *l = row_list_add(&s->layers, sizeof(*l));

	l->at = mem_str(at);
	l->path = mem_str(path);
	l->owner_uid = owner_uid;
	l->is_writable = is_writable;
}

void
box_spec_file(struct box_spec *s, const char *path, int64_t mode, const char *text)
{
	struct box_file *f = row_list_add(&s->files, sizeof(*f));

	f->path = mem_str(path);
	f->mode = mode;
	f->text = mem_str(text);
}

void
box_spec_finish(struct box_spec *s)
{
	row_finish(BOX_SPEC_ROWS, s);
}

static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Absolute, and each part a real name. */
static bool
is_plain(const char *path)
{
	if (!path || path[0] != '/' || path[1] == '\0' || strlen(path) > LIMIT_PATH_BYTES)
		return false;
	for (const char *part = path; *part;) {
		size_t len;

		part++;
		len = strcspn(part, "/");
		if (len == 0 || (len == 1 && part[0] == '.') ||
			(len == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part += len;
	}
	return true;
}

static bool
is_free(const char *path)
{
	for (size_t i = 0; i < sizeof(TAKEN) / sizeof(TAKEN[0]); i++) {
		if (is_below(path, TAKEN[i]))
			return false;
	}
	return true;
}

static int
check_layers(const struct box_spec *s, struct err *e)
{
	const struct box_layer *l = s->layers.v;

	if (s->layers.n > LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d layers", LAYERS_MAX);
	for (size_t i = 0; i < s->layers.n; i++) {
		bool is_first = true;

		if (!is_plain(l[i].at) || !is_free(l[i].at) || is_below(l[i].at, "/etc"))
			return err_set(e, ERR_INVALID, "no tree may be at %s",
				l[i].at ? l[i].at : "nowhere");
		if (!is_plain(l[i].path))
			return err_set(
				e, ERR_INVALID, "layer %s is not an absolute path", l[i].path);
		if (l[i].owner_uid < 0 || l[i].owner_uid > UINT32_MAX - 1)
			return err_set(e, ERR_INVALID, "owner of layer %s", l[i].path);
		for (size_t k = 0; k < i; k++)
			is_first &= !str_eq(l[k].at, l[i].at);
		if (l[i].is_writable && !is_first)
			return err_set(e, ERR_INVALID, "only the top layer of %s may be writable",
				l[i].at);
	}
	return 0;
}

static int
check_files(const struct box_spec *s, struct err *e)
{
	const struct box_file *f = s->files.v;

	if (s->files.n > FILES_MAX || s->tools.n > TOOLS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d files or tools", FILES_MAX);
	for (size_t i = 0; i < s->files.n; i++) {
		if (!is_plain(f[i].path) || !is_free(f[i].path) ||
			is_below(f[i].path, BOX_WORKSPACE))
			return err_set(e, ERR_INVALID, "no file may be placed at %s",
				f[i].path ? f[i].path : "nowhere");
		if (!f[i].text || (f[i].mode & ~INT64_C(0777)) != 0)
			return err_set(e, ERR_INVALID, "contents or mode of %s", f[i].path);
	}
	return 0;
}

static int
check_tools(const struct box_spec *s, struct err *e)
{
	for (size_t i = 0; i < s->tools.n; i++) {
		if (!is_plain(s->tools.v[i]) || is_below(s->tools.v[i], "/proc") ||
			is_below(s->tools.v[i], "/dev"))
			return err_set(
				e, ERR_INVALID, "%s cannot be shown in a box", s->tools.v[i]);
		/* There is no place for it in a tree that is not ours to write. */
		if (s->rootfs && !is_free(s->tools.v[i]))
			return err_set(e, ERR_INVALID,
				"%s cannot be shown over a rootfs: it needs a place of its own, "
				"like /opt/tools",
				s->tools.v[i]);
	}
	if (s->rootfs && !is_plain(s->rootfs))
		return err_set(e, ERR_INVALID, "rootfs %s is not an absolute path", s->rootfs);
	return 0;
}

static void
fill(int64_t *value, int64_t standard)
{
	if (*value <= 0)
		*value = standard;
}

int
box_spec_check(struct box_spec *s, struct err *e)
{
	int rc;

	if (s->argv.n == 0 || s->argv.v[0][0] == '\0')
		return err_set(e, ERR_INVALID, "no command");
	if (s->slot < 0 || s->slot >= BOX_SLOTS_MAX)
		return err_set(e, ERR_INVALID, "slot %lld", (long long)s->slot);
	for (size_t i = 0; i < s->env.n; i++) {
		if (s->env.v[i][0] == '=' || !strchr(s->env.v[i], '='))
			return err_set(e, ERR_INVALID, "environment: \"%s\" is not NAME=value",
				s->env.v[i]);
	}
	if (!s->cwd)
		s->cwd = mem_str(BOX_WORKSPACE);
	if (!is_plain(s->cwd))
		return err_set(e, ERR_INVALID, "working directory %s", s->cwd);
	rc = check_layers(s, e);
	if (rc == 0)
		rc = check_files(s, e);
	if (rc == 0)
		rc = check_tools(s, e);
	if (rc < 0)
		return rc;
	fill(&s->wall_ms, WALL_MS_DEFAULT);
	fill(&s->log_bytes_max, LIMIT_TRANSCRIPT_BYTES);
	if (s->log_bytes_max > LIMIT_TRANSCRIPT_BYTES)
		s->log_bytes_max = LIMIT_TRANSCRIPT_BYTES;
	fill(&s->file_bytes_max, MIB(4096));
	fill(&s->tmp_bytes_max, MIB(2048));
	fill(&s->tmp_inodes_max, 400000);
	fill(&s->procs_max, 2048);
	fill(&s->files_max, 16384);
	return 0;
}
