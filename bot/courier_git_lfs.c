/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git_lfs - objects of Git LFS come from the forge.
 *
 * token -> a batch request for a hundred of them -> four downloads at once, each hashed on its way
 * into a temporary file, which gets its name only if size and hash are what the pointer says -> the
 * next hundred.
 *
 * A place on another host is not asked: neither the credentials nor a request of ours goes where a
 * server's answer points. Large forges keep objects elsewhere; that is said in the pull request.
 */
#include "bot/courier_git.h"

#include "base/crypto.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/lfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define GETS_MAX   4
#define ASK_MS_MAX 30000

static const char ELSEWHERE[] = "the forge keeps them on another host, and the bot asks none";

struct get {
	struct lfs *l;
	struct http_call *call; /* NULL: free */
	const struct repo_lfs *object;
	int fd;
	int status;
	int64_t size;
	struct crypto_hash *hash;
	struct err e; /* of writing it */
};

struct lfs {
	struct work *work;
	char *dir;
	lfs_done *done;
	struct row_list objects; /* struct repo_lfs */
	size_t first;            /* of the batch under way */
	struct row_list places;  /* struct repo_lfs_place, of this batch */
	size_t next;             /* of these */
	struct get gets[GETS_MAX];
	size_t open;
	size_t lost;
	const char *why; /* literal */
	struct err e;
	struct loop_timer *round;
};

static void
get_finish(struct get *g)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	if (g->hash)
		crypto_hash_end_hex(g->hash, hex);
	clean_fd(&g->fd);
	*g = (struct get){ .l = g->l, .fd = -1 };
}

void
lfs_destroy(struct lfs *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < GETS_MAX; i++) {
		if (l->gets[i].call)
			http_cancel(l->gets[i].call);
		get_finish(&l->gets[i]);
	}
	loop_timer_remove(l->round);
	repo_lfs_finish(&l->objects);
	repo_lfs_places_finish(&l->places);
	free(l->dir);
	free(l);
}

static void
lose(struct lfs *l, size_t n, const char *why)
{
	l->lost += n;
	if (!l->why)
		l->why = why;
}

/* ---- One object ---- */

static char *
temporary(const struct lfs *l, const struct repo_lfs *o)
{
	return mem_fmt("%s/tmp.%s", l->dir, o->oid);
}

static void on_round(void *ctx);

/* A callback of a download must not start or end others: the next round does. */
static void
round_soon(struct lfs *l)
{
	if (!l->round)
		l->round = loop_timer_add(work_courier(l->work)->role->loop, 0, on_round, l);
}

/* What a status means: NULL, it is there; or why it cannot be had. "": again later. */
static const char *
why_of(int status)
{
	if (status == 200)
		return NULL;
	if (status == 0 || status == 429 || (status >= 500 && status != 501))
		return "";
	if (status >= 300 && status < 400)
		return ELSEWHERE;
	return "the forge does not give them out";
}

