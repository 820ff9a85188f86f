/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - what this machine can do, found out by doing it; and what a person changes when it
 * cannot.
 *
 * The last row runs a real box on real layers. Its stage number says which wall we ran into, and
 * the known walls have a mend (mend.c).
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"
#include "sandbox/disk.h"
#include "sandbox/oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_MS_MAX     10000
#define LANDLOCK_ABI_NET 4 /* from here on it knows TCP */

static struct sandbox_feature *
add(struct sandbox_probe *p, const char *name, bool is_needed)
{
	struct sandbox_feature *f = &p->v[p->n++];

	f->name = name;
	f->is_needed = is_needed;
	return f;
}

/* Those that can be made one by one, for the text. */
static const struct {
	const char *name;
	uint64_t flag;
} KINDS[] = {
	{ "user", 0 },
	{ "mount", CLONE_NEWNS },
	{ "pid", CLONE_NEWPID },
	{ "net", CLONE_NEWNET },
	{ "ipc", CLONE_NEWIPC },
	{ "uts", CLONE_NEWUTS },
};

/* 0, or an errno. */
static int
try_clone(uint64_t flags)
{
	int pidfd = -1;
	pid_t pid = native_clone(flags, -1, -1, &pidfd);
	int status = 0;

	if (pid == 0)
		_exit(native_unshare_cgroup(NULL) < 0 ? EPERM : 0);
	if (pid < 0)
		return errno;
	(void)close(pidfd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static const char *
first_lacking(void)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (try_clone(CLONE_NEWUSER | KINDS[i].flag) != 0)
			return KINDS[i].name;
	}
	return "so many"; /* each alone works */
}

static void
probe_namespaces(struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "namespaces", true);
	int why = try_clone(NATIVE_NAMESPACES | CLONE_NEWNET);

	if (why) {
		f->text = mem_fmt("%s namespaces: %s", first_lacking(), strerror(why));
		f->mend = native_mend(BOX_STAGE_CLONE, why);
		return;
	}
	f->ok = true;
	f->text = mem_str("user, mount, pid, net, ipc, uts and cgroup in one call");
}

/* Whoever owns the files of /proc is the machine's root, whatever he is called here. */
static bool
is_root_of_all(void)
{
	struct stat st;

	return geteuid() == 0 && stat("/proc/version", &st) == 0 && st.st_uid == 0;
}

/* Root who may not give boxes other uids would give them his own: what only root may, no limit on
 * processes among it, would not be kept from them. */
static void
probe_slots(struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "slots", false);

	f->ok = native_has_slots();
	if (f->ok) {
		f->text = mem_fmt("each box has a host uid of its own, %d + slot", BOX_HOST_UID);
	} else if (is_root_of_all()) {
		f->is_needed = true;
		f->text = mem_str("all boxes would have root's own uid");
		f->mend = "start the bot as another user (Docker: --user); or give it "
			  "CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID and CAP_CHOWN";
	} else {
		f->text = mem_fmt("all boxes have the host uid %u", geteuid());
		f->mend = "start the bot as root: it gives root up where it does not need it";
	}
}

static void
probe_limits(struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "limits", false);
	auto_buf struct buf text = BUF_INIT(512);

	f->ok = cgroup_try(&text) == CGROUP_ALL;
	f->text = mem_str(buf_str(&text));
	if (!f->ok)
		f->mend = "give the service Delegate=yes in its systemd unit, as "
			  "docker/nightshift.service does; where that is so, this is only how it "
			  "is for the shell that asks";
}

static void
probe_seccomp(struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "seccomp", true);
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	const void *program;
	size_t n;
	struct err e = { 0 };

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		f->text = mem_fmt("filters: %s", strerror(errno));
		f->mend = "use a kernel with CONFIG_SECCOMP_FILTER";
	} else if (native_filter(&program, &n, &e) < 0) {
		f->text = mem_str(e.text);
	} else {
		f->ok = true;
		f->text = mem_fmt("a filter of %zu instructions", n);
	}
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static void
probe_landlock(struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "landlock", false);
	long abi = landlock_abi();

	f->ok = abi > 0;
	f->text = f->ok ? mem_fmt("ABI %ld, for boxes and for the bot's own processes", abi)
			: mem_str(strerror(errno));
	if (!f->ok)
		f->mend = "boot with landlock in the lsm= list";
}

static void
probe_runtime(const char *runtime, struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "runtime", true);
	const struct oci_runtime *row;
	struct err e = { 0 };
	int fd = -1;
	int rc = oci_runtime_find(runtime, native_has_slots(), &row, &fd, &e);

	if (fd >= 0)
		(void)close(fd);
	f->ok = rc == 0;
	f->text = f->ok ? mem_fmt("%s makes the boxes", runtime) : mem_str(e.text);
	if (rc == ERR_MISSING)
		f->mend =
			"install it (Debian: apt install crun runc), or leave sandbox.runtime out";
	else if (rc < 0)
		f->mend = "set sandbox.runtime to crun or runc, or leave it out";
}

