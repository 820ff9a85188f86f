/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_text - see runner_text.h.
 */
#include "bot/runner_text.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

struct unit {
	int64_t factor;
	const char *name;
};

/* In the largest unit that divides it; the last one divides all. */
static void
in_units(int64_t value, const struct unit *u, char out[32])
{
	while (u->factor > 1 && (value < u->factor || value % u->factor != 0))
		u++;
	(void)snprintf(out, 32, "%" PRId64 "%s", value / u->factor, u->name);
}

void
text_duration(int64_t ms, char out[32])
{
	static const struct unit units[] = { { INT64_C(3600000), "h" }, { 60000, "m" },
		{ 1000, "s" }, { 1, "ms" } };

	in_units(ms, units, out);
}

void
text_size(int64_t bytes, char out[32])
{
	static const struct unit units[] = { { INT64_C(1) << 30, "GiB" },
		{ INT64_C(1) << 20, "MiB" }, { INT64_C(1) << 10, "KiB" }, { 1, " bytes" } };

	in_units(bytes, units, out);
}

void
text_command(const char *command, char out[TEXT_COMMAND_BYTES])
{
	size_t len = strcspn(command, "\r\n");
	bool is_cut = command[len] != '\0';

	if (len > TEXT_COMMAND_BYTES - 5) {
		len = TEXT_COMMAND_BYTES - 5;
		while (len > 0 && (command[len] & 0xc0) == 0x80)
			len--;
		is_cut = true;
	}
	(void)snprintf(out, TEXT_COMMAND_BYTES, "%.*s%s", (int)len, command, is_cut ? " ..." : "");
	for (char *p = out; *p; p++) {
		if (*p == '`')
			*p = '\'';
		else if ((unsigned char)*p < ' ')
			*p = ' ';
	}
}

/* Where the output of the step begins: behind its title, or at the start if that has scrolled away.
 */
static const char *
step_output(const char *tail, const char *title)
{
	const char *found = tail;

	for (const char *p = tail; (p = strstr(p, title)); p++) {
		size_t len = strlen(title);

		if ((p == tail || p[-1] == '\n') && (p[len] == '\n' || p[len] == '\0'))
			found = p + len;
	}
	return found;
}

void
text_last_words(const char *tail, const char *agent, struct buf *out)
{
	auto_free char *title = mem_fmt("== agent: %s", agent);
	const char *from = NULL, *to = NULL;
	bool is_within = false;

	for (const char *line = step_output(tail ? tail : "", title); *line;) {
		size_t len = strcspn(line, "\n");
		bool is_note = strncmp(line, "== ", 3) == 0; /* how it ended */

		if (is_note || strspn(line, " \t") >= len) {
			is_within = false;
		} else {
			from = is_within ? from : line;
			to = line + len;
			is_within = true;
		}
		line += len + (line[len] == '\n');
	}
	if (from)
		(void)buf_add(out, from, (size_t)(to - from));
}

/* "timestamp" of asciicast's first line, in milliseconds; 0: none. */
static int64_t
cast_start(const char *cast)
{
	static const char key[] = "\"timestamp\":";
	size_t head = strcspn(cast, "\n");
	const char *at = memmem(cast, head, key, strlen(key));
	int64_t s = 0;

	for (at = at ? at + strspn(at + strlen(key), " ") + strlen(key) : "";
		*at >= '0' && *at <= '9' && s < INT64_C(100000000000); at++)
		s = 10 * s + (*at - '0');
	return s * 1000;
}

static void
add_blocked(const char *line, size_t len, int64_t start_ms, struct buf *out)
{
	auto_free char *copy = mem_strn(line, len);
	char *rest = copy;
	const char *when = strsep(&rest, " ");
	const char *host = strsep(&rest, " ");
	int64_t ms;

	if (!host || str_i64(when, 0, INT64_MAX, &ms, NULL) < 0)
		return;
	if (start_ms > 0) {
		int64_t s = ms > start_ms ? (ms - start_ms) / 1000 : 0;

		(void)buf_addf(out, "%02" PRId64 ":%02d ", s / 60, (int)(s % 60));
	}
	(void)buf_addf(out, "%s%s%s\n", host, rest ? ": " : "", rest ? rest : "");
}

void
text_blocked(const char *lines, const char *cast, struct buf *out)
{
	int64_t start_ms = cast_start(cast);

	for (const char *p = lines ? lines : ""; *p;) {
		size_t len = strcspn(p, "\n");

		add_blocked(p, len, start_ms, out);
		p += len + (p[len] == '\n');
	}
}

static bool
is_login(const char *s)
{
	size_t len = s ? strlen(s) : 0;

	return len > 0 && len <= 100 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.[]") ==
		       len;
}

/* The addresses that the forges themselves give to people who show none (docs.github.com, "Setting
 * your commit email address"; Gitea: NO_REPLY_ADDRESS, by default noreply.<domain>). */
static void
add_coauthor(const struct config *c, const struct task *t, struct buf *out)
{
	const struct config_forge *f = config_forge_find(c, t->forge);
	const char *host = f && f->url ? strstr(f->url, "://") : NULL;

	if (!host || !is_login(t->actor))
		return;
	host += strlen("://");
	if (str_eq(f->kind, "github"))
		(void)buf_addf(out, "Co-authored-by: %s <%" PRId64 "+%s@users.noreply.%.*s>\n",
			t->actor, t->actor_id, t->actor, (int)strcspn(host, ":/"), host);
	else
		(void)buf_addf(out, "Co-authored-by: %s <%s@noreply.%.*s>\n", t->actor, t->actor,
			(int)strcspn(host, ":/"), host);
}

void
text_trailers(const struct config *c, const struct task *t, struct buf *out)
{
	if (c->commit_coauthor)
		add_coauthor(c, t, out);
	if (c->commit_signoff)
		(void)buf_addf(out, "Signed-off-by: %s <%s>\n", c->commit_name, c->commit_email);
}
