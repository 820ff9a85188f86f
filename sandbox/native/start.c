/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start - the outside of a start: prepare, clone, write the maps, wait until the box says that it
 * is built.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void
native_begin(struct native *n, const struct box_spec *spec, const struct box_io *io)
{
	*n = (struct native){ .spec = spec,
		.stdin_fd = io->stdin_fd,
		.stdout_fd = io->stdout_fd,
		.stderr_fd = -1,
		.net_fd = io->net_fd,
		.init_fd = -1,
		.plan_fd = -1,
		.report = -1,
		.child_report = -1,
		.stage_fd = -1,
		.root_fd = -1,
		.rootfs_fd = -1,
		.rootfs_mount = -1,
		.null_fd = -1 };
	for (size_t i = 0; i < NATIVE_LAYERS_MAX; i++)
		n->layer_fds[i] = n->source_fds[i] = -1;
	for (size_t i = 0; i < NATIVE_TOOLS_MAX; i++)
		n->tool_fds[i] = -1;
	n->has_slots = native_has_slots();
	n->uid = n->has_slots ? (uid_t)(BOX_HOST_UID + spec->slot) : geteuid();
	n->gid = n->has_slots ? (gid_t)(BOX_HOST_UID + spec->slot) : getegid();
}

void
native_finish(struct native *n)
{
	for (size_t i = 0; i < NATIVE_LAYERS_MAX; i++)
		clean_fd(&n->layer_fds[i]);
	for (size_t i = 0; i < NATIVE_TOOLS_MAX; i++)
		clean_fd(&n->tool_fds[i]);
	clean_fd(&n->rootfs_mount);
	clean_fd(&n->plan_fd);
	clean_fd(&n->report);
	clean_fd(&n->child_report);
	cgroup_destroy(n->cgroup);
}

/* As root the tools are opened out here: the way to them need not be open to everybody. */
static int
open_tools(struct native *n, struct err *e)
{
	for (size_t i = 0; n->has_slots && i < n->spec->tools.n; i++) {
		int rc = native_mount_copy(AT_FDCWD, n->spec->tools.v[i],
			NATIVE_RO | NATIVE_EXEC | NATIVE_REC, &n->tool_fds[i], e);

		if (rc < 0 && rc != ERR_MISSING)
			return err_wrap(e, rc, "tools");
	}
	return 0;
}

int
native_prepare(struct native *n, struct err *e)
{
	int ends[2];
	int rc;

	native_etc_look();
	n->stage = BOX_STAGE_LAYERS;
	rc = native_layers_open(n, e);
	if (rc == 0)
		rc = open_tools(n, e);
	if (rc == 0 && n->has_slots)
		rc = native_rootfs_open(n, e);
	if (rc < 0)
		return rc;
	/* Before the plan, which has the limits that no group keeps. */
	n->stage = BOX_STAGE_CGROUP;
	n->cgroup = cgroup_create(cgroup_world(),
		&(struct cgroup_limits){ .memory_bytes_max = n->spec->memory_bytes_max,
			.procs_max = n->spec->procs_max,
			.cpu_milli_max = n->spec->cpu_milli_max });
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "socketpair");
	n->report = ends[0];
	n->child_report = ends[1];
	n->stage = BOX_STAGE_FILTER;
	rc = native_init_image(&n->init_fd, e);
	if (rc == 0)
		rc = native_plan_create(n, &n->plan_fd, e);
	return rc;
}

static int
clone_box(struct native *n, struct box *b, struct err *e)
{
	uint64_t network = n->net_fd < 0 ? CLONE_NEWNET : 0;
	int pidfd = -1;
	pid_t pid;

	n->stage = BOX_STAGE_CLONE;
	pid = native_clone(NATIVE_NAMESPACES | network, cgroup_fd(n->cgroup), n->net_fd, &pidfd);
	if (pid == 0) {
		(void)close(steal_fd(&n->report));
		native_child(n);
	}
	if (pid < 0)
		return err_sys(e, "clone with namespaces");
	b->pid = pid;
	b->pidfd = pidfd;
	(void)close(steal_fd(&n->child_report));
	return 0;
}

static int
build(struct native *n, struct box *b, struct err *e)
{
	int rc = 0;

	n->stage = BOX_STAGE_ID_MAP;
	if (n->has_slots)
		rc = native_write_maps(n, b->pid, e);
	if (rc < 0)
		return rc;
	n->stage = BOX_STAGE_GO;
	/* A child that failed before it read our byte has still said why: not being heard is no
	 * error yet. */
	(void)!send(n->report, "m", 1, MSG_NOSIGNAL);
	return native_hello(n, b, e);
}

static void
undo(struct box *b)
{
	box_kill(b);
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	box_finish(b);
}

void
sandbox_warm(void)
{
	const void *program;
	size_t n;
	int fd;

	(void)native_filter(&program, &n, NULL);
	(void)native_init_image(&fd, NULL);
	(void)cgroup_world();
	native_etc_look();
}

static int
native_start(const struct box_spec *s, const struct box_io *io, struct box *b, struct err *e)
{
	auto_cleanup(native_finish) struct native n;
	int rc;

	native_begin(&n, s, io);
	rc = native_prepare(&n, e);
	if (rc == 0)
		rc = clone_box(&n, b, e);
	if (rc == 0) {
		b->cgroup = steal_ptr(&n.cgroup);
		rc = build(&n, b, e);
		if (rc < 0)
			undo(b);
	}
	b->stage = rc < 0 ? n.stage : BOX_STAGE_NONE;
	if (rc == 0)
		b->report_fd = steal_fd(&n.report);
	return rc;
}

const struct sandbox_driver SANDBOX_NATIVE = {
	.name = "native",
	.start = native_start,
};
