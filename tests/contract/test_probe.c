/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe on machines that cannot build a box: each lack that is known from the field is brought
 * about for real, as root and as an unprivileged user, and must be named together with its mend.
 * What cannot be built is never let through as less: the tier says so.
 */
#include "box_rig.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <mntent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- how each is brought about: in a child, before the probe. 0, or it could not be. ---- */

struct denied {
	long call;
	int sys;
	uint32_t arg1; /* 0: any second argument */
};

/* A filter as containers have one: these calls fail, all others are as before. */
static int
deny(const struct denied *d, size_t n)
{
	struct sock_filter code[64];
	size_t len = 0;

	code[len++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n; i++) {
		bool has_arg = d[i].arg1 != 0;

		code[len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)d[i].call, 0, has_arg ? 4 : 1);
		if (has_arg) {
			code[len++] = (struct sock_filter)BPF_STMT(
				BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
			code[len++] = (struct sock_filter)BPF_JUMP(
				BPF_JMP | BPF_JEQ | BPF_K, d[i].arg1, 0, 1);
		}
		code[len++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)d[i].sys);
		if (has_arg)
			code[len++] = (struct sock_filter)BPF_STMT(
				BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	}
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { .len = (unsigned short)len, .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/* Docker's own profile for who lacks CAP_SYS_ADMIN. */
static int
docker_filter(void)
{
	static const struct denied calls[] = { { SYS_clone3, ENOSYS, 0 }, { SYS_unshare, EPERM, 0 },
		{ SYS_setns, EPERM, 0 }, { SYS_mount, EPERM, 0 }, { SYS_fsopen, EPERM, 0 },
		{ SYS_open_tree, EPERM, 0 }, { SYS_move_mount, EPERM, 0 } };

	return deny(calls, sizeof(calls) / sizeof(calls[0]));
}

static int
old_docker_filter(void)
{
	static const struct denied calls[] = { { SYS_clone3, EPERM, 0 },
		{ SYS_unshare, EPERM, 0 } };

	return deny(calls, 2);
}

/* docker-default of AppArmor: namespaces may be made, and nothing may be mounted in them. */
static int
no_mounts(void)
{
	static const struct denied calls[] = { { SYS_mount, EACCES, 0 } };

	return deny(calls, 1);
}

static int
no_loopback(void)
{
	static const struct denied calls[] = { { SYS_ioctl, EPERM, 0x8914 /* SIOCSIFFLAGS */ } };

	return deny(calls, 1);
}

static int
no_seccomp(void)
{
	static const struct denied calls[] = { { SYS_seccomp, EINVAL, 0 } };

	return deny(calls, 1);
}

static int
no_landlock(void)
{
	static const struct denied calls[] = { { SYS_landlock_create_ruleset, EOPNOTSUPP, 0 } };

	return deny(calls, 1);
}

static int
old_kernel(void)
{
	static const struct denied calls[] = { { SYS_fsopen, ENOSYS, 0 },
		{ SYS_open_tree, ENOSYS, 0 } };

	return deny(calls, 2);
}

static int
put(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Root of a world of its own, with the ids that it had: as far as a container is one. */
static int
own_world(int more)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	auto_free char *uids = mem_fmt("%u %u 1\n", uid, uid);
	auto_free char *gids = mem_fmt("%u %u 1\n", gid, gid);

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | more) < 0 ||
		put("/proc/self/setgroups", "deny") < 0 || put("/proc/self/uid_map", uids) < 0 ||
		put("/proc/self/gid_map", gids) < 0)
		return -1;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int
no_user_namespaces(void)
{
	return own_world(0) < 0 ? -1 : put("/proc/sys/user/max_user_namespaces", "0\n");
}

static int
no_net_namespaces(void)
{
	return own_world(0) < 0 ? -1 : put("/proc/sys/user/max_net_namespaces", "0\n");
}

/* Something lies over a part of /proc, as in every container that was not told otherwise; and over
 * that of each other one, for the kernel is content with one that is whole. */
static int
masked_proc(void)
{
	FILE *mounts = own_world(0) < 0 ? NULL : setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	int rc = mounts ? 0 : -1;

	while (rc == 0 && (m = getmntent(mounts))) {
		auto_free char *part = mem_fmt("%s/acpi", m->mnt_dir);

		if (str_eq(m->mnt_type, "proc"))
			rc = mount("tmpfs", part, "tmpfs", MS_RDONLY, NULL);
	}
	if (mounts)
		(void)endmntent(mounts);
	return rc;
}

/* A sysctl that this kernel does not have. */
static int
foreign_sysctl(const char *name)
{
	auto_free char *path = mem_fmt("/proc/sys/kernel/%s", name);

	if (own_world(0) < 0 || mount("tmpfs", "/proc/sys/kernel", "tmpfs", 0, NULL) < 0)
		return -1;
	return put(path, str_starts(name, "unpriv") ? "0\n" : "1\n");
}

static int
debian_sysctl(void)
{
	return foreign_sysctl("unprivileged_userns_clone") < 0 ? -1 : old_docker_filter();
}

static int
ubuntu_apparmor(void)
{
	return foreign_sysctl("apparmor_restrict_unprivileged_userns") < 0 ? -1 : no_mounts();
}

static int
no_device_nodes(void)
{
	if (own_world(0) < 0)
		return -1;
	int null = open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (null < 0 || mount("tmpfs", "/dev", "tmpfs", 0, NULL) < 0 || put("/dev/null", "") < 0)
		return -1;
	return move_mount(null, "", AT_FDCWD, "/dev/null", MOVE_MOUNT_F_EMPTY_PATH);
}

/* A setting of a pid namespace, for all programs that were never files. It is root's to write, and
 * Linux before 6.3 has none: for others, and there, what it does is done. */
static int
no_memfd_exec(void)
{
	static const struct denied calls[] = { { SYS_memfd_create, EACCES,
		0x13 /* MFD_CLOEXEC, _ALLOW_SEALING, _EXEC */ } };
	int status = 0;

	if (geteuid() != 0 || access("/proc/sys/vm/memfd_noexec", F_OK) < 0) {
		if (own_world(0) < 0 || mount("tmpfs", "/proc/sys/vm", "tmpfs", 0, NULL) < 0 ||
			put("/proc/sys/vm/memfd_noexec", "2\n") < 0)
			return -1;
		return deny(calls, 1);
	}
	if (own_world(CLONE_NEWPID) < 0)
		return -1;
	pid_t pid = fork();
	if (pid != 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		return -1;
	return put("/proc/sys/vm/memfd_noexec", "2\n");
}

/* ---- what the probe says ---- */

struct machine {
	const char *name;
	int (*arrange)(void);
	const char *feature; /* that is lacking */
	const char *text;
	const char *mend;
	enum sandbox_tier most; /* no tier above it may be said */
	bool is_stranger;       /* for who is not root */
};

static const struct machine MACHINES[] = {
	{ "Docker's seccomp profile", docker_filter, "namespaces",
		"user namespaces: Function not implemented", "seccomp=unconfined", TIER_LANDLOCK,
		false },
	{ "an older one", old_docker_filter, "namespaces",
		"user namespaces: Operation not permitted", "seccomp=unconfined", TIER_LANDLOCK,
		false },
	{ "user.max_user_namespaces=0", no_user_namespaces, "namespaces",
		"user namespaces: No space left", "user.max_user_namespaces to", TIER_LANDLOCK,
		false },
	{ "user.max_net_namespaces=0", no_net_namespaces, "namespaces",
		"net namespaces: No space left", "user.max_*_namespaces", TIER_LANDLOCK, false },
	{ "kernel.unprivileged_userns_clone=0", debian_sysctl, "namespaces", "not permitted",
		"kernel.unprivileged_userns_clone=1", TIER_LANDLOCK, true },
	{ "AppArmor on Ubuntu", ubuntu_apparmor, "box", "make / private: Permission denied",
		"kernel.apparmor_restrict_unprivileged_userns=0", TIER_LANDLOCK, true },
	{ "AppArmor in Docker", no_mounts, "box", "make / private: Permission denied",
		"apparmor=unconfined", TIER_LANDLOCK, false },
	{ "an old kernel", old_kernel, "box", "Function not implemented", "Linux 6.1",
		TIER_LANDLOCK, false },
	{ "a masked /proc", masked_proc, "box", "proc", "systempaths=unconfined", TIER_LANDLOCK,
		false },
	{ "no loopback", no_loopback, "box", "lo up", "loopback", TIER_LANDLOCK, false },
	{ "no device nodes", no_device_nodes, "box", "/dev/full", "device nodes", TIER_LANDLOCK,
		false },
	{ "vm.memfd_noexec=2", no_memfd_exec, "box", "memfd", "vm.memfd_noexec", TIER_LANDLOCK,
		false },
	{ "no seccomp", no_seccomp, "seccomp", "Invalid argument", "CONFIG_SECCOMP_FILTER",
		TIER_NONE, false },
	{ "no Landlock", no_landlock, "landlock", "not supported", "lsm=", TIER_SLOTS, false },
};

/* The probe's words, one feature a line. */
static void
tell(const struct box_rig *r, const struct machine *m, int out)
{
	struct sandbox_probe p;

	if (m->arrange() < 0) {
		(void)dprintf(out, "cannot be arranged: %s\n", strerror(errno));
		_exit(1);
	}
	sandbox_probe(r->dir, NULL, NULL, &p);
	for (size_t i = 0; i < p.n; i++)
		(void)dprintf(out, "%s %s: %s; mend: %s\n", p.v[i].ok ? "has" : "lacks",
			p.v[i].name, p.v[i].text, p.v[i].mend ? p.v[i].mend : "");
	(void)dprintf(out, "tier %d\n", (int)p.tier);
	_exit(0);
}

static char *
ask(const struct box_rig *r, const struct machine *m)
{
	struct buf said = BUF_INIT(65536);
	char data[4096];
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		tell(r, m, ends[1]);
	(void)close(ends[1]);
	while ((n = read(ends[0], data, sizeof(data))) > 0)
		(void)buf_add(&said, data, (size_t)n);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)buf_adds(&said, "");
	return buf_steal(&said);
}

static void
expect_lack(const struct box_rig *r, const struct machine *m)
{
	auto_free char *said = ask(r, m);
	auto_free char *lacks = mem_fmt("lacks %s: ", m->feature);
	const char *line = strstr(said, lacks);
	const char *tier = strstr(said, "\ntier ");
	auto_free char *own = mem_strn(line ? line : "", line ? strcspn(line, "\n") : 0);

	if (!strstr(own, m->text) || !strstr(own, m->mend) || !tier)
		fail_msg("%s: %s", m->name, said);
	if (tier[6] - '0' > (int)m->most)
		fail_msg("%s: tier %c", m->name, tier[6]);
}

static void
the_cause_is_named_with_its_mend(void **state)
{
	const struct box_rig *r = *state;

	for (size_t i = 0; i < sizeof(MACHINES) / sizeof(MACHINES[0]); i++) {
		const struct machine *m = &MACHINES[i];

		if (m->is_stranger && r->is_root)
			continue; /* it is no lack to root; the other run of this test sees it */
		expect_lack(r, m);
	}
}

/* The same child on this machine as it is: nothing lacks that a box needs. */
static int
as_it_is(void)
{
	return 0;
}

static void
nothing_is_made_up(void **state)
{
	const struct box_rig *r = *state;
	const struct machine here = { .name = "here", .arrange = as_it_is };
	auto_free char *said = ask(r, &here);
	const char *tier = strstr(said, "\ntier ");

	assert_non_null(strstr(said, "has namespaces: "));
	assert_non_null(strstr(said, "has box: "));
	assert_non_null(tier);
	assert_int_equal(tier[6] - '0', r->is_root ? TIER_SLOTS : TIER_USERNS);
}

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* What Docker leaves to the root of a container. */
#define DOCKER                                                                                     \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(KILL) | CAP(SETGID) |    \
		CAP(SETUID) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) | CAP(NET_RAW) |                \
		CAP(SYS_CHROOT) | CAP(MKNOD) | CAP(AUDIT_WRITE) | CAP(SETFCAP))