static int
on_data(void *ctx, const char *data, size_t len)
{
	struct get *g = ctx;

	if (g->status != 200)
		return 0;
	g->size += (int64_t)len;
	if (g->size > g->object->size)
		return err_set(&g->e, ERR_PROTOCOL, "larger than its pointer says");
	crypto_hash_add(g->hash, data, len);
	while (len > 0) {
		ssize_t n = write(g->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(&g->e, "write an object of Git LFS");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void
on_head(void *ctx, const struct http_reply *head)
{
	struct get *g = ctx;

	g->status = head->status;
}

/* Gives it its name, if it is what it should be. */
static int
keep(struct get *g, struct err *e)
{
	struct lfs *l = g->l;
	auto_free char *from = temporary(l, g->object);
	auto_free char *to = repo_lfs_path(l->dir, g->object->oid);
	auto_free char *parent = mem_strn(to, (size_t)(strrchr(to, '/') - to));
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_hash_end_hex(steal_ptr(&g->hash), hex);
	if (g->size != g->object->size || strcmp(hex, g->object->oid) != 0) {
		(void)unlink(from);
		return err_set(e, ERR_PROTOCOL, "not what the pointer says");
	}
	int rc = fs_mkdirs(parent, 0755, e);
	if (rc == 0 && rename(from, to) < 0)
		rc = err_sys(e, "rename %s", from);
	return rc;
}

static void
on_got(void *ctx, const struct http_reply *r, const struct err *why)
{
	struct get *g = ctx;
	struct lfs *l = g->l;
	const char *text = why_of(r->status);

	g->call = NULL;
	l->open--;
	if (!text && g->e.code == 0)
		(void)keep(g, &g->e);
	if (g->e.code == ERR_PROTOCOL)
		lose(l, 1, "the forge gives out something else than the pointers say");
	else if (g->e.code < 0)
		l->e = g->e;
	else if (text && text[0])
		lose(l, 1, text);
	else if (text)
		(void)err_set(&l->e, ERR_BUSY, "Git LFS: %s",
			r->status == 0 ? why->text : "the forge has no time");
	get_finish(g);
	round_soon(l);
}

/* The answer's own credential, or ours: it is the same server. */
static void
start_get(struct get *g, const struct repo_lfs *o, const struct repo_lfs_place *p)
{
	struct lfs *l = g->l;
	auto_free char *path = temporary(l, o);
	const struct http_stream stream = { on_head, on_data, on_got, g };
	struct http_request r = {
		.method = "GET",
		.url = mem_str(p->href),
		.auth = p->auth ? mem_str(p->auth) : work_basic_auth(l->work),
		.timeout_ms = LIMIT_LFS_MS,
	};

	g->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (g->fd < 0) {
		(void)err_sys(&l->e, "create %s", path);
		http_request_finish(&r);
		return;
	}
	g->object = o;
	g->hash = crypto_hash_create();
	g->call = http_send_stream(work_courier(l->work)->http, &r, &stream);
	l->open++;
}

static struct get *
free_get(struct lfs *l)
{
	for (size_t i = 0; i < GETS_MAX; i++) {
		if (!l->gets[i].call)
			return &l->gets[i];
	}
	return NULL;
}

static void
start_gets(struct lfs *l)
{
	const struct repo_lfs *objects = l->objects.v;
	const struct repo_lfs_place *places = l->places.v;
	struct get *g;

	while (l->e.code == 0 && l->next < l->places.n && (g = free_get(l))) {
		const struct repo_lfs_place *p = &places[l->next];
		const struct repo_lfs *o = &objects[l->first + l->next++];

		if (!p->href)
			lose(l, 1, "the forge does not have them");
		else if (!repo_lfs_is_near(l->work->forge->conf.url, p->href))
			lose(l, 1, ELSEWHERE);
		else
			start_get(g, o, p);
	}
}

/* ---- Batches ---- */

static size_t
batch_len(const struct lfs *l)
{
	size_t left = l->objects.n - l->first;

	return left < REPO_LFS_BATCH ? left : REPO_LFS_BATCH;
}

static void
on_places(void *ctx, struct http_reply *r, const struct err *why)
{
	struct work *w = ctx;
	struct lfs *l = extra_lfs(w);
	const struct repo_lfs *v = (struct repo_lfs *)l->objects.v + l->first;
	const char *text = why_of(r->status);
	struct err e = { 0 };

	w->call = NULL;
	if (text && !text[0])
		(void)err_set(&l->e, ERR_BUSY, "Git LFS: %s",
			r->status == 0 ? why->text : "the forge has no time");
	else if (text)
		lose(l, l->objects.n - l->first, text);
	else if (repo_lfs_read(buf_str(&r->body), r->body.len, v, batch_len(l), &l->places, &e) < 0)
		lose(l, l->objects.n - l->first, "the forge's answer is not that of Git LFS");
	if (text || e.code < 0)
		l->first = l->objects.n;
	round_soon(l);
}

static void
ask(struct work *w)
{
	static const char *const headers[] = { "Accept: " REPO_LFS_MEDIATYPE,
		"Content-Type: " REPO_LFS_MEDIATYPE };
	struct lfs *l = extra_lfs(w);
	const struct repo_lfs *v = (struct repo_lfs *)l->objects.v + l->first;
	struct http_request r = {
		.method = "POST",
		.url = mem_fmt("%s/info/lfs/objects/batch", w->url),
		.timeout_ms = ASK_MS_MAX,
		.reply_max = MIB(4),
	};

	buf_init(&r.body, KIB(64));
	int rc = repo_lfs_ask(v, batch_len(l), &r.body, &l->e);
	if (rc < 0) {
		http_request_finish(&r);
		round_soon(l);
		return;
	}
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		strs_add(&r.headers, headers[i]);
	r.auth = work_basic_auth(w);
	w->call = http_send(work_courier(w)->http, &r, on_places, w);
}

static void
end(struct lfs *l)
{
	struct lfs_end e = { l->e.code < 0 ? &l->e : NULL, l->lost, l->why };

	l->done(l->work, &e);
}

/* Everything that is to be decided is decided here, by what there is. */
static void
on_round(void *ctx)
{
	struct lfs *l = ctx;
	struct work *w = l->work;

	l->round = NULL;
	start_gets(l);
	if (l->open > 0)
		return;
	if (l->e.code == 0 && l->places.n > 0) {
		l->first += l->places.n;
		repo_lfs_places_finish(&l->places);
		l->next = 0;
	}
	if (l->e.code < 0 || l->first >= l->objects.n) {
		end(l);
		return;
	}
	/* A token for each hundred: they take their time. It was not refused. */
	struct work_repo r = { w->ask.prepare.forge, w->ask.prepare.installation_id,
		w->ask.prepare.repo_id, w->ask.prepare.repo };
	work_drop_token(w);
	w->on_no_token = NULL;
	work_credentials(w, &r, ask);
}

/* What a killed courier left. */
static int
sweep(const char *path, struct err *e)
{
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;

	if (!d)
		return err_sys(e, "open %s", path);
	while ((entry = readdir(d))) {
		if (str_starts(entry->d_name, "tmp.") && unlinkat(dirfd(d), entry->d_name, 0) < 0)
			return err_sys(e, "remove %s/%s", path, entry->d_name);
	}
	return 0;
}

struct lfs *
lfs_begin(struct work *w, struct row_list *take_objects, const char *dir, lfs_done *done)
{
	struct lfs *l = mem_zero(sizeof(*l));

	l->work = w;
	l->dir = mem_str(dir);
	l->done = done;
	l->objects = *take_objects;
	*take_objects = (struct row_list){ 0 };
	for (size_t i = 0; i < GETS_MAX; i++)
		l->gets[i] = (struct get){ .l = l, .fd = -1 };
	if (fs_mkdirs(dir, 0755, &l->e) == 0)
		(void)sweep(dir, &l->e);
	round_soon(l);
	return l;
}
