/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_forge - asks each forge, with the bot's own credentials, who we are and what we may.
 *
 * The forge drivers build and read; here is only the loop that sends, one request at a time.
 */
#include "bot/check.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "forge/forge.h"
#include "forge/retry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ASK_MS_MAX  15000
#define STEPS_MAX   10
#define REPOS_MAX   10
#define SECRET_MAX  KIB(64)
#define SKEW_MS_MAX 30000 /* a JWT is backdated by a minute, and half of that is other people's */

struct asker {
	struct check_report *report;
	const struct config_forge *f;
	const struct forge_driver *driver;
	struct forge_conf conf;
	struct loop *loop;
	struct http *http;
	struct buf secret; /* a token or a private key */
	struct crypto_key *key;
	char *name;     /* "forges.gh" */
	char *hook_url; /* where its deliveries go; NULL: none are wanted */
	/* of the last reply */
	struct http_reply reply;
	struct err why;
	/* of all replies to whoami */
	struct forge_lacks lacks;
	int64_t skew_ms;   /* the forge's clock is that much ahead of ours */
	bool blames_clock; /* it refused a JWT for that */
};

static void
on_reply(void *ctx, struct http_reply *r, const struct err *why)
{
	struct asker *a = ctx;

	http_reply_finish(&a->reply);
	a->reply = *r;
	*r = (struct http_reply){ 0 };
	if (why)
		a->why = *why;
	loop_stop(a->loop);
}

static int
add_auth(const struct asker *a, const struct forge_op *op, struct buf *out, struct err *e)
{
	enum forge_auth kind = forge_auth_of(a->driver, op);
	auto_buf struct buf jwt = BUF_INIT(KIB(8));
	auto_buf struct buf claims = BUF_INIT(KIB(1));
	int rc;

	if (kind == FORGE_AUTH_TOKEN)
		a->driver->auth_value(buf_str(&a->secret), false, out);
	if (kind != FORGE_AUTH_JWT)
		return 0;
	rc = a->driver->app_claims(
		a->f->app_id, clock_wall_ms() + (a->blames_clock ? a->skew_ms : 0), &claims);
	if (rc == 0)
		rc = crypto_jwt(a->key, buf_str(&claims), &jwt, e);
	if (rc == 0)
		a->driver->auth_value(buf_str(&jwt), true, out);
	return rc;
}

/* One request and its reply, in a->reply. */
static int
exchange(struct asker *a, const struct forge_op *op, struct err *e)
{
	struct http_request q = { .follow = true, .timeout_ms = ASK_MS_MAX };
	auto_buf struct buf auth = BUF_INIT(SECRET_MAX);
	int rc = forge_build(a->driver, &a->conf, op, &q, e);

	if (rc == 0)
		rc = add_auth(a, op, &auth, e);
	if (rc < 0) {
		http_request_finish(&q);
		return rc;
	}
	if (auth.len)
		q.auth = buf_steal(&auth);
	a->why = (struct err){ 0 };
	(void)http_send(a->http, &q, on_reply, a);
	return loop_run(a->loop, e);
}

/* The whole operation. e has the transport's own words if there was no reply. */
static int
ask(struct asker *a, struct forge_op *op, struct forge_answer *out, void (*look)(struct asker *),
	struct err *e)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		int rc = exchange(a, op, e);

		if (rc < 0)
			return rc;
		if (look)
			look(a);
		rc = forge_read(a->driver, &a->conf, op, &a->reply, out, e);
		if (rc < 0 && a->reply.status == 0 && a->why.code)
			return err_set(e, rc, "%s", a->why.text);
		if (rc <= 0)
			return rc;
	}
	return err_set(e, ERR_LIMIT, "more than %d requests", STEPS_MAX);
}

/* Keeps what replies to whoami say beside the user: the credential's rights, and the time. */
static void
look_at_whoami(struct asker *a)
{
	const char *date = http_reply_header(&a->reply, "date");
	int64_t there = date ? retry_http_date_ms(date) : 0;

	if (there)
		a->skew_ms = there - clock_wall_ms();
	if (a->driver->lacks)
		a->driver->lacks(&a->reply, &a->lacks);
	if (a->key && a->driver->app_refused_time(&a->reply))
		a->blames_clock = true;
}

