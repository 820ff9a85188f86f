/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups in worlds made of directories: every kind of machine, whatever this one is.
 */
#include "sandbox/cgroup.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/procs.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct cgroup_limits LIMITS = { 1 << 30, 512, 1500 };

struct rig {
	char dir[48];
	struct cgroup_world world;
};

static int
setup(void **state)
{
	struct rig *r = mem_zero(sizeof(*r));

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/nightshift-cgroup-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	cgroup_world_finish(&r->world);
	assert_int_equal(fs_remove_tree(r->dir, NULL), 0);
	free(r);
	return 0;
}

/* A file below the rig's directory, with the directories that lead to it. */
static void
put(const struct rig *r, const char *path, const char *text)
{
	auto_free char *full = mem_fmt("%s/%s", r->dir, path);
	auto_free char *dir = mem_str(full);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
	assert_int_equal(fs_write_atomic(full, text, strlen(text), 0644, NULL), 0);
}

static void
expect(const char *dir, const char *file, const char *text)
{
	auto_free char *path = mem_fmt("%s/%s", dir, file);
	auto_buf struct buf got = BUF_INIT(KIB(4));

	if (!text) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	assert_int_equal(fs_read(path, &got, NULL), 0);
	assert_string_equal(buf_str(&got), text);
}

