/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msg_frame - one SEQPACKET frame: making it, sending it, and receiving it with distrust.
 */
#include "base/msg_frame.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A packed struct has limits of its own by row; this one only keeps a liar from making us map a
 * terabyte. */
#define OBJ_BYTES_MAX MIB(16)

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

const struct msg_rule *
msg_rule_find(const struct msg_link_spec *spec, uint16_t type)
{
	for (size_t i = 0; i < spec->n_rules; i++) {
		if (spec->rules[i].type == type)
			return &spec->rules[i];
	}
	return NULL;
}

/* ---- out ---- */

/* payload is the packed struct so far. */
static int
take_payload(struct msg_frame *f, struct buf *payload, const struct msg_out *out, struct err *e)
{
	bool is_inline = payload->len + out->blob_len <= MSG_INLINE_BYTES_MAX;

	f->bytes = sizeof(*f) + payload->len + out->blob_len;
	if (is_inline && out->blob_stays)
		f->blob = out->blob;
	else if (buf_add(payload, out->blob, out->blob_len) < 0)
		return err_set(e, ERR_LIMIT, "message of more than %zu bytes", payload->limit);
	if (is_inline) {
		f->inline_data = buf_steal(payload);
		return 0;
	}
	f->header.in_memfd = 1;
	int rc = fs_memfd("msg", payload->data, payload->len, &f->fds[0], e);
	if (rc == 0)
		f->n_fds = 1;
	return rc;
}

static int
take_fds(struct msg_frame *f, const struct msg_out *out, struct err *e)
{
	for (size_t i = 0; i < out->n_fds; i++) {
		int fd = fcntl(out->fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return err_sys(e, "descriptor %d", out->fds[i]);
		f->fds[f->n_fds++] = fd;
	}
	return 0;
}

int
msg_frame_create(const struct msg_rule *rule, const struct msg_out *out, enum msg_kind kind,
	struct msg_frame **frame, struct err *e)
{
	auto_buf struct buf payload = BUF_INIT(OBJ_BYTES_MAX + rule->blob_max);

	assert(out->n_fds <= rule->fds_max && rule->fds_max <= MSG_FDS_MAX);
	assert(!rule->rows == !out->obj);
	if (out->blob_len > rule->blob_max)
		return err_set(e, ERR_LIMIT, "%s: blob of %zu bytes, at most %zu", rule->name,
			out->blob_len, rule->blob_max);
	int rc = rule->rows ? row_pack(rule->rows, out->obj, &payload, e) : 0;
	if (rc < 0)
		return err_wrap(e, rc, "%s", rule->name);
	size_t obj_len = payload.len;
	if (obj_len > OBJ_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "%s: struct of %zu bytes", rule->name, obj_len);

	struct msg_frame *f = mem_zero(sizeof(*f));
	f->header.type = rule->type;
	f->header.kind = (uint8_t)kind;
	f->header.obj_len = (uint32_t)obj_len;
	f->header.blob_len = out->blob_len;
	rc = take_payload(f, &payload, out, e);
	if (rc == 0)
		rc = take_fds(f, out, e);
	if (rc < 0) {
		msg_frame_destroy(f);
		return err_wrap(e, rc, "%s", rule->name);
	}
	*frame = f;
	return 0;
}

static size_t
inline_len(const struct msg_frame *f)
{
	if (!f->inline_data)
		return 0;
	return f->header.obj_len + (f->blob ? 0 : (size_t)f->header.blob_len);
}

void
msg_frame_destroy(struct msg_frame *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_fds; i++)
		(void)close(f->fds[i]);
	/* It may have been a key on its way. */
	mem_wipe(f->inline_data, inline_len(f));
	free(f->inline_data);
	free(f);
}

#define CONTROL_BYTES CMSG_SPACE(sizeof(int) * (MSG_FDS_MAX + 1))

/* A frame as sendmsg wants it. */
struct envelope {
	struct iovec iov[3];
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
};

static void
put_in_envelope(const struct msg_frame *f, struct envelope *v, struct msghdr *m)
{
	v->iov[0] = (struct iovec){ (void *)(uintptr_t)&f->header, sizeof(f->header) };
	v->iov[1] = (struct iovec){ f->inline_data, inline_len(f) };
	v->iov[2] = (struct iovec){ (void *)(uintptr_t)f->blob,
		f->blob ? (size_t)f->header.blob_len : 0 };
	*m = (struct msghdr){ .msg_iov = v->iov, .msg_iovlen = 3 };
	if (f->n_fds == 0)
		return;
	memset(v->control, 0, sizeof(v->control));
	m->msg_control = v->control;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * f->n_fds);
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * f->n_fds);
	memcpy(CMSG_DATA(c), f->fds, sizeof(int) * f->n_fds);
}

int
msg_frames_send(const struct msg_frame *first, int fd, struct err *e)
{
	struct envelope envelopes[MSG_FRAMES_AT_ONCE];
	struct mmsghdr m[MSG_FRAMES_AT_ONCE];
	unsigned n = 0;
	int sent;

	for (const struct msg_frame *f = first; f && n < MSG_FRAMES_AT_ONCE; f = f->next, n++)
		put_in_envelope(f, &envelopes[n], &m[n].msg_hdr);
	do
		sent = sendmmsg(fd, m, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	/* ETOOMANYREFS: too many descriptors are under way; they arrive, then there is room. */
	if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
		return err_set(e, ERR_BUSY, "socket is full");
	return err_sys(e, "sendmmsg");
}

/* ---- in ---- */

static void
collect_fds(struct msghdr *m, struct msg_in *in)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (in->n_fds < MSG_FDS_MAX + 1)
				in->fds[in->n_fds++] = fd;
			else
				(void)close(fd);
		}
	}
}