static int
keep_only(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { (uint32_t)caps, (uint32_t)caps, 0 },
		{ (uint32_t)(caps >> 32), (uint32_t)(caps >> 32), 0 } };

	for (unsigned cap = 0; cap < 64; cap++) {
		if (!(caps >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break; /* past the last one */
	}
	return (int)syscall(SYS_capset, &head, data);
}

static int
containers_root(void)
{
	return keep_only(DOCKER);
}

/* The bot's processes cannot be looked into, not by themselves either. */
static int
root_without_ptrace(void)
{
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -1 : keep_only(DOCKER | CAP(SYS_ADMIN));
}

/* A container's root: what it lacks is named. Without the right to give boxes other uids they would
 * be root's, too, and what the machine keeps for root alone would be theirs: there is no box. */
static void
root_in_part_is_told_what_it_lacks(void **state)
{
	static const struct machine containers[] = {
		{ "as Docker starts it", containers_root, "slots",
			"all boxes would have root's own uid", "start the bot as another user",
			TIER_LANDLOCK, false },
		{ "without CAP_SYS_PTRACE", root_without_ptrace, "box", "ns/user",
			"--cap-add SYS_PTRACE", TIER_LANDLOCK, false },
	};
	const struct box_rig *r = *state;

	if (!r->is_root) {
		assert_true(containers_root() < 0);
		return;
	}
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
		expect_lack(r, &containers[i]);
}

/* Where the state directory lies on what cannot carry layers. Mounting it is for root. */
static void
a_filesystem_without_shifted_owners_is_named(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *dir = box_rig_path(r, "ram");
	struct sandbox_probe p;
	const struct sandbox_feature *box = NULL;

	box_rig_mkdir(r, "ram");
	if (!r->is_root) {
		assert_int_equal(mount("ramfs", dir, "ramfs", 0, NULL), -1);
		return;
	}
	assert_int_equal(mount("ramfs", dir, "ramfs", 0, NULL), 0);
	sandbox_probe(dir, NULL, NULL, &p);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	for (size_t i = 0; i < p.n; i++) {
		if (str_eq(p.v[i].name, "box"))
			box = &p.v[i];
	}
	assert_non_null(box);
	assert_false(box->ok);
	assert_non_null(strstr(box->mend, "ext4, xfs, btrfs or tmpfs"));
	assert_true(p.tier < TIER_LEAST);
	sandbox_probe_finish(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_made_up),
		cmocka_unit_test(the_cause_is_named_with_its_mend),
		cmocka_unit_test(root_in_part_is_told_what_it_lacks),
		cmocka_unit_test(a_filesystem_without_shifted_owners_is_named),
	};

	if (box_rig_leave_procs() < 0)
		return 1;
	return box_rig_main_native(tests, sizeof(tests) / sizeof(tests[0]));
}
