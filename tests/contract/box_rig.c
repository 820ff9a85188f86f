/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_rig - see box_rig.h.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/tree.gen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS     120000 /* a machine may have much else to do */
#define OTHER_OWNER 12345
#define STRANGER    20001
#define PROGRAM_FD  200

/* What tests run in boxes, and where the build put it. */
static const struct {
	const char *built;
	const char *tool;
} PROGRAMS[] = {
	{ NS_BINARY_DIR "/tool_inside", "tools/inside" },
	{ NS_BINARY_DIR "/escape_attempts", "tools/escape" },
	{ NS_BINARY_DIR "/hostile", "tools/hostile" },
	{ NS_BINARY_DIR "/tool_runtime", "tools/runtime" },
};
#define N_PROGRAMS ((int)(sizeof(PROGRAMS) / sizeof(PROGRAMS[0])))

/* runc wants a root in the box, which an unprivileged user cannot give. */
static const struct variant {
	const char *name;
	const char *runtime;
	bool is_root;
} VARIANTS[] = {
	{ "native, as root", NULL, true },
	{ "native, without rights", NULL, false },
	{ "crun, as root", "crun", true },
	{ "crun, without rights", "crun", false },
	{ "runc, as root", "runc", true },
};
#define N_VARIANTS (sizeof(VARIANTS) / sizeof(VARIANTS[0]))

static const struct variant *variant;

/* A copy, because the build's directory may be closed to the user that we have become. */
static void
copy_program(const struct box_rig *r, int i)
{
	auto_free char *path = box_rig_path(r, PROGRAMS[i].tool);
	auto_fd int from = fcntl(PROGRAM_FD + i, F_DUPFD_CLOEXEC, 3);
	auto_fd int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char data[65536];
	ssize_t n;

	(void)lseek(from, 0, SEEK_SET);
	assert_true(from >= 0 && to >= 0);
	while ((n = read(from, data, sizeof(data))) > 0)
		assert_int_equal(write(to, data, (size_t)n), n);
}

static int
rig_create(void **state)
{
	struct box_rig *r = mem_zero(sizeof(*r));

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/nightshift-box-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(chmod(r->dir, 0755), 0);
	r->is_root = geteuid() == 0;
	r->runtime = variant->runtime;
	r->has_root = str_eq(r->runtime, "runc");
	box_rig_mkdir(r, "tools");
	for (int i = 0; i < N_PROGRAMS; i++)
		copy_program(r, i);
	r->inside = box_rig_path(r, "tools/inside");
	*state = r;
	return 0;
}

static int
rig_destroy(void **state)
{
	struct box_rig *r = *state;
	struct err e = { 0 };

	assert_int_equal(fs_remove_tree(r->dir, &e), 0);
	free(r->inside);
	free(r);
	return 0;
}

char *
box_rig_path(const struct box_rig *r, const char *name)
{
	return mem_fmt("%s/%s", r->dir, name);
}

void
box_rig_mkdir(const struct box_rig *r, const char *name)
{
	auto_free char *path = box_rig_path(r, name);

	assert_int_equal(fs_mkdirs(path, 0755, NULL), 0);
}

void
box_rig_write(const struct box_rig *r, const char *name, const char *text)
{
	auto_free char *path = box_rig_path(r, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int
give_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return lchown(path, OTHER_OWNER, OTHER_OWNER);
}

int64_t
box_rig_give(const struct box_rig *r, const char *name)
{
	auto_free char *path = box_rig_path(r, name);

	if (!r->is_root)
		return (int64_t)geteuid();
	assert_int_equal(nftw(path, give_one, 16, FTW_PHYS), 0);
	return OTHER_OWNER;
}

void
box_rig_spec(const struct box_rig *r, struct box_spec *s, ...)
{
	auto_free char *tools = box_rig_path(r, "tools");
	const char *word;
	va_list ap;

	*s = (struct box_spec){ 0 };
	s->name = mem_str("test");
	s->runtime = mem_str(r->runtime);
	va_start(ap, s);
	while ((word = va_arg(ap, const char *)))
		strs_add(&s->argv, word);
	va_end(ap);
	strs_add(&s->tools, tools);
	strs_addf(&s->env, "PATH=%s:/usr/bin:/bin", tools);
}

static void
read_all(int fd, struct buf *out)
{
	char data[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_true(poll(&p, 1, WAIT_MS) > 0);
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (data[i] != '\r')
				(void)buf_addc(out, data[i]);
		}
	}
	(void)buf_adds(out, "");
}

void
box_rig_wait_for(int pty_fd, const char *word)
{
	auto_buf struct buf seen = BUF_INIT(1 << 20);

	while (!strstr(buf_str(&seen), word)) {
		struct pollfd p = { .fd = pty_fd, .events = POLLIN };
		char data[4096];
		ssize_t n;

		assert_true(poll(&p, 1, WAIT_MS) > 0);
		n = read(pty_fd, data, sizeof(data));
		assert_true(n > 0);
		(void)buf_add(&seen, data, (size_t)n);
	}
}

