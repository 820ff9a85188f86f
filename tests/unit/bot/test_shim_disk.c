/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk of an attempt: its own as root, a watched directory without.
 */
#include "own_tmp.h"
#include "shim_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/shim.h"
#include "sandbox/disk.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DISK_BYTES MIB(64)

/* What the kernel says about loop devices whose file is the shim's. */
static bool
has_loop(const struct shim_rig *c)
{
	bool found = false;

	for (int i = 0; i < 256; i++) {
		auto_free char *path = mem_fmt("/sys/block/loop%d/loop/backing_file", i);
		auto_buf struct buf text = BUF_INIT(4096);

		if (fs_read(path, &text, NULL) == 0)
			found |= strstr(buf_str(&text), c->dir) != NULL;
	}
	return found;
}

static int given_fd = -1; /* the last disk that was given */

/* As root the shim gets an empty disk, as from the runner. */
static bool
give_disk(struct shim_rig *c)
{
	auto_fd int blank = -1;
	struct err e = { 0 };

	if (geteuid() != 0)
		return false;
	if (disk_blank(DISK_BYTES, &blank, &e) < 0)
		fail_msg("%s; install e2fsprogs", e.text);
	assert_int_equal(
		msg_send(c->link, &(struct msg_out){ .type = WIRE_DISK, .fds = &blank, .n_fds = 1 },
			NULL),
		0);
	clean_fd(&given_fd);
	given_fd = steal_fd(&blank);
	return true;
}

/* A workspace that is written to the attempt's disk. */
static void
spec(const struct shim_rig *c, struct box_spec *s, const char *name, const char *command)
{
	auto_free char *low = mem_fmt("%s/low", c->dir);
	auto_free char *up = mem_fmt("%s/" SHIM_DISK "/%s", c->dir, name);

	assert_int_equal(fs_mkdirs(low, 0755, NULL), 0);
	shim_rig_shell(s, name, command);
	box_spec_layer(s, BOX_WORKSPACE, up, 0, true);
	box_spec_layer(s, BOX_WORKSPACE, low, (int64_t)geteuid(), false);
	s->disk_bytes_max = DISK_BYTES;
}

/* Of the machine's disk, by this attempt: others write there, too. */
static int64_t
taken(const struct shim_rig *c)
{
	struct fs_size below;
	struct stat st;

	assert_int_equal(fstat(given_fd, &st), 0);
	assert_int_equal(fs_measure(c->dir, 1000, &below, NULL), 0);
	return (int64_t)st.st_blocks * 512 + below.bytes;
}

/* ---- tests ---- */

static void
a_box_works_on_it(void **state)
{
	struct shim_rig *c = *state;
	bool is_own = give_disk(c);
	auto_box_spec struct box_spec first, second;

	spec(c, &first, "agent",
		"mkdir d && echo one >d/file && ln d/file d/same && chmod 0 d && stat -c %U d");
	shim_rig_run(c, &first);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_int_equal(c->done.exit_code, 0);
	assert_non_null(strstr(c->tail, "agent\n"));
	assert_int_equal(has_loop(c), is_own);
	/* The next one finds it below, with the owner that the runner says it has. */
	spec(c, &second, "gate",
		"chmod 700 d && cat d/same && test \"$(stat -c %U d/same)\" = agent");
	auto_free char *written = mem_fmt("%s/" SHIM_DISK "/agent/data", c->dir);
	struct box_layer below = {
		.at = mem_str(BOX_WORKSPACE), .path = mem_str(written), .owner_uid = box_owner(0)
	};
	struct box_layer *low = row_list_add(&second.layers, sizeof(*low));
	*low = ((struct box_layer *)second.layers.v)[1];
	((struct box_layer *)second.layers.v)[1] = below;
	shim_rig_run(c, &second);
	assert_int_equal(c->done.exit_code, 0);
	assert_non_null(strstr(c->tail, "one\n"));
	shim_rig_end(c);
	assert_int_equal(shim_rig_reap(c), 0);
	for (int i = 0; i < 1000 && has_loop(c); i++)
		(void)poll(NULL, 0, 10); /* the kernel lets go of it a moment later */
	assert_false(has_loop(c));
}