/* ---- a whole box ---- */

static int
run_to_its_end(struct box *b, struct err *e)
{
	struct pollfd pfd = { .fd = b->pidfd, .events = POLLIN };
	siginfo_t how = { 0 };
	int rc = box_go(b, e);

	while (rc == 0 && poll(&pfd, 1, TRIAL_MS_MAX) < 0 && errno == EINTR)
		continue;
	box_kill(b);
	while (waitid(P_PIDFD, (id_t)b->pidfd, &how, WEXITED) < 0 && errno == EINTR)
		continue;
	if (rc == 0)
		rc = box_report(b, e);
	if (rc == 0 && (how.si_code != CLD_EXITED || how.si_status != 0))
		rc = err_set(e, ERR_SYSTEM, "the trial program ended with %d", how.si_status);
	return rc;
}

int
sandbox_try(struct box_spec *s, int stdout_fd, const char **mend, struct err *e)
{
	struct box_io io = BOX_IO_INIT;
	struct box b = BOX_INIT;
	struct err why = { 0 };
	int rc = box_spec_check(s, e);

	*mend = NULL;
	if (rc < 0)
		return rc;
	io.stdout_fd = stdout_fd;
	rc = box_start(s, &io, &b, &why);
	if (rc == 0)
		rc = run_to_its_end(&b, &why);
	if (rc < 0) {
		*mend = native_mend(b.stage, why.sys);
		errno = why.sys;
		rc = err_set(e, rc, "stage %d: %s", (int)b.stage, why.text);
	}
	box_finish(&b);
	return rc;
}

static int
build_trial(const char *dir, struct box_spec *s, struct err *e)
{
	auto_free char *lower = mem_fmt("%s/lower", dir);
	auto_free char *upper = mem_fmt("%s/upper", dir);
	auto_free char *file = mem_fmt("%s/lower/file", dir);

	if (mkdir(lower, 0755) < 0 || mkdir(upper, 0700) < 0)
		return err_sys(e, "mkdir in %s", dir);
	int rc = fs_write_atomic(file, "1\n", 2, 0644, e);
	if (rc < 0)
		return rc;
	s->name = mem_str("trial");
	/* Copies a file up, which is what the layers are for. */
	strs_add(&s->argv, "/bin/sh");
	strs_add(&s->argv, "-c");
	strs_add(&s->argv, "echo 2 >>file && rm file");
	box_spec_layer(s, BOX_WORKSPACE, upper, 0, true);
	box_spec_layer(s, BOX_WORKSPACE, lower, (int64_t)geteuid(), false);
	s->net = true;
	return 0;
}

static void
probe_box(const char *where, const char *rootfs, const char *runtime, struct sandbox_probe *p)
{
	struct sandbox_feature *f = add(p, "box", true);
	auto_free char *dir = mem_fmt("%s/nightshift-trial-XXXXXX", where ? where : "/tmp");
	auto_box_spec struct box_spec s = { 0 };
	struct err e = { 0 };
	int rc;

	if (!mkdtemp(dir)) {
		f->text = mem_fmt("%s: %s", dir, strerror(errno));
		return;
	}
	s.rootfs = mem_str(rootfs);
	s.runtime = mem_str(runtime);
	rc = build_trial(dir, &s, &e);
	if (rc == 0)
		rc = sandbox_try(&s, -1, &f->mend, &e);
	f->ok = rc == 0;
	f->text = mem_str(f->ok ? "a whole box was built, ran and ended" : e.text);
	(void)fs_remove_tree(dir, NULL);
}

/* What is left where there are no namespaces. It is said, and it is not enough. */
static bool
has_landlock_tier(const struct sandbox_probe *p)
{
	bool found = false;

	for (size_t i = 0; i < p->n; i++)
		found |= str_eq(p->v[i].name, "seccomp") && p->v[i].ok;
	return found && landlock_abi() >= LANDLOCK_ABI_NET;
}

void
sandbox_probe(const char *dir, const char *rootfs, const char *runtime, struct sandbox_probe *p)
{
	bool ok = true;

	*p = (struct sandbox_probe){ 0 };
	probe_namespaces(p);
	probe_slots(p);
	probe_limits(p);
	probe_seccomp(p);
	probe_landlock(p);
	disk_probe(dir, add(p, "disk", false));
	if (runtime)
		probe_runtime(runtime, p);
	if (p->v[0].ok)
		probe_box(dir, rootfs, runtime, p);
	for (size_t i = 0; i < p->n; i++)
		ok &= p->v[i].ok || !p->v[i].is_needed;
	if (ok)
		p->tier = native_has_slots() ? TIER_SLOTS : TIER_USERNS;
	else if (has_landlock_tier(p))
		p->tier = TIER_LANDLOCK;
}
