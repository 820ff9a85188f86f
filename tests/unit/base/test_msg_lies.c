/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/msg: a liar who writes frames by hand is cut off, whatever he says.
 */
#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/msg_frame.h"

#include "tests/unit/base/msg_ends.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Another table of the same shape: its bytes must not pass for a note's. */
static const struct row other_rows[] = {
	ROW_I(struct note, number, "price"),
	ROW_S(struct note, text, "text", 100),
	ROW_DONE,
};

struct lie {
	struct msg_header h;
	const void *data;
	size_t len;
	int fds[8];
	size_t n_fds;
};

static void
raw_send(int fd, const struct lie *lie)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
	} control = { .bytes = { 0 } };
	struct msg_header h = lie->h;
	auto_free void *copy = lie->len ? mem_dup(lie->data, lie->len) : NULL;
	struct iovec iov[2] = { { &h, sizeof(h) }, { copy, lie->len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (lie->n_fds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * lie->n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * lie->n_fds);
		memcpy(CMSG_DATA(c), lie->fds, sizeof(int) * lie->n_fds);
	}
	assert_true(sendmsg(fd, &m, 0) > 0);
}

/* The liar is role A, the receiver B. */
static void
is_cut_off(struct fixture *f, const struct lie *lie)
{
	int fds[2];
	int gone = f->b.gone;
	char c;

	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(f->b.link, fds[1], NULL), 0);
	raw_send(fds[0], lie);
	ends_run(f);
	assert_int_equal(f->b.gone, gone + 1);
	assert_false(msg_link_is_up(f->b.link));
	assert_int_equal(recv(fds[0], &c, 1, 0), 0); /* the liar sees the end */
	assert_string_equal(f->b.seen, "");
	(void)close(fds[0]);
}

static void
pack(const struct row *rows, struct buf *out)
{
	char text[] = "x";
	struct note note = { .number = 1, .text = text };

	assert_int_equal(row_pack(rows, &note, out, NULL), 0);
}

static void
lies_cut_the_peer_off(void **state)
{
	struct fixture *f = *state;
	auto_buf struct buf good = BUF_INIT(1000);
	auto_buf struct buf other = BUF_INIT(1000);

	pack(note_rows, &good);
	pack(other_rows, &other);
	uint32_t len = (uint32_t)good.len;
	const struct {
		const char *name;
		struct lie lie;
	} rows[] = {
		{ "a type nobody knows", { .h = { .type = 99 } } },
		{ "a type that only the other direction has",
			{ .h = { .type = ANSWER, .obj_len = len },
				.data = good.data,
				.len = good.len } },
		{ "another table's bytes", { .h = { .type = TELL, .obj_len = (uint32_t)other.len },
						   .data = other.data,
						   .len = other.len } },
		{ "a struct that is cut short", { .h = { .type = TELL, .obj_len = len - 1 },
							.data = good.data,
							.len = good.len - 1 } },
		{ "no struct where there must be one", { .h = { .type = TELL } } },
		{ "a struct where there must be none", { .h = { .type = SECRET, .obj_len = len },
							       .data = good.data,
							       .len = good.len } },
		{ "fewer bytes than said", { .h = { .type = TELL, .obj_len = len + 5 },
						   .data = good.data,
						   .len = good.len } },
		{ "more bytes than said", { .h = { .type = TELL, .obj_len = len - 1 },
						  .data = good.data,
						  .len = good.len } },
		{ "a blob where there must be none", { .h = { .type = SECRET, .blob_len = len },
							     .data = good.data,
							     .len = good.len } },
		{ "a blob over the size",
			{ .h = { .type = BLOB, .blob_len = MIB(20) + 1, .in_memfd = 1 } } },
		{ "a large blob without its memfd",
			{ .h = { .type = BLOB, .blob_len = MIB(1), .in_memfd = 1 } } },
		{ "a kind that is none", { .h = { .type = TELL, .kind = 7, .obj_len = len },
						 .data = good.data,
						 .len = good.len } },
		{ "a call without an id",
			{ .h = { .type = ASK, .kind = MSG_KIND_CALL, .obj_len = len },
				.data = good.data,
				.len = good.len } },
		{ "descriptors where there must be none", { .h = { .type = TELL, .obj_len = len },
								  .data = good.data,
								  .len = good.len,
								  .fds = { 0 },
								  .n_fds = 1 } },
		{ "more descriptors than the rule",
			{ .h = { .type = HANDLE }, .fds = { 0, 1, 2 }, .n_fds = 3 } },
		{ "more descriptors than any rule", { .h = { .type = HANDLE },
							    .fds = { 0, 1, 2, 0, 1, 2, 0, 1 },
							    .n_fds = 8 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].name);
		is_cut_off(f, &rows[i].lie);
	}
}

static void
half_a_header_cuts_off(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(f->b.link, fds[1], NULL), 0);
	assert_int_equal(send(fds[0], "abc", 3, 0), 3);
	ends_run(f);
	assert_int_equal(f->b.gone, 1);
	(void)close(fds[0]);
}

static int
memfd_of(size_t size, int seals)
{
	int fd = memfd_create("lie", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
a_memfd_must_be_sealed_and_of_the_said_size(void **state)
{
	struct fixture *f = *state;
	const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const struct {
		size_t size;
		int seals;
	} rows[] = {
		{ MIB(1), 0 },
		{ MIB(1), all & ~F_SEAL_WRITE },
		{ MIB(1), all & ~F_SEAL_SHRINK },
		{ MIB(1), all & ~F_SEAL_SEAL },
		{ MIB(1) - 1, all },
		{ MIB(1) + 1, all },
		{ 0, all },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_fd int fd = memfd_of(rows[i].size, rows[i].seals);
		struct lie lie = { .h = { .type = BLOB, .blob_len = MIB(1), .in_memfd = 1 },
			.fds = { fd },
			.n_fds = 1 };

		is_cut_off(f, &lie);
	}
	/* A file on disk has no seals, and a pipe no size. */
	auto_fd int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct lie lie = { .h = { .type = BLOB, .blob_len = MIB(1), .in_memfd = 1 },
		.fds = { file },
		.n_fds = 1 };
	is_cut_off(f, &lie);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
		T(lies_cut_the_peer_off),
		T(half_a_header_cuts_off),
		T(a_memfd_must_be_sealed_and_of_the_said_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
