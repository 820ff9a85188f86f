/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capped - see capped.h.
 */
#include "sandbox/capped.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
capped_init(struct capped *c, int take_fd, int64_t bytes_max)
{
	*c = (struct capped){ .fd = take_fd, .head_left = bytes_max / 4 };
	buf_init(&c->tail, (size_t)(bytes_max - bytes_max / 4));
}

static void
write_all(struct capped *c, const char *data, size_t len)
{
	while (len > 0 && c->sys == 0) {
		ssize_t n = write(c->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			c->sys = errno;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

/* Drops old lines, a quarter of the room at least, so that the moving costs little per byte. */
static void
make_room(struct capped *c, size_t len)
{
	size_t want = c->tail.limit / 4 > len ? c->tail.limit / 4 : len;
	const char *end;

	if (c->tail.len + len <= c->tail.limit)
		return;
	if (want > c->tail.len)
		want = c->tail.len;
	end = want == 0 ? NULL : memchr(c->tail.data + want - 1, '\n', c->tail.len - want + 1);
	want = end ? (size_t)(end - c->tail.data) + 1 : c->tail.len;
	c->left_out += want;
	buf_drop(&c->tail, want);
}

void
capped_add(struct capped *c, const char *lines, size_t len)
{
	if (!c->is_head_full && (int64_t)len <= c->head_left) {
		write_all(c, lines, len);
		c->head_left -= (int64_t)len;
		return;
	}
	c->is_head_full = true;
	if (len > c->tail.limit) {
		c->left_out += len;
		return;
	}
	make_room(c, len);
	(void)buf_add(&c->tail, lines, len);
}

int
capped_finish(struct capped *c, const char *mark, struct err *e)
{
	int sys;

	if (c->left_out > 0)
		write_all(c, mark, strlen(mark));
	write_all(c, buf_str(&c->tail), c->tail.len);
	buf_finish(&c->tail);
	if (close(c->fd) < 0 && c->sys == 0)
		c->sys = errno;
	c->fd = -1;
	sys = c->sys;
	errno = sys;
	return sys ? err_sys(e, "write the transcript") : 0;
}
