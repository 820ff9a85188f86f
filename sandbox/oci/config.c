/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - a box's spec as a runtime's config.json.
 *
 * Everything that is bound lies on the stage already, opened and with its flags, so that the
 * runtime resolves no path of the host's and none of an earlier box's. Limits are not in it: those
 * of the whole box are its cgroup's, which the runtime is started in, those of a process are set by
 * PID 1, which lowers them only. Nor are hooks.
 */
#include "sandbox/oci/oci.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define RO_FS "nosuid,nodev,noexec"

static void
quote(struct buf *out, const char *s)
{
	(void)json_quote(out, s, strlen(s));
}

/* "a,b,c" as an array of strings. */
static void
add_words(struct buf *out, const char *words)
{
	(void)buf_addc(out, '[');
	for (const char *p = words; *p;) {
		size_t len = strcspn(p, ",");

		(void)json_quote(out, p, len);
		p += len;
		if (*p == ',' && *++p)
			(void)buf_addc(out, ',');
	}
	(void)buf_addc(out, ']');
}

static void
add_mount(struct buf *out, const char *at, const char *type, const char *from, const char *options)
{
	if (out->data[out->len - 1] != '[')
		(void)buf_addc(out, ',');
	(void)buf_adds(out, "{\"destination\":");
	quote(out, at);
	(void)buf_adds(out, ",\"type\":");
	quote(out, type);
	(void)buf_adds(out, ",\"source\":");
	quote(out, from);
	(void)buf_adds(out, ",\"options\":");
	add_words(out, options);
	(void)buf_addc(out, '}');
}

/* With what is mounted below it, and the flags that it has. */
static void
add_bind(struct buf *out, const struct native *n, const char *at, const char *prefix, size_t i)
{
	auto_free char *from = mem_fmt("%s/%s%zu", n->stage_path, prefix, i);

	add_mount(out, at, "bind", from, "rbind,private");
}

static void
add_tmpfs(struct buf *out, const char *at, const char *flags, const char *size, int mode)
{
	auto_free char *options = mem_fmt("nosuid,nodev%s,%s,mode=%o,uid=%d,gid=%d", flags, size,
		(unsigned)mode, BOX_UID, BOX_UID);

	add_mount(out, at, "tmpfs", "tmpfs", options);
}

static const struct box_layer *
layer(const struct native *n, size_t i)
{
	return (const struct box_layer *)n->spec->layers.v + i;
}

static size_t
count_layers(const struct native *n, const char *at)
{
	size_t count = 0;

	for (size_t i = 0; i < n->spec->layers.n; i++)
		count += str_eq(layer(n, i)->at, at);
	return count;
}

static void
add_overlay(struct buf *out, const struct native *n, size_t first)
{
	auto_buf struct buf options = BUF_INIT(4096);
	const char *stage = n->stage_path;
	const char *before = "lowerdir=";

	for (size_t i = first; i < n->spec->layers.n; i++) {
		if (layer(n, i)->is_writable || !str_eq(layer(n, i)->at, layer(n, first)->at))
			continue;
		(void)buf_addf(&options, "%s%s/%zu", before, stage, i);
		before = ":";
	}
	if (layer(n, first)->is_writable)
		(void)buf_addf(&options, ",upperdir=%s/%zu/data,workdir=%s/%zu/work,volatile",
			stage, first, stage, first);
	else
		(void)buf_adds(&options, ",ro");
	(void)buf_adds(&options, ",userxattr,nosuid,nodev");
	add_mount(out, layer(n, first)->at, "overlay", "overlay", buf_str(&options));
}

static int
add_trees(struct buf *out, const struct native *n, struct err *e)
{
	for (size_t i = 0; i < n->spec->layers.n; i++) {
		const struct box_layer *l = layer(n, i);
		size_t count = count_layers(n, l->at);
		bool is_first = true;

		for (size_t k = 0; k < i; k++)
			is_first &= !str_eq(layer(n, k)->at, l->at);
		if (!is_first)
			continue;
		if (count == 1 && l->is_writable)
			return err_set(e, ERR_INVALID, "%s has no lower layer", l->at);
		if (count == 1)
			add_bind(out, n, l->at, "", i);
		else
			add_overlay(out, n, i);
	}
	return 0;
}