static int
exit_of(int rc)
{
	return rc == ERR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
}

static const char *
mend_of(const struct asker *a, int rc)
{
	if (rc == ERR_DENIED && a->key && !a->blames_clock)
		return "compare app_id and the private key with the App's page on the forge";
	if (rc == ERR_DENIED && a->key)
		return "set this machine's clock (NTP)";
	if (rc == ERR_DENIED)
		return "make a new token; this one is wrong, expired or withdrawn";
	if (rc == ERR_MISSING || rc == ERR_PROTOCOL || rc == ERR_INVALID)
		return "compare kind, url and api_url with the forge's";
	return "see whether this machine reaches the forge at all";
}

static void
join(const struct strs *words, struct buf *out)
{
	for (size_t i = 0; i < words->n; i++)
		(void)buf_addf(out, "%s%s", i ? ", " : "", words->v[i]);
}

static void
check_rights(const struct asker *a, bool wants_events)
{
	auto_free char *name = mem_fmt("%s.permissions", a->name);
	auto_buf struct buf rights = BUF_INIT(512);
	auto_buf struct buf events = BUF_INIT(512);
	const char *who = a->key ? "the App" : "the token";

	if (!a->lacks.is_told)
		return;
	join(&a->lacks.rights, &rights);
	join(&a->lacks.events, &events);
	if (rights.len)
		check_fail(a->report, name, EX_NOPERM,
			a->key ? "grant it on the App's page, then accept it where it is installed"
			       : "make a token that has it, or a GitHub App",
			"%s lacks %s", who, buf_str(&rights));
	else
		check_ok(a->report, name, "%s may do what the bot does", who);
	if (events.len && wants_events)
		check_warn(a->report, name, "subscribe to it on the App's page",
			"the App is not told of %s", buf_str(&events));
}

/* Of a forge that tells: whether deliveries of the repository can come. Only who administers it may
 * look, and a group's hook is not in the list. */
static void
check_repo_hook(struct asker *a, const char *repo)
{
	auto_free char *name = mem_fmt("%s.hook", a->name);
	struct forge_answer out = { 0 };
	struct forge_op op = { .kind = OP_HOOK };
	struct err e = { 0 };
	int rc;

	if (!a->driver->caps.has_hook_state || !a->hook_url)
		return;
	op.repo = mem_str(repo);
	op.url = mem_str(a->hook_url);
	rc = ask(a, &op, &out, NULL, &e);
	if (rc == 0 && !out.title)
		check_ok(a->report, name, "%s: it leads here", repo);
	else if (rc == 0)
		check_warn(a->report, name, "mend it on its page, then let it send a test",
			"%s: %s", repo, out.title);
	else if (rc == ERR_MISSING)
		check_warn(a->report, name, "add one, unless the group has it",
			"%s: none leads to %s", repo, a->hook_url);
	forge_op_finish(&op);
	forge_answer_finish(&out);
}

static void
check_repo(struct asker *a, const char *repo, const struct forge_answer *me)
{
	auto_free char *name = mem_fmt("%s.repos", a->name);
	struct forge_answer out = { 0 };
	struct forge_op op = { .kind = a->key ? OP_INSTALLATION : OP_PERMISSION };
	struct err e = { 0 };
	int rc;

	op.repo = mem_str(repo);
	op.user = mem_str(me->user);
	op.user_id = me->user_id;
	rc = ask(a, &op, &out, NULL, &e);
	if (rc == ERR_MISSING)
		check_fail(a->report, name, EX_NOPERM,
			a->key ? "install the App on it"
			       : "invite the bot's account, or correct the name",
			"%s: the bot does not see it", repo);
	else if (rc < 0)
		check_fail(a->report, name, exit_of(rc), NULL, "%s: %s", repo, e.text);
	else if (!a->key && out.permission < PERMISSION_WRITE)
		check_fail(a->report, name, EX_NOPERM, "give the bot's account write permission",
			"%s: %s may not push", repo, me->user);
	else
		check_ok(a->report, name, "%s", repo);
	if (rc == 0)
		check_repo_hook(a, repo);
	forge_op_finish(&op);
	forge_answer_finish(&out);
}

