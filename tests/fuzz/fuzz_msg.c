/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message from a role that has been taken over: any bytes as a frame on any link of the bot,
 * inline or in a descriptor. The first byte chooses the link, the second the kind of message, the
 * third what is true of the header.
 */
#include "tests/fuzz/fuzz.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/msg_frame.h"
#include "bot/wire.h"

#include <string.h>
#include <sys/socket.h>

enum { HONEST = 1, IN_MEMFD = 2, SWAPPED = 4 };

/* A message that may be said on this link, with lengths that are true. */
static void
be_honest(struct msg_header *h, struct msg_link_spec *spec, uint8_t kind, char *data, size_t size)
{
	const struct msg_rule *rule = &WIRE_RULES[kind % WIRE_RULES_COUNT];
	uint32_t print = rule->rows ? row_fingerprint(rule->rows) : 0;

	spec->peer = (unsigned)__builtin_ctz(rule->from);
	spec->self = (unsigned)__builtin_ctz(rule->to);
	h->type = rule->type;
	h->kind %= MSG_KIND_COUNT;
	h->id = h->kind == MSG_KIND_SEND ? 0 : h->id | 1;
	h->obj_len = !rule->rows      ? 0
		     : rule->blob_max ? h->obj_len % (uint32_t)(size + 1)
				      : (uint32_t)size;
	h->blob_len = size - h->obj_len;
	if (rule->rows && h->obj_len >= sizeof(print)) {
		/* As row_pack begins. */
		for (size_t i = 0; i < sizeof(print); i++)
			data[i] = (char)(print >> 8 * i);
	}
}

/* As msg.c does with what has passed. */
static void
unpack(const struct msg_rule *rule, const struct msg_in *in)
{
	if (!rule || !rule->rows)
		return;
	auto_free void *obj = mem_zero(rule->size);
	if (row_unpack(rule->rows, obj, in->data, in->header.obj_len, NULL) == 0)
		row_finish(rule->rows, obj);
}

static void
receive(int fd, const struct msg_link_spec *spec)
{
	static struct msg_in in[MSG_FRAMES_AT_ONCE];
	int n = msg_in_receive(fd, in, NULL);

	for (int i = 0; i < n; i++) {
		if (msg_in_check(&in[i], spec, NULL) == 0) {
			assert(in[i].n_fds <= MSG_FDS_MAX);
			unpack(msg_rule_find(spec, in[i].header.type), &in[i]);
		}
		msg_in_finish(&in[i]);
	}
}

static void
send_frame(int fd, const void *data, size_t len, int passed)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec v = { (void *)(uintptr_t)data, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (passed >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&control.head), &passed, sizeof(int));
	}
	(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_header header = { 0 };
	auto_buf struct buf frame = BUF_INIT(1 << 20);
	auto_fd int memfd = -1;
	int pair[2];

	if (size < 3 + sizeof(header))
		return 0;
	const struct wire_pair *roles = &WIRE_PAIRS[data[0] % WIRE_PAIRS_COUNT];
	uint8_t how = data[2], kind = data[1];
	struct msg_link_spec spec = {
		.rules = WIRE_RULES, .n_rules = WIRE_RULES_COUNT, .self = roles->a, .peer = roles->b
	};
	data += 3;
	size -= 3;
	memcpy(&header, data, sizeof(header));
	size -= sizeof(header);
	auto_free char *body = mem_array(size + 1, 1);
	memcpy(body, data + sizeof(header), size);
	if (how & SWAPPED) {
		spec.self = roles->b;
		spec.peer = roles->a;
	}
	if (how & HONEST) {
		be_honest(&header, &spec, kind, body, size);
		header.in_memfd = !!(how & IN_MEMFD);
	}
	if (how & IN_MEMFD && fs_memfd("fuzz", body, size, &memfd, NULL) < 0)
		return 0;
	(void)buf_add(&frame, &header, sizeof(header));
	if (!(how & IN_MEMFD))
		(void)buf_add(&frame, body, size);
	int rc = msg_pair(pair, NULL);
	assert(rc == 0);
	send_frame(pair[0], frame.data, frame.len, memfd);
	receive(pair[1], &spec);
	clean_fd(&pair[0]);
	clean_fd(&pair[1]);
	return 0;
}