int
box_rig_reap(struct box *b)
{
	struct pollfd p = { .fd = b->pidfd, .events = POLLIN };
	int status = 0;

	assert_true(poll(&p, 1, WAIT_MS) > 0);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void
box_rig_run(const struct box_spec *spec, struct box_run *run)
{
	struct box_spec s = *spec; /* defaults are filled in by the check; what is owned stays owned
				      by the caller */
	struct box b = BOX_INIT;
	struct box_io io = BOX_IO_INIT;
	auto_fd int net = -1;

	memset(run, 0, sizeof(*run));
	buf_init(&run->out, 8 << 20);
	assert_int_equal(box_spec_check(&s, &run->e), 0);
	/* As the runner does it. */
	if (geteuid() == 0)
		assert_int_equal(sandbox_net_make(&net, &run->e), 0);
	io.net_fd = net;
	if (box_start(&s, &io, &b, &run->e) < 0)
		fail_msg("stage %d: %s", (int)b.stage, run->e.text);
	if (s.cwd != spec->cwd)
		free(s.cwd);
	assert_int_equal(box_go(&b, &run->e), 0);
	read_all(b.pty_fd, &run->out);
	run->exit_code = box_rig_reap(&b);
	run->report = box_report(&b, &run->e);
	run->stage = b.stage;
	box_finish(&b);
}

void
box_run_finish(struct box_run *run)
{
	buf_finish(&run->out);
}

void
box_rig_expect(const struct box_rig *r, const char *command, const char *out)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(r, &s, "sh", "-c", command, NULL);
	box_rig_run(&s, &run);
	assert_string_equal(buf_str(&run.out), out);
	assert_int_equal(run.exit_code, 0);
}

char *
box_rig_outside(const struct box_rig *r, const char *const *words)
{
	struct buf out = BUF_INIT(1 << 20);
	const char *argv[32] = { r->inside };
	int ends[2];
	int n = 1;

	for (; words[n - 1] && n < 31; n++)
		argv[n] = words[n - 1];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(ends[1]);
	read_all(ends[0], &out);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return buf_steal(&out);
}

static int
run_group(const struct CMUnitTest *tests, size_t n)
{
	return _cmocka_run_group_tests(variant->name, tests, n, rig_create, rig_destroy);
}

/* As somebody who has no rights at all. */
static int
run_as_stranger(const struct CMUnitTest *tests, size_t n)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(STRANGER, STRANGER, STRANGER) < 0 ||
			setresuid(STRANGER, STRANGER, STRANGER) < 0 ||
			prctl(PR_SET_DUMPABLE, 1) < 0)
			exit(99);
		exit(run_group(tests, n));
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

/* Begins with one of them; no list, no question. */
static bool
is_named(const char *name, const char *const *names)
{
	bool found = !names;

	for (; names && *names; names++)
		found |= str_starts(name, *names);
	return found;
}

/* With each driver that is wanted. What cannot be tried is no success: who is not root becomes
 * nobody but himself. */
static int
run_each(
	const struct CMUnitTest *tests, size_t n, const char *const *names, const char *const *only)
{
	bool is_root = geteuid() == 0;
	int failed = 0, tried = 0;

	for (size_t i = 0; i < N_VARIANTS; i++) {
		variant = &VARIANTS[i];
		if (!is_named(variant->name, names) || !is_named(variant->name, only))
			continue;
		tried++;
		if (variant->is_root && !is_root) {
			print_error("%s: not tried; run this as root\n", variant->name);
			failed++;
		} else if (is_root && !variant->is_root) {
			failed += run_as_stranger(tests, n);
		} else {
			failed += run_group(tests, n);
		}
	}
	if (tried == 0)
		print_error("nothing is named so\n");
	return tried > 0 ? failed : 99;
}

/* NIGHTSHIFT_TEST_BOX: only those whose name begins thus, for whoever looks for a fault. */
int
box_rig_main_by(const struct CMUnitTest *tests, size_t n, const char *const *names)
{
	const char *only[] = { getenv("NIGHTSHIFT_TEST_BOX"), NULL };

	/* Opened while we may; each rig copies them from here. */
	for (int i = 0; i < N_PROGRAMS; i++) {
		auto_fd int program = open(PROGRAMS[i].built, O_RDONLY | O_CLOEXEC);

		if (program < 0 || dup3(program, PROGRAM_FD + i, O_CLOEXEC) < 0) {
			print_error("%s: %s\n", PROGRAMS[i].built, strerror(errno));
			return 99;
		}
	}
	(void)umask(022);
	return run_each(tests, n, names, only[0] ? only : NULL);
}

int
box_rig_main(const struct CMUnitTest *tests, size_t n)
{
	return box_rig_main_by(tests, n, NULL);
}

int
box_rig_main_native(const struct CMUnitTest *tests, size_t n)
{
	return box_rig_main_by(tests, n, (const char *const[]){ "native", NULL });
}

int
box_rig_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	return n;
}

int
box_rig_leave_procs(void)
{
	const struct mntent *m;

	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	/* What cannot be unmounted is in the way of who needs it gone, and he says so. */
	while (mounts && (m = getmntent(mounts))) {
		if (str_eq(m->mnt_type, "proc") && !str_eq(m->mnt_dir, "/proc"))
			(void)umount2(m->mnt_dir, MNT_DETACH);
	}
	if (mounts)
		(void)endmntent(mounts);
	return mounts ? 0 : -1;
}
