/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_case - see forge_case.h.
 */
#include "tests/unit/bot/forge_case.h"

#include "base/limits.h"
#include "base/mem.h"
#include "bot/courier_etag.h"
#include "tests/unit/base/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define RUN_MS_MAX 60000

/* The value of a header, and its length in *n. */
static const char *
header(const char *raw, const char *name, int *n)
{
	const char *at = strcasestr(raw, name);

	at = at ? at + strlen(name) : "";
	*n = (int)strcspn(at, "\r");
	return at;
}

static void
record(struct forge_script *s, const char *raw)
{
	const char *body = strstr(raw, "\r\n\r\n") + 4;
	int target = (int)(strcspn(raw, " ") + 1 + strcspn(strchr(raw, ' ') + 1, " "));
	int auth_n, etag_n;
	const char *auth = header(raw, "\r\nAuthorization: ", &auth_n);
	const char *etag = header(raw, "\r\nIf-None-Match: ", &etag_n);

	strs_addf(&s->requests, "%.*s %.*s %.*s%s", target, raw, auth_n, auth, etag_n, etag, body);
}

static enum http_server_next
serve(void *ctx, const char *raw, struct buf *out)
{
	struct forge_script *s = ctx;
	const char *body;

	record(s, raw);
	for (struct forge_line *line = s->lines; line->to; line++) {
		if (line->times < 0 || !str_starts(raw, line->to))
			continue;
		if (line->times > 0 && --line->times == 0)
			line->times = -1;
		if (str_eq(line->reply, "drop"))
			return SERVER_CLOSE;
		if (str_eq(line->reply, "hold"))
			return SERVER_SILENT;
		body = strpbrk(line->reply, "[{");
		(void)buf_addf(out, "HTTP/1.1 %.3s x\r\n", line->reply);
		if (body > line->reply + 4)
			(void)buf_add(out, line->reply + 4, (size_t)(body - line->reply - 5));
		(void)buf_addf(out, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
		return SERVER_KEEP;
	}
	print_error("unexpected: %.*s\n", (int)strcspn(raw, "\r"), raw);
	(void)buf_adds(out, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n");
	return SERVER_KEEP;
}

void
forge_script_init(struct forge_script *s, struct loop *l, const struct forge_line *script)
{
	*s = (struct forge_script){ 0 };
	for (size_t i = 0; script[i].to; i++)
		s->lines[i] = script[i];
	s->server = http_server_create(l, serve, s);
}

void
forge_script_finish(struct forge_script *s)
{
	http_server_destroy(s->server);
	strs_finish(&s->requests);
}

char *
forge_script_url(const struct forge_script *s)
{
	return mem_fmt("http://127.0.0.1:%d", http_server_port(s->server));
}

static void
keep(void *ctx, struct msg_link *link, struct msg *m)
{
	struct forge_case *f = ctx;
	const struct wire_verdict v = { .ok = !f->keeper_refuses };
	auto_free char *secret =
		mem_fmt("%s-%d", m->type == WIRE_SIGN_JWT ? "jwt" : "pat", ++f->keeper_asked);
	const struct msg_out out = {
		.type = WIRE_SECRET, .obj = &v, .blob = secret, .blob_len = strlen(secret)
	};

	assert_true(m->type == WIRE_SIGN_JWT || m->type == WIRE_TOKEN);
	if (m->type == WIRE_SIGN_JWT)
		f->signed_skew_ms = ((const struct wire_sign *)m->obj)->skew_ms;
	assert_int_equal(msg_reply(link, m->id, &out, NULL), 0);
}

static struct msg_link *
link_make(struct forge_case *f, enum role self, enum role peer)
{
	const struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = self,
		.peer = peer,
		.on_msg = keep,
		.ctx = f,
	};

	return msg_link_create(f->loop, &spec);
}

void
forge_case_init(struct forge_case *f, bool app, const struct forge_line *script)
{
	int fds[2];

	*f = (struct forge_case){ 0 };
	assert_int_equal(loop_create(&f->loop, NULL), 0);
	f->role.loop = f->loop;
	f->role.links[ROLE_KEEPER] = link_make(f, ROLE_COURIER, ROLE_KEEPER);
	f->keeper = link_make(f, ROLE_KEEPER, ROLE_COURIER);
	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(f->role.links[ROLE_KEEPER], fds[0], NULL), 0);
	assert_int_equal(msg_link_attach(f->keeper, fds[1], NULL), 0);
	forge_script_init(&f->script, f->loop, script);
	f->courier.role = &f->role;
	assert_int_equal(http_create(f->loop, &f->courier.http, NULL), 0);
	f->forge = mem_zero(sizeof(*f->forge));
	f->forge->app_id = app ? 7 : 0;
	f->forge->is_configured = true;
	f->forge->conf.kind = app ? FORGE_GITHUB : FORGE_GITEA;
	f->forge->conf.name = "forge";
	f->forge->conf.url = f->forge->conf.api_url = forge_script_url(&f->script);
	f->forge->driver = forge_driver_get(f->forge->conf.kind);
	f->forge->bot_user = mem_str("bot");
	f->forge->bot_user_id = 99;
	f->courier.forges = f->forge;
}

void
forge_case_finish(struct forge_case *f)
{
	http_destroy(f->courier.http);
	courier_auth_destroy(&f->courier);
	courier_budgets_destroy(&f->courier);
	etags_destroy(f->courier.etags);
	forge_script_finish(&f->script);
	msg_link_destroy(f->role.links[ROLE_KEEPER]);
	msg_link_destroy(f->keeper);
	loop_destroy(f->loop);
	free((char *)(uintptr_t)f->forge->conf.api_url);
	free(f->forge->bot_user);
	free(f->forge);
	forge_answer_finish(&f->answer);
}

void
forge_case_answered(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct forge_case *f = ctx;

	f->answers++;
	f->rc = rc;
	forge_answer_finish(&f->answer);
	f->answer = *a;
	*a = (struct forge_answer){ 0 };
	f->e = e ? *e : (struct err){ 0 };
	loop_stop(f->loop);
}

static void
too_late(void *ctx)
{
	(void)ctx;
	fail_msg("no answer within %d ms", RUN_MS_MAX);
}

void
forge_case_run(struct forge_case *f, int n)
{
	struct loop_timer *t = loop_timer_add(f->loop, RUN_MS_MAX, too_late, f);

	while (f->answers < n)
		assert_int_equal(loop_run(f->loop, NULL), 0);
	loop_timer_remove(t);
}

size_t
forge_case_count(const struct forge_case *f, const char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < f->script.requests.n; i++)
		n += str_starts(f->script.requests.v[i], to);
	return n;
}