static int
add_mounts(struct buf *out, const struct native *n, struct err *e)
{
	const struct box_spec *s = n->spec;
	auto_free char *size = mem_fmt("size=%lld,nr_inodes=%lld", (long long)s->tmp_bytes_max,
		(long long)s->tmp_inodes_max);

	(void)buf_adds(out, "\"mounts\":[");
	add_mount(out, "/proc", "proc", "proc", RO_FS);
	/* The machine has a few thousand terminals for all: a box must not take the others'. */
	add_mount(out, "/dev/pts", "devpts", "devpts",
		"nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64");
	add_tmpfs(out, "/dev/shm", ",noexec", "size=256m,nr_inodes=4096", 01777);
	add_tmpfs(out, "/tmp", "", size, 01777);
	add_tmpfs(out, "/var/tmp", "", size, 01777);
	if (count_layers(n, BOX_HOME) == 0)
		add_tmpfs(out, BOX_HOME, "", size, 0755);
	for (size_t i = 0; i < s->tools.n; i++) {
		if (n->tool_fds[i] >= 0)
			add_bind(out, n, s->tools.v[i], "t", i);
	}
	int rc = add_trees(out, n, e);
	if (count_layers(n, BOX_WORKSPACE) == 0)
		add_tmpfs(out, BOX_WORKSPACE, "", "size=64m,nr_inodes=16384", 0755);
	(void)buf_addc(out, ']');
	return rc;
}

static void
add_process(struct buf *out)
{
	(void)buf_addf(out,
		"\"process\":{\"terminal\":false,\"user\":{\"uid\":%d,\"gid\":%d},"
		"\"args\":[\"" OCI_INIT "\"],\"env\":[],\"cwd\":\"/\",\"noNewPrivileges\":true,"
		"\"oomScoreAdj\":1000,\"capabilities\":{\"bounding\":[],\"effective\":[],"
		"\"inheritable\":[],\"permitted\":[],\"ambient\":[]}}",
		BOX_UID, BOX_UID);
}

/* The network's namespace is not among them if it was made ahead: then we are in it. */
static void
add_namespaces(struct buf *out, const struct native *n)
{
	(void)buf_adds(out, "\"namespaces\":[{\"type\":\"user\",\"path\":");
	auto_free char *path = mem_fmt("%s/" OCI_USER, n->stage_path);
	quote(out, path);
	(void)buf_adds(out, "},{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"ipc\"},"
			    "{\"type\":\"uts\"},{\"type\":\"cgroup\"}");
	(void)buf_adds(out, n->net_fd < 0 ? ",{\"type\":\"network\"}]" : "]");
}

/* What user.c has written; runtimes want to read it again. */
static void
add_map(struct buf *out, const struct native *n, const char *name, unsigned to, bool has_root)
{
	(void)buf_addf(out, "\"%s\":[", name);
	if (has_root)
		(void)buf_addf(
			out, "{\"containerID\":0,\"hostID\":%u,\"size\":1},", oci_root_uid(n));
	(void)buf_addf(out, "{\"containerID\":%d,\"hostID\":%u,\"size\":1}]", BOX_UID, to);
}

static void
add_masks(struct buf *out)
{
	const char *const *lists[] = { NATIVE_PROC_COVERED, NATIVE_PROC_EMPTIED };

	(void)buf_adds(out, "\"maskedPaths\":[");
	for (int i = 0; i < 2; i++) {
		for (const char *const *p = lists[i]; *p; p++)
			(void)buf_addf(out, "%s\"/proc/%s\"", i || p != lists[0] ? "," : "", *p);
	}
	(void)buf_adds(out, "],\"readonlyPaths\":[\"/proc/sys\"]");
}

int
oci_config(const struct oci *o, struct buf *out, struct err *e)
{
	const struct native *n = &o->n;
	bool has_root = o->runtime->needs_root;
	int rc;

	(void)buf_adds(out, "{\"ociVersion\":\"1.0.2\",\"hostname\":\"box\","
			    "\"root\":{\"path\":\"root\",\"readonly\":true},");
	add_process(out);
	(void)buf_addc(out, ',');
	rc = add_mounts(out, n, e);
	(void)buf_adds(out, ",\"linux\":{");
	add_namespaces(out, n);
	(void)buf_addc(out, ',');
	add_map(out, n, "uidMappings", n->has_slots ? n->uid : 0, has_root);
	(void)buf_addc(out, ',');
	add_map(out, n, "gidMappings", n->has_slots ? n->gid : 0, has_root);
	(void)buf_addc(out, ',');
	add_masks(out);
	(void)buf_addc(out, ',');
	oci_seccomp(out);
	(void)buf_adds(out, "}}");
	if (rc == 0 && out->is_full)
		rc = err_set(e, ERR_LIMIT, "config.json over %zu bytes", out->limit);
	return rc;
}
