/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder - bytes in, event out, and nothing to lose.
 *
 * JSON and Markdown of strangers are read here: no network, no files, no secrets, little memory,
 * and an alarm that ends the process when one delivery takes too much of a processor: on a busy
 * machine an honest one takes long. The queue counts that as a strike against the delivery and the
 * master starts another decoder.
 */
#include "bot/decoder.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/roles.h"
#include "forge/markdown.h"

#include <assert.h>
#include <sys/resource.h>
#include <sys/time.h>

/* The largest delivery, what jansson makes of JSON_LIMITS_DELIVERY's values, and the event. */
#define DATA_BYTES_MAX MIB(512)

static void
set_alarm(int64_t ms)
{
	const struct itimerval t = {
		.it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 },
	};
	int rc = setitimer(ITIMER_PROF, &t, NULL);

	assert(rc == 0);
}

static int
decode_poll(const struct msg *m, struct forge_event *ev, struct err *e)
{
	int rc = row_unpack(FORGE_EVENT_ROWS, ev, m->blob, m->blob_len, e);

	if (rc == 0 && ev->comment_body)
		markdown_commands(ev->comment_body, &ev->commands);
	return rc;
}

static int
decode(const struct role_ctx *r, const struct msg *m, struct forge_event *ev, struct err *e)
{
	const struct forge_delivery *d = m->obj;
	const struct config_forge *f = config_forge_find(r->config, d->forge ? d->forge : "");
	int kind = f ? forge_kind_parse(f->kind) : -1;

	if (str_eq(d->event, DECODER_POLL_EVENT))
		return decode_poll(m, ev, e);
	if (kind < 0)
		return err_set(e, ERR_INVALID, "no forge of that name is configured");
	return forge_driver_get((enum forge_kind)kind)
		->decode(d, m->blob ? m->blob : "", m->blob_len, ev, e);
}

static void
decoder_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	struct forge_event ev = { 0 };
	struct err e = { 0 };
	auto_buf struct buf packed = BUF_INIT(LIMIT_BLOB_BYTES);

	if (m->type != WIRE_DECODE)
		return;
	set_alarm(LIMIT_DECODE_MS);
	int rc = decode(r, m, &ev, &e);
	if (rc == 0)
		rc = row_pack(FORGE_EVENT_ROWS, &ev, &packed, &e);
	set_alarm(0);

	const struct wire_verdict v = { .ok = rc == 0, .code = rc, .text = rc < 0 ? e.text : NULL };
	const struct msg_out out = { .type = WIRE_EVENT,
		.obj = &v,
		.blob = packed.data,
		.blob_len = rc < 0 ? 0 : packed.len };
	if (msg_reply(role_link(r, from), m->id, &out, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "decoder.unanswered", &e);
	forge_event_finish(&ev);
}

static int
decoder_start(struct role_ctx *r, struct err *e)
{
	struct rlimit data;

	(void)r;
#ifdef __SANITIZE_ADDRESS__ /* its shadow alone is larger */
	(void)data, (void)e;
#else
	if (getrlimit(RLIMIT_DATA, &data) < 0)
		return err_sys(e, "limit memory");
	if (data.rlim_max > DATA_BYTES_MAX)
		data.rlim_max = DATA_BYTES_MAX;
	data.rlim_cur = data.rlim_max;
	if (setrlimit(RLIMIT_DATA, &data) < 0)
		return err_sys(e, "limit memory");
#endif
	return 0;
}

const struct role_spec ROLE_SPEC_DECODER = {
	.role = ROLE_DECODER,
	.net = CONFINE_NET_NONE,
	.start = decoder_start,
	.on_msg = decoder_on_msg,
};