/* From outside nothing is to be seen of it, and nothing is left. */
static void
its_size_is_a_limit(void **state)
{
	struct shim_rig *c = *state;
	bool is_own = give_disk(c);
	auto_box_spec struct box_spec s;

	spec(c, &s, "agent",
		is_own ? "head -c 100000000 /dev/zero >big"
		       : "head -c 100000000 /dev/zero >big; sleep 60");
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_DISK);
	assert_string_equal(c->done.text, "its disk of 64 MiB was full");
	if (is_own) {
		assert_non_null(strstr(c->tail, "No space left on device"));
		assert_in_range(taken(c), 1, DISK_BYTES + MIB(32));
	}
	assert_non_null(strstr(c->tail, "== agent: its disk of 64 MiB was full"));
}

static void
so_is_the_number_of_names(void **state)
{
	struct shim_rig *c = *state;
	bool is_own = give_disk(c);
	auto_box_spec struct box_spec s;

	/* 8192 of them; without a disk also in a directory that is closed to us. */
	spec(c, &s, "agent",
		is_own ? "seq 20000 | xargs touch 2>&1 | head -n 1; test -e 8000 && exit 3"
		       : "mkdir d; cd d; (seq 20000 | xargs touch); chmod 0 .; echo made; sleep "
			 "60");
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_DISK);
	assert_true(str_starts(c->done.text, "its disk of 64 MiB was full"));
}

/* A program that fails on a disk that has room failed for itself. */
static void
a_failure_is_not_blamed_on_it(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	(void)give_disk(c);
	spec(c, &s, "agent", "head -c 30000000 /dev/zero >big; exit 4");
	shim_rig_run(c, &s);
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_int_equal(c->done.exit_code, 4);
}

static void
a_full_disk_is_no_failure(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;

	(void)give_disk(c);
	spec(c, &s, "agent", "head -c 100000000 /dev/zero >big; rm -f big; exit 0");
	shim_rig_run(c, &s);
	if (geteuid() != 0 && c->done.ended_by == BOX_END_DISK)
		return; /* it was counted just then */
	assert_int_equal(c->done.ended_by, BOX_END_ITSELF);
	assert_int_equal(c->done.exit_code, 0);
}

static int
begin_small(void **state)
{
	own_tmp_mount("size=96m");
	return shim_rig_setup(state);
}

static int
end_small(void **state)
{
	int rc = shim_rig_teardown(state);

	own_tmp_unmount();
	return rc;
}

/* Whatever its limit is, and whether what it holds has a name. */
static void
the_machine_keeps_room(void **state)
{
	static const char *const takers[] = { "head -c 60000000 /dev/zero >big; sleep 60",
		"exec 3>f; rm f; head -c 60000000 /dev/zero >&3; sleep 60" };
	struct shim_rig *c = *state;

	(void)give_disk(c);
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		auto_box_spec struct box_spec s = { 0 };
		auto_free char *left = mem_fmt("%s/" SHIM_DISK "/agent", c->dir);

		spec(c, &s, "agent", takers[i]);
		s.disk_bytes_max = MIB(1024);
		shim_rig_run(c, &s);
		assert_int_equal(c->done.ended_by, BOX_END_DISK);
		assert_true(str_starts(c->done.text, "the machine's disk is nearly full: "));
		assert_int_equal(fs_remove_tree(left, NULL), 0);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SHIM_TEST(a_box_works_on_it),
		SHIM_TEST(its_size_is_a_limit),
		SHIM_TEST(so_is_the_number_of_names),
		SHIM_TEST(a_failure_is_not_blamed_on_it),
		SHIM_TEST(a_full_disk_is_no_failure),
		/* The last: it leaves this process in another world. */
		cmocka_unit_test_setup_teardown(the_machine_keeps_room, begin_small, end_small),
	};

	return shim_rig_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
