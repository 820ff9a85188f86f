/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site - what the bot serves: hooks, the task page, health, numbers.
 *
 * The web role holds no secret and no store. What it needs from others it asks through struct
 * site_backend; answers come back through the site_* functions, now or later.
 */
#ifndef WEB_SITE_H
#define WEB_SITE_H

#include "base/loop.h"
#include "base/str.h"
#include "store/task.h"
#include "web/server.h"

/* How one configured forge signs its deliveries. Strings are borrowed. Header names in any case. */
struct site_hook {
	const char *name; /* of POST /hook/<name> */
	const char *event_header;
	const char *event_type_header;    /* may be NULL */
	const char *const *guid_headers;  /* the first that is there counts */
	const char *const *proof_headers; /* both end with NULL */
	bool form_signs_json; /* a form's payload is decoded first and the signature is over the
				 JSON */
};

/* A verified delivery, for the store. */
struct site_delivery {
	const char *forge;
	const char *guid;
	const char *event;
	const char *event_type;
	const struct buf *body; /* JSON */
};

enum site_file { SITE_PAGE, SITE_CAST, SITE_TEXT, SITE_METRICS };

struct site;

/* Each asks another role; the answer goes to the function named beside it, exactly once. */
struct site_backend {
	/* proofs: what proof_headers say, in their order, "" for those that are absent. */
	void (*verify)(void *ctx, struct web_exchange *x, const char *forge,
		const struct strs *proofs, const struct buf *body); /* site_verified */
	void (*store)(
		void *ctx, struct web_exchange *x, const struct site_delivery *d); /* site_stored */
	void (*task)(void *ctx, struct web_exchange *x, const char *page,
		enum site_file what); /* site_task; SITE_METRICS: site_metrics */
	bool (*is_ready)(void *ctx);
	void *ctx;
};

struct site *site_create(
	const struct site_hook *hooks, size_t n_hooks, const struct site_backend *backend);
void site_destroy(struct site *s);

/* For struct web_server_spec; ctx is the site. */
void site_handle(void *ctx, struct web_exchange *x);
int site_wait_s(void *ctx, struct web_exchange *x);
int64_t site_body_max(void *ctx, const char *method, const char *path);

/* code: 0; ERR_DENIED for a wrong signature; ERR_INVALID for a right one that is too old to be
 * acted upon; anything else: could not be checked now. */
void site_verified(struct site *s, struct web_exchange *x, int code);
/* code: 0 once the delivery is durable; the sender is told 202 only then. */
void site_stored(struct site *s, struct web_exchange *x, int code, int64_t delivery);

/* task NULL: no such page. */
struct site_task {
	const struct task *task;
	const struct task_step *steps;
	size_t n_steps;
	const char *issue_url; /* of the issue or pull request, or NULL */
	const char *bytes;     /* the file; for the page the text, none before the attempt's end */
	size_t len;
	int64_t now_ms;
};
void site_metrics(struct site *s, struct web_exchange *x, const char *bytes, size_t len);
void site_task(
	struct site *s, struct web_exchange *x, enum site_file what, const struct site_task *t);

#endif