/* Patterns cannot be asked; names can. */
static void
check_repos(struct asker *a, const struct forge_answer *me)
{
	size_t asked = 0;

	for (size_t i = 0; i < a->f->repos.n && asked < REPOS_MAX; i++) {
		const char *repo = a->f->repos.v[i];

		if (strpbrk(repo, "*?!") || !forge_repo_ok(a->conf.kind, repo))
			continue;
		check_repo(a, repo, me);
		asked++;
	}
}

/* As the courier does: a JWT that is refused for its times is signed once more, for the forge's
 * clock. */
static int
ask_whoami(struct asker *a, struct forge_answer *me, struct err *e)
{
	struct forge_op op = { .kind = OP_WHOAMI, .id = a->f->app_id };
	int rc = ask(a, &op, me, look_at_whoami, e);

	if (rc < 0 && a->blames_clock)
		rc = ask(a, &op, me, look_at_whoami, e);
	forge_op_finish(&op);
	return rc;
}

static void
check_whoami(struct asker *a, bool wants_events)
{
	struct forge_answer me = { 0 };
	struct err e = { 0 };
	int rc = ask_whoami(a, &me, &e);

	if (rc < 0) {
		bool says_where = strstr(e.text, a->f->api_url) != NULL;

		check_fail(a->report, a->name, exit_of(rc), mend_of(a, rc), "%s%s%s",
			says_where ? "" : a->f->api_url, says_where ? "" : ": ", e.text);
	} else {
		check_ok(a->report, a->name, "%s knows the bot as %s", a->f->api_url,
			me.user ? me.user : "?");
		check_rights(a, wants_events);
		check_repos(a, &me);
	}
	if (a->key && llabs(a->skew_ms) > SKEW_MS_MAX)
		check_warn(a->report, a->name,
			"set this machine's clock (NTP): an App proves itself with the time",
			"the forge's clock is %" PRId64 " s %s", (int64_t)llabs(a->skew_ms) / 1000,
			a->skew_ms > 0 ? "ahead of this machine's" : "behind this machine's");
	forge_answer_finish(&me);
}

static int
open_asker(struct asker *a, struct err *e)
{
	const struct config_forge *f = a->f;
	int kind = forge_kind_parse(f->kind);
	int rc;

	if (kind < 0)
		return err_set(e, ERR_INVALID, "kind %s has no driver", f->kind);
	a->driver = forge_driver_get((enum forge_kind)kind);
	a->conf = (struct forge_conf){ (enum forge_kind)kind, f->name, f->url, f->api_url };
	if (f->app_id)
		rc = config_secret_read(f->app_key_file, f->app_key_env, &a->secret, e);
	else
		rc = config_secret_read(f->token_file, f->token_env, &a->secret, e);
	if (rc == 0 && f->app_id)
		rc = crypto_key_read(buf_str(&a->secret), a->secret.len, &a->key, e);
	if (rc == 0)
		rc = loop_create(&a->loop, e);
	return rc < 0 ? rc : http_create(a->loop, &a->http, e);
}

static void
close_asker(struct asker *a)
{
	if (a->http)
		http_destroy(a->http);
	if (a->loop)
		loop_destroy(a->loop);
	crypto_key_destroy(a->key);
	mem_wipe(a->secret.data, a->secret.cap);
	buf_finish(&a->secret);
	http_reply_finish(&a->reply);
	forge_lacks_finish(&a->lacks);
	free(a->name);
	free(a->hook_url);
}

void
check_forges(struct check_report *r, const struct config *c)
{
	const struct config_forge *f = c->forges.v;

	for (size_t i = 0; i < c->forges.n; i++) {
		struct asker a = { .report = r, .f = &f[i], .secret = BUF_INIT(SECRET_MAX) };
		struct err e = { 0 };

		a.name = mem_fmt("forges.%s", f[i].name);
		if (str_eq(c->intake, "webhook") && c->public_url)
			a.hook_url = mem_fmt("%s/hook/%s", c->public_url, f[i].name);
		if (open_asker(&a, &e) < 0)
			check_warn(r, a.name, NULL, "not asked: %s",
				e.text); /* a bad secret is a failure of its own */
		else if (a.driver)
			check_whoami(&a, str_eq(c->intake, "webhook"));
		close_asker(&a);
	}
}
