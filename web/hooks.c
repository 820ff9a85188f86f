/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks - POST /hook/<name>: a delivery comes in.
 *
 * The answer is 401 for what is not signed, 202 for what is signed, wanted or not: GitLab and
 * others switch a hook off that answers 4xx. 503 asks the forge to send it again, 429 an address
 * that was refused too often to stay away (penalty.h).
 */
#include "web/hooks.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "web/penalty.h"

#include <string.h>
#include <strings.h>

#define RETRY_S 5

struct hooks {
	struct site_hook *v;
	size_t n;
	struct site_backend backend;
	struct penalty *refused;
};

struct hooks *
hooks_create(const struct site_hook *v, size_t n, const struct site_backend *backend)
{
	struct hooks *h = mem_zero(sizeof(*h));

	h->v = mem_array(n ? n : 1, sizeof(*v));
	if (n > 0)
		memcpy(h->v, v, n * sizeof(*v));
	h->n = n;
	h->backend = *backend;
	h->refused = penalty_create();
	return h;
}

void
hooks_destroy(struct hooks *h)
{
	if (!h)
		return;
	penalty_destroy(h->refused);
	free(h->v);
	free(h);
}

const struct site_hook *
hooks_get(const struct hooks *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (str_eq(h->v[i].name, name))
			return &h->v[i];
	}
	return NULL;
}

/* Types of media have no case (RFC 9110, 8.3.1). */
static bool
is_form(struct web_exchange *x)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = web_header(x, "Content-Type");

	return type && strncasecmp(type, form, sizeof(form) - 1) == 0;
}

/* The value of the field "payload" of a form; the other fields are passed over. */
static int
form_payload(const struct buf *form, struct buf *out, struct err *e)
{
	static const char field[] = "payload=";
	const char *p = buf_str(form);
	const char *end = p + form->len;

	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t len = amp ? (size_t)(amp - p) : (size_t)(end - p);

		if (len >= sizeof(field) - 1 && memcmp(p, field, sizeof(field) - 1) == 0)
			return str_unpercent(
				out, p + sizeof(field) - 1, len - (sizeof(field) - 1), e);
		p += len + 1;
	}
	return err_set(e, ERR_INVALID, "the form has no field \"payload\"");
}

/* Said once of each in a flood. */
static void
refuse(struct hooks *h, struct web_exchange *x, const char *name, const char *why)
{
	int64_t now_ms = clock_boot_ms();
	int wait_s = penalty_wait_s(h->refused, web_client(x), now_ms);

	if (wait_s > 0) {
		web_reply_wait(x, 429, "too many requests were refused", wait_s);
		return;
	}
	log_warn(NULL, "hook.refused", "hook=%s client=%s why=\"%s\"", name, web_client(x), why);
	if (penalty_note(h->refused, web_client(x), now_ms))
		log_warn(NULL, "hook.flood", "client=%s", web_client(x));
	web_reply_text(x, 401, "the signature is missing or wrong");
}

static const char *
header_or_empty(struct web_exchange *x, const char *name)
{
	const char *value = name ? web_header(x, name) : NULL;

	return value ? value : "";
}

/* False: there is none. */
static bool
read_proofs(const struct site_hook *hook, struct web_exchange *x, struct strs *out)
{
	bool is_any = false;

	for (size_t i = 0; hook->proof_headers[i]; i++) {
		const char *value = header_or_empty(x, hook->proof_headers[i]);

		strs_add(out, strlen(value) <= LIMIT_PROOF_BYTES ? value : "");
		is_any |= !str_is_empty(out->v[i]);
	}
	return is_any;
}

/* What the forge calls this delivery, each time it sends it. */
static const char *
guid_of(const struct site_hook *hook, struct web_exchange *x)
{
	const char *guid = "";

	for (size_t i = 0; hook->guid_headers[i] && str_is_empty(guid); i++)
		guid = header_or_empty(x, hook->guid_headers[i]);
	return guid;
}

/* Who has a signature is always heard, for others may share the address. */
int
hooks_wait_s(struct hooks *h, struct web_exchange *x, const char *name)
{
	const struct site_hook *hook = hooks_get(h, name);
	auto_strs struct strs proofs = { 0 };

	if (hook && read_proofs(hook, x, &proofs))
		return 0;
	return penalty_wait_s(h->refused, web_client(x), clock_boot_ms());
}

void
hooks_handle(struct hooks *h, struct web_exchange *x, const char *name)
{
	const struct site_hook *hook = hooks_get(h, name);
	auto_buf struct buf json = BUF_INIT(LIMIT_DELIVERY_BYTES);
	const struct buf *signed_bytes = web_body(x);
	auto_strs struct strs proofs = { 0 };
	struct err e = { 0 };

	if (!hook) {
		web_reply_text(x, 404, "no forge of that name is configured");
		return;
	}
	if (!read_proofs(hook, x, &proofs)) {
		refuse(h, x, name, "no signature");
		return;
	}
	if (hook->form_signs_json && is_form(x)) {
		if (form_payload(web_body(x), &json, &e) < 0) {
			refuse(h, x, name, e.text);
			return;
		}
		signed_bytes = &json;
	}
	h->backend.verify(h->backend.ctx, x, hook->name, &proofs, signed_bytes);
}

static void
store(struct hooks *h, struct web_exchange *x, const struct site_hook *hook, const struct buf *json)
{
	const struct site_delivery d = {
		.forge = hook->name,
		.guid = guid_of(hook, x),
		.event = header_or_empty(x, hook->event_header),
		.event_type =
			hook->event_type_header ? web_header(x, hook->event_type_header) : NULL,
		.body = json,
	};

	if (str_eq(d.event, "ping")) {
		log_info(NULL, "hook.ping", "hook=%s", hook->name);
		web_reply_text(x, 202, "pong");
		return;
	}
	h->backend.store(h->backend.ctx, x, &d);
}

void
hooks_verified(struct hooks *h, struct web_exchange *x, const char *name, int code)
{
	const struct site_hook *hook = hooks_get(h, name);
	auto_buf struct buf json = BUF_INIT(LIMIT_DELIVERY_BYTES);
	struct err e = { 0 };

	if (code == ERR_DENIED || !hook) {
		refuse(h, x, name, "wrong signature");
		return;
	}
	if (code == ERR_INVALID) {
		log_warn(NULL, "hook.stale",
			"hook=%s client=%s hint=\"sent again by somebody, or a clock is wrong\"",
			name, web_client(x));
		web_reply_text(x, 202, "ignored: signed too long ago, or in the future");
		return;
	}
	if (code != 0) {
		struct web_reply r = {
			.status = 503, .body = BUF_INIT(KIB(1)), .retry_after_s = RETRY_S
		};

		(void)buf_adds(&r.body, "the signature cannot be checked now\n");
		web_reply(x, &r);
		return;
	}
	if (!is_form(x)) {
		store(h, x, hook, web_body(x));
		return;
	}
	if (form_payload(web_body(x), &json, &e) < 0) {
		/* Signed, so it is what the forge sent; sending it again would not help. */
		log_err(LOG_LEVEL_WARN, NULL, "hook.form_ignored", &e);
		web_reply_text(x, 202, "ignored: the form has no payload");
		return;
	}
	store(h, x, hook, &json);
}
