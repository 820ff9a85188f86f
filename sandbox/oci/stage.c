/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage - what a runtime finds: a mount namespace of its own with all that the box is made of, and
 * no cgroup that it could spoil.
 *
 * As root that namespace is the only one; unprivileged there is a user namespace around it, in
 * which we are 0 and the box's is made. It all goes away with the last process in it, which is the
 * runtime: the box itself has left it by then (its root is another).
 */
#include "sandbox/oci/oci.h"

#include "base/clean.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270
#define CGROUPS       "/sys/fs/cgroup"
#define CONFIG_MAX    ((size_t)256 << 10)

static int
stage_join(struct native *n, struct err *e)
{
	return cgroup_enter(n->cgroup, true, e);
}

static int
stage_identity(struct native *n, struct err *e)
{
	struct pollfd p = { .fd = n->child_report, .events = POLLIN };
	int rc = n->has_slots ? 0 : native_map_self(n, 0, e);

	if (rc < 0)
		return rc;
	(void)umask(0); /* modes are meant as they are written, up to the runtime */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "death signal");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		return err_set(e, ERR_SYSTEM, "the starter is gone");
	return 0;
}

/* The runtime may look, since runc insists on finding a tree, but not touch: the box's group was
 * made and entered before. crun refuses machines that have trees of both versions; so of those with
 * v1 it is shown the one that runc asks for, and none of v2. */
static int
stage_cgroups(struct native *n, struct err *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	struct statfs s;

	(void)n;
	if (statfs(CGROUPS, &s) < 0)
		return 0;
	if (s.f_type == CGROUP2_MAGIC)
		return mount_setattr(AT_FDCWD, CGROUPS, AT_RECURSIVE, &ro, sizeof(ro)) < 0
			       ? err_sys(e, "make " CGROUPS " read-only")
			       : 0;
	auto_fd int devices = -1;
	(void)native_mount_copy(AT_FDCWD, CGROUPS "/devices", NATIVE_RO, &devices, NULL);
	/* Unprivileged it cannot be taken away, only covered. */
	(void)umount2(CGROUPS, MNT_DETACH);
	if (mount("tmpfs", CGROUPS, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "size=64k,mode=755") < 0)
		return err_sys(e, "cover " CGROUPS);
	if (devices < 0)
		return 0;
	if (mkdir(CGROUPS "/devices", 0755) < 0 ||
		move_mount(devices, "", AT_FDCWD, CGROUPS "/devices", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "show " CGROUPS "/devices");
	return 0;
}

/* Where something will be mounted; what lies in something that is mounted itself, the runtime
 * makes there. */
static int
make_points(struct native *n, struct err *e)
{
	static const char *const points[] = { "/dev", "/proc", "/tmp", "/var/tmp", BOX_HOME,
		BOX_WORKSPACE };
	const struct box_layer *l = n->spec->layers.v;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(points) / sizeof(points[0]); i++)
		rc = native_mkdirs(n, points[i], e);
	for (size_t i = 0; rc == 0 && i < n->spec->layers.n; i++)
		rc = native_mkdirs(n, l[i].at, e);
	for (size_t i = 0; rc == 0 && i < n->spec->tools.n; i++) {
		if (n->tool_fds[i] >= 0 && !native_is_writable(n->spec, n->spec->tools.v[i]))
			rc = native_mkdirs(n, n->spec->tools.v[i], e);
	}
	return rc;
}

static int
stage_root(struct native *n, struct err *e)
{
	const void *init;
	size_t len;
	int rc = native_hang(n, e);

	if (rc == 0)
		rc = native_system(n, e);
	if (rc == 0)
		rc = make_points(n, e);
	if (rc < 0)
		return rc;
	native_init_program(&init, &len);
	return native_write(n, OCI_INIT, 0555, init, len, e);
}

/* Its nodes are bound by the runtime, as whoever it is in the box at that time, from those of the
 * machine and with the flags that those have. */