/* Each line of mounts is "root point type options", the point below the rig's directory. */
static void
read_world(struct rig *r, const char *const *mounts, const char *own)
{
	auto_buf struct buf text = BUF_INIT(KIB(16));

	(void)buf_adds(&text, "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
	for (; *mounts; mounts++) {
		auto_free char *line = mem_str(*mounts);
		char *rest = line;
		const char *root = strsep(&rest, " ");
		const char *point = strsep(&rest, " ");
		const char *type = strsep(&rest, " ");

		(void)buf_addf(&text, "30 21 0:26 %s %s/%s rw,nosuid shared:9 - %s cgroup %s\n",
			root, r->dir, point, type, rest);
	}
	(void)buf_adds(&text, "99 21 0:5 /odd line without an end\n");
	cgroup_world_finish(&r->world);
	cgroup_world_read(buf_str(&text), own, &r->world);
}

/* Files of the kernel's that lie in a group stand in the way of its removal here, not there. */
static void
destroy(struct cgroup *g, const char *const *dirs)
{
	for (; *dirs; dirs++)
		assert_int_equal(fs_remove_tree(*dirs, NULL), 0);
	cgroup_destroy(g);
}

/* The one group of ours in there. */
static char *
group_dir(const struct rig *r, const char *base)
{
	auto_free char *path = mem_fmt("%s/%s", r->dir, base);
	auto_free char *ours = mem_fmt("nightshift-%d-", getpid());
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;

	assert_non_null(d);
	while ((de = readdir(d)) && !str_starts(de->d_name, ours))
		continue;
	assert_non_null(de);
	return mem_fmt("%s/%s", path, de->d_name);
}

/* ---- worlds ---- */

static void
one_tree_for_all(void **state)
{
	static const char *const mounts[] = { "/ sys cgroup2 rw,nsdelegate", NULL };
	static const char own[] = "0::/system.slice/bot.service/nightshift-bot\n";
	struct rig *r = *state;

	put(r, "sys/system.slice/bot.service/cgroup.subtree_control", "cpu memory pids\n");
	put(r, "sys/system.slice/bot.service/nightshift-bot/cgroup.procs", "");
	read_world(r, mounts, own);
	assert_int_equal(r->world.n, 1);
	assert_true(r->world.v[0].is_v2);
	assert_int_equal(r->world.v[0].keeps, CGROUP_ALL);
	/* Beside the leaf that our own processes are in. */
	assert_true(strlen(r->world.v[0].base) > 11);
	assert_string_equal(r->world.v[0].base + strlen(r->world.v[0].base) - 11, "bot.service");

	struct cgroup *g = cgroup_create(&r->world, &LIMITS);
	auto_free char *dir = group_dir(r, "sys/system.slice/bot.service");
	assert_non_null(g);
	assert_string_equal(cgroup_dir(g), dir);
	assert_true(cgroup_fd(g) >= 0);
	assert_int_equal(cgroup_keeps(g), CGROUP_ALL);
	expect(dir, "memory.max", "1073741824");
	expect(dir, "memory.swap.max", "0");
	expect(dir, "memory.oom.group", "1");
	expect(dir, "pids.max", "512");
	expect(dir, "cpu.max", "150000 100000");
	expect(dir, "cpu.weight", NULL);
	cgroup_yield(g);
	expect(dir, "cpu.weight", "25");
	/* One that was cloned into it need not enter; another one has to. */
	assert_int_equal(cgroup_enter(g, true, NULL), 0);
	expect(dir, "cgroup.procs", "");
	assert_int_equal(cgroup_enter(g, false, NULL), 0);
	expect(dir, "cgroup.procs", "0");
	cgroup_kill(g);
	expect(dir, "cgroup.kill", "1");
	destroy(g, (const char *const[]){ dir, NULL });
	assert_int_equal(access(dir, F_OK), -1);
}

static void
a_tree_for_each(void **state)
{
	static const char *const mounts[] = { "/ pids cgroup rw,pids", "/ memory cgroup rw,memory",
		"/ cpu cgroup rw,cpu,cpuacct", "/ freezer cgroup rw,freezer", NULL };
	static const char own[] = "7:freezer:/\n6:cpu,cpuacct:/svc\n5:memory:/svc/a\n4:pids:/\n";
	struct rig *r = *state;

	put(r, "memory/svc/a/memory.memsw.limit_in_bytes", "");
	put(r, "cpu/svc/tasks", "");
	put(r, "pids/tasks", "");
	put(r, "freezer/tasks", "");
	read_world(r, mounts, own);
	assert_int_equal(r->world.n, 3); /* the freezer is of no use */
	struct cgroup *g = cgroup_create(&r->world, &LIMITS);
	auto_free char *pids = group_dir(r, "pids");
	auto_free char *memory = group_dir(r, "memory/svc/a");
	auto_free char *cpu = group_dir(r, "cpu/svc");
	assert_int_equal(cgroup_keeps(g), CGROUP_ALL);
	assert_int_equal(cgroup_fd(g), -1);
	assert_null(cgroup_dir(g));
	expect(memory, "memory.limit_in_bytes", "1073741824");
	expect(memory, "memory.memsw.limit_in_bytes", "1073741824");
	expect(memory, "memory.swappiness", NULL);
	expect(pids, "pids.max", "512");
	expect(cpu, "cpu.cfs_quota_us", "150000");
	cgroup_yield(g);
	expect(cpu, "cpu.shares", "256");
	assert_int_equal(cgroup_enter(g, true, NULL), 0);
	expect(memory, "tasks", "0");
	expect(pids, "tasks", "0");
	expect(cpu, "tasks", "0");
	cgroup_kill(g); /* nothing to do that with */
	destroy(g, (const char *const[]){ pids, memory, cpu, NULL });
}

static void
some_of_each(void **state)
{
	static const char *const mounts[] = { "/ memory cgroup rw,memory", "/ unified cgroup2 rw",
		"/ pids cgroup rw,pids", NULL };
	struct rig *r = *state;

	put(r, "unified/cgroup.subtree_control", "hugetlb pids\n");
	put(r, "memory/tasks", "");
	put(r, "pids/tasks", "");
	read_world(r, mounts, "0::/\n3:memory:/\n2:pids:/\n");
	assert_int_equal(r->world.n, 2);
	assert_true(r->world.v[0].is_v2);
	assert_int_equal(r->world.v[0].keeps, CGROUP_PROCS);
	assert_int_equal(r->world.v[1].keeps, CGROUP_MEMORY);
	struct cgroup *g = cgroup_create(&r->world, &LIMITS);
	auto_free char *v2 = group_dir(r, "unified");
	auto_free char *v1 = group_dir(r, "memory");
	assert_int_equal(cgroup_keeps(g), CGROUP_PROCS | CGROUP_MEMORY);
	assert_string_equal(cgroup_dir(g), v2);
	expect(v1, "memory.swappiness", "0"); /* no limit of swap there */
	expect(v2, "memory.max", NULL);
	assert_int_equal(cgroup_enter(g, true, NULL), 0);
	expect(v1, "tasks", "0");
	expect(v2, "cgroup.procs", "");
	destroy(g, (const char *const[]){ v2, v1, NULL });
}

/* A container sees its own part of the hierarchy; what it may not write is of no use. */
static void
part_of_a_tree(void **state)
{
	static const char *const mounts[] = { "/docker/abc sys cgroup2 rw", NULL };
	struct rig *r = *state;

	put(r, "sys/cgroup.subtree_control", "memory\n");
	read_world(r, mounts, "0::/docker/abc\n");
	assert_int_equal(r->world.n, 1);
	assert_int_equal(r->world.v[0].keeps, CGROUP_MEMORY);
	read_world(r, mounts, "0::/docker/abcd\n");
	assert_int_equal(r->world.n, 0);
	read_world(r, mounts, "0::/../elsewhere\n");
	assert_int_equal(r->world.n, 0);
	read_world(r, mounts, "0::/docker/abc/gone\n");
	assert_int_equal(r->world.n, 0);
}

static void
nothing(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const other[] = { "/ sys tmpfs rw", "/ sys cgroup rw,name=systemd",
		NULL };
	struct rig *r = *state;
	struct cgroup_facts facts;

	read_world(r, none, "0::/\n");
	assert_int_equal(r->world.n, 0);
	read_world(r, other, "1:name=systemd:/\n\nnonsense\n:\n::\n");
	assert_int_equal(r->world.n, 0);
	assert_null(cgroup_create(&r->world, &LIMITS));
	assert_int_equal(cgroup_keeps(NULL), 0);
	assert_int_equal(cgroup_fd(NULL), -1);
	assert_int_equal(cgroup_enter(NULL, false, NULL), 0);
	cgroup_yield(NULL);
	cgroup_kill(NULL);
	cgroup_look(NULL, &facts);
	assert_int_equal(facts.oom_kills, 0);
	assert_int_equal(facts.cpu_us, -1);
	cgroup_destroy(NULL);
}

/* ---- a group ---- */

static void
no_limit_is_none(void **state)
{
	static const char *const mounts[] = { "/ sys cgroup2 rw", NULL };
	struct rig *r = *state;

	put(r, "sys/cgroup.subtree_control", "cpu memory pids\n");
	read_world(r, mounts, "0::/\n");
	struct cgroup *g = cgroup_create(&r->world, &(struct cgroup_limits){ 0 });
	assert_non_null(g);
	auto_free char *dir = mem_str(cgroup_dir(g));
	expect(dir, "memory.max", NULL);
	expect(dir, "pids.max", NULL);
	expect(dir, "cpu.max", NULL);
	destroy(g, (const char *const[]){ dir, NULL });
	/* A quota below what the kernel takes is the least that it takes. */
	g = cgroup_create(&r->world, &(struct cgroup_limits){ .cpu_milli_max = 1 });
	mem_set(&dir, cgroup_dir(g));
	expect(dir, "cpu.max", "1000 100000");
	destroy(g, (const char *const[]){ dir, NULL });
}

static void
what_happened_in_it_is_told(void **state)
{
	static const struct {
		const char *name;
		bool is_v2;
		const char *file;
		const char *text;
		struct cgroup_facts facts;
	} rows[] = {
		{ "v2 memory", true, "memory.events",
			"low 0\nhigh 0\nmax 31\noom 2\noom_kill 5\noom_group_kill 1\n",
			{ 5, 0, -1 } },
		{ "v2 processes", true, "pids.events", "max 7\n", { 0, 7, -1 } },
		{ "v2 CPU", true, "cpu.stat", "usage_usec 1234\nuser_usec 1000\n", { 0, 0, 1234 } },
		{ "v1 memory", false, "memory.oom_control",
			"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", { 1, 0, -1 } },
		{ "v1 CPU", false, "cpuacct.usage", "5000000\n", { 0, 0, 5000 } },
		{ "a file of another kind", true, "memory.events", "oom_kills 5\n", { 0, 0, -1 } },
	};
	static const char *const v2[] = { "/ sys cgroup2 rw", NULL };
	static const char *const v1[] = { "/ sys cgroup rw,memory,pids,cpu", NULL };
	struct rig *r = *state;

	put(r, "sys/cgroup.subtree_control", "cpu memory pids\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cgroup_facts facts;

		read_world(r, rows[i].is_v2 ? v2 : v1,
			rows[i].is_v2 ? "0::/\n" : "1:memory,pids,cpu:/\n");
		struct cgroup *g = cgroup_create(&r->world, &LIMITS);
		assert_non_null(g);
		auto_free char *dir = group_dir(r, "sys");
		auto_free char *file = mem_fmt("%s/%s", dir + strlen(r->dir) + 1, rows[i].file);
		put(r, file, rows[i].text);
		cgroup_look(g, &facts);
		if (memcmp(&facts, &rows[i].facts, sizeof(facts)) != 0)
			fail_msg("%s: %lld killed, %lld refused, %lld us", rows[i].name,
				(long long)facts.oom_kills, (long long)facts.procs_refused,
				(long long)facts.cpu_us);
		destroy(g, (const char *const[]){ dir, NULL });
	}
}

/* ---- ours and others' ---- */

static void
controllers_are_switched_on(void **state)
{
	struct rig *r = *state;
	auto_free char *dir = mem_fmt("%s/svc", r->dir);

	put(r, "svc/cgroup.controllers", "cpuset cpu io memory pids\n");
	put(r, "svc/cgroup.subtree_control", "");
	put(r, "svc/cgroup.procs", "");
	assert_int_equal(cgroup_claim_in(dir, NULL), 0);
	expect(dir, "cgroup.subtree_control", "+cpu"); /* the last word; this is no kernel */
	expect(dir, "nightshift-bot", NULL);           /* nobody was in the way */
	/* Without a controller there is nothing to win. */
	put(r, "svc/cgroup.controllers", "hugetlb\n");
	put(r, "svc/cgroup.subtree_control", "");
	assert_int_equal(cgroup_claim_in(dir, NULL), 0);
	expect(dir, "cgroup.subtree_control", "");
}

/* A control file that cannot be written stands for a kernel that refuses. */
static void
a_refusal_leaves_all_as_it_was(void **state)
{
	struct rig *r = *state;
	auto_free char *dir = mem_fmt("%s/svc", r->dir);
	auto_free char *control = mem_fmt("%s/cgroup.subtree_control", dir);
	struct err e = { 0 };

	put(r, "svc/cgroup.controllers", "memory pids\n");
	assert_int_equal(mkdir(control, 0755), 0);
	put(r, "svc/cgroup.procs", "");
	assert_true(cgroup_claim_in(dir, &e) < 0);
	assert_non_null(strstr(e.text, "cgroup."));
	expect(dir, "nightshift-bot", NULL);
}

static void
leftovers_of_the_dead_go(void **state)
{
	static const char *const mounts[] = { "/ sys cgroup2 rw", "/ memory cgroup rw,memory",
		NULL };
	struct rig *r = *state;
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	pid_t zombie = fork();

	if (zombie == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)zombie, NULL, WEXITED | WNOWAIT), 0);
	uint64_t started = procs_started(getpid());
	auto_free char *dead =
		mem_fmt("%s/memory/nightshift-%d-%" PRIu64 "-1", r->dir, gone, started);
	auto_free char *unwaited =
		mem_fmt("%s/memory/nightshift-%d-%" PRIu64 "-1", r->dir, zombie, started);
	auto_free char *namesake =
		mem_fmt("%s/memory/nightshift-%d-%" PRIu64 "-1", r->dir, getpid(), started - 1);
	auto_free char *alive =
		mem_fmt("%s/memory/nightshift-%d-%" PRIu64 "-99", r->dir, getpid(), started);
	auto_free char *other = mem_fmt("%s/memory/nightshift-bot", r->dir);
	auto_free char *odd =
		mem_fmt("%s/memory/nightshift-%dx-%" PRIu64 "-1", r->dir, gone, started);
	put(r, "sys/cgroup.subtree_control", "pids\n");
	put(r, "memory/tasks", "");
	read_world(r, mounts, "0::/\n1:memory:/\n");
	assert_int_equal(r->world.n, 2);
	const char *const gone_dirs[] = { dead, unwaited, namesake };
	const char *const kept_dirs[] = { alive, other, odd };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mkdir(gone_dirs[i], 0755), 0);
		assert_int_equal(mkdir(kept_dirs[i], 0755), 0);
	}
	assert_true(cgroup_sweep(&r->world, 0));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(access(gone_dirs[i], F_OK), -1);
		assert_int_equal(access(kept_dirs[i], F_OK), 0);
	}
	assert_int_equal(waitpid(zombie, NULL, 0), zombie);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_tree_for_all),
		TEST(a_tree_for_each),
		TEST(some_of_each),
		TEST(part_of_a_tree),
		TEST(nothing),
		TEST(no_limit_is_none),
		TEST(what_happened_in_it_is_told),
		TEST(controllers_are_switched_on),
		TEST(a_refusal_leaves_all_as_it_was),
		TEST(leftovers_of_the_dead_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