/* Without the seals the sender could change the bytes after our checks, or cut the file and kill us
 * with SIGBUS. */
static int
map_memfd(struct msg_in *in, size_t len, struct err *e)
{
	struct stat st;

	if (in->n_fds == 0)
		return err_set(e, ERR_PROTOCOL, "no memfd");
	int fd = in->fds[0];
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return err_set(e, ERR_PROTOCOL, "memfd is not sealed");
	if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != len || len == 0)
		return err_set(e, ERR_PROTOCOL, "memfd is not of %zu bytes", len);
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "mmap");
	in->map = p;
	in->map_len = len;
	in->data = p;
	(void)close(fd);
	in->n_fds--;
	memmove(in->fds, in->fds + 1, in->n_fds * sizeof(int));
	return 0;
}

static int
check_header(const struct msg_header *h, const struct msg_link_spec *spec,
	const struct msg_rule *rule, struct err *e)
{
	if (!rule)
		return err_set(e, ERR_PROTOCOL, "unknown type %u", (unsigned)h->type);
	if (!(rule->from & (1u << spec->peer)) || !(rule->to & (1u << spec->self)))
		return err_set(e, ERR_PROTOCOL, "%s: not permitted from role %u to %u", rule->name,
			spec->peer, spec->self);
	if (h->kind >= MSG_KIND_COUNT || h->in_memfd > 1 ||
		(h->kind == MSG_KIND_SEND) != (h->id == 0))
		return err_set(e, ERR_PROTOCOL, "%s: malformed header", rule->name);
	if (h->obj_len > (rule->rows ? (uint32_t)OBJ_BYTES_MAX : 0))
		return err_set(e, ERR_PROTOCOL, "%s: struct of %u bytes", rule->name, h->obj_len);
	if (h->blob_len > rule->blob_max)
		return err_set(e, ERR_PROTOCOL, "%s: blob of %llu bytes, at most %zu", rule->name,
			(unsigned long long)h->blob_len, rule->blob_max);
	return 0;
}

int
msg_in_check(struct msg_in *in, const struct msg_link_spec *spec, struct err *e)
{
	if (in->len == 0)
		return err_set(e, ERR_MISSING, "peer closed");
	if (in->is_cut || in->len < sizeof(in->header))
		return err_set(e, ERR_PROTOCOL, "frame of %zu bytes%s", in->len,
			in->is_cut ? ", truncated" : "");
	const struct msg_rule *rule = msg_rule_find(spec, in->header.type);
	int rc = check_header(&in->header, spec, rule, e);
	if (rc < 0)
		return rc;
	size_t payload = in->header.obj_len + (size_t)in->header.blob_len;
	size_t inlined = in->len - sizeof(in->header);
	if (inlined != (in->header.in_memfd ? 0 : payload))
		return err_set(
			e, ERR_PROTOCOL, "%s: %zu bytes, said %zu", rule->name, inlined, payload);
	if (in->header.in_memfd && (rc = map_memfd(in, payload, e)) < 0)
		return err_wrap(e, rc, "%s", rule->name);
	if (in->n_fds > rule->fds_max)
		return err_set(e, ERR_PROTOCOL, "%s: %zu descriptors, at most %zu", rule->name,
			in->n_fds, rule->fds_max);
	return 0;
}

/* Where frames arrive, of every link of this process: it has one thread and one loop, and what came
 * is dealt with before more is fetched. Pages that no frame reached cost nothing. */
static char arrivals[MSG_FRAMES_AT_ONCE][sizeof(struct msg_header) + MSG_INLINE_BYTES_MAX];

static void
open_frame(struct msg_in *in, const char *data, struct mmsghdr *m)
{
	*in = (struct msg_in){
		.len = m->msg_len,
		.is_cut = m->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC),
		.data = data + sizeof(in->header),
	};
	memcpy(&in->header, data, in->len < sizeof(in->header) ? in->len : sizeof(in->header));
	collect_fds(&m->msg_hdr, in);
}

int
msg_in_receive(int fd, struct msg_in in[MSG_FRAMES_AT_ONCE], struct err *e)
{
	_Alignas(struct cmsghdr) char control[MSG_FRAMES_AT_ONCE][CONTROL_BYTES];
	struct iovec iov[MSG_FRAMES_AT_ONCE];
	struct mmsghdr m[MSG_FRAMES_AT_ONCE];
	int n;

	for (size_t i = 0; i < MSG_FRAMES_AT_ONCE; i++) {
		iov[i] = (struct iovec){ arrivals[i], sizeof(arrivals[i]) };
		m[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	/* ECONNRESET, said once: the peer closed and had not read all. What it said before is there
	 * still, and the end behind it. */
	do
		n = recvmmsg(fd, m, MSG_FRAMES_AT_ONCE, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, NULL);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_sys(e, "recvmmsg");
	for (int i = 0; i < n; i++)
		open_frame(&in[i], arrivals[i], &m[i]);
	return n;
}

void
msg_in_finish(struct msg_in *in)
{
	for (size_t i = 0; i < in->n_fds; i++) {
		if (in->fds[i] >= 0)
			(void)close(in->fds[i]);
	}
	if (in->map)
		(void)munmap(in->map, in->map_len);
	*in = (struct msg_in){ 0 };
}