static int
stage_dev(struct native *n, struct err *e)
{
	struct mount_attr plain = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
	unsigned owner = oci_of(n)->runtime->needs_root ? oci_root_uid(n) : n->uid;

	/* Where /dev is no mount of its own, no harm is done: a node is no program. */
	(void)mount_setattr(AT_FDCWD, "/dev", 0, &plain, sizeof(plain));
	if (n->has_slots && fchownat(n->root_fd, "dev", owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "owner of /dev");
	return 0;
}

static int
put(const struct native *n, int fd, const char *prefix, size_t i, struct err *e)
{
	char name[24];

	(void)snprintf(name, sizeof(name), "%s%zu", prefix, i);
	if (mkdirat(n->stage_fd, name, 0755) < 0 ||
		move_mount(fd, "", n->stage_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "stage %s", name);
	return 0;
}

static int
stage_trees(struct native *n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n->spec->tools.n; i++) {
		if (n->tool_fds[i] >= 0)
			rc = put(n, n->tool_fds[i], "t", i, e);
	}
	for (size_t i = 0; rc == 0 && i < n->spec->layers.n; i++)
		rc = put(n, n->source_fds[i], "", i, e);
	return rc;
}

static int
stage_files(struct native *n, struct err *e)
{
	const struct box_file *f = n->spec->files.v;
	int rc = native_files(n, e);

	for (size_t i = 0; rc == 0 && n->has_slots && i < n->spec->files.n; i++) {
		if (!native_is_writable(n->spec, f[i].path) &&
			fchownat(n->root_fd, f[i].path + 1, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) <
				0)
			rc = err_sys(e, "owner of %s", f[i].path);
	}
	return rc;
}

static int
stage_config(struct native *n, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CONFIG_MAX);
	int rc = oci_config(oci_of(n), &text, e);

	if (rc < 0)
		return rc;
	auto_fd int fd =
		openat(n->stage_fd, OCI_BUNDLE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
		return err_sys(e, "write " OCI_BUNDLE);
	return 0;
}

static int
stage_runtime(struct native *n, struct err *e)
{
	const struct oci *o = oci_of(n);
	auto_free char *state = mem_fmt("%s/" OCI_STATE, n->stage_path);
	const char *argv[16] = { o->runtime->name };
	size_t argc = 1;

	if (mkdirat(n->stage_fd, OCI_STATE, 0700) < 0 || chdir("/") < 0)
		return err_sys(e, "mkdir " OCI_STATE);
	for (size_t i = 0; o->runtime->args[i]; i++)
		argv[argc++] = o->runtime->args[i];
	/* No keyring: the box may not ask for one, nor may the runner. */
	const char *const rest[] = { "--root", state, "run", "--detach", "--no-new-keyring",
		"--bundle", n->stage_path, "--preserve-fds", "2", "box", NULL };
	memcpy(&argv[argc], rest, sizeof(rest));
	(void)umask(022);
	return native_become(n, o->program_fd, argv, e);
}

static const struct native_step STEPS[] = {
	{ BOX_STAGE_JOIN, stage_join },
	{ BOX_STAGE_IDENTITY, stage_identity },
	{ BOX_STAGE_SOURCES, native_sources },
	{ BOX_STAGE_CGROUP, stage_cgroups },
	{ BOX_STAGE_ROOT, stage_root },
	{ BOX_STAGE_ETC, native_etc },
	{ BOX_STAGE_DEV, stage_dev },
	{ BOX_STAGE_TREES, stage_trees },
	{ BOX_STAGE_TREES, stage_config },
	{ BOX_STAGE_FILES, stage_files },
	{ BOX_STAGE_ID_MAP, oci_user },
	{ BOX_STAGE_RUNTIME, stage_runtime },
};

_Noreturn void
oci_stage(struct oci *o)
{
	native_run(&o->n, STEPS, sizeof(STEPS) / sizeof(STEPS[0]));
}
