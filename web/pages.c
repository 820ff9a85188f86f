/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages - GET /t/<page>: a task for people.
 */
#include "web/pages.h"

#include "base/limits.h"
#include "store/usage.h"
#include "web/template.h"

#include <string.h>

#define PAGE_ID_LEN    32
#define REFRESH_S      5
#define TEXT_BYTES_MAX MIB(1) /* of a transcript on the page; the file has it all */

int
pages_parse(const char *rest, char page[33], enum site_file *what)
{
	size_t len = strspn(rest, "0123456789abcdef");

	if (len != PAGE_ID_LEN)
		return ERR_MISSING;
	memcpy(page, rest, len);
	page[len] = '\0';
	rest += len;
	if (strcmp(rest, "") == 0)
		*what = SITE_PAGE;
	else if (strcmp(rest, "/task.cast") == 0)
		*what = SITE_CAST;
	else if (strcmp(rest, "/task.txt") == 0)
		*what = SITE_TEXT;
	else
		return ERR_MISSING;
	return 0;
}

static void
add_row(struct buf *out, const char *name, const char *value)
{
	if (str_is_empty(value))
		return;
	(void)buf_adds(out, "<tr><th scope=\"row\">");
	html_text(out, name);
	html_add(out, "</th><td>");
	html_text(out, value);
	html_add(out, "</td></tr>\n");
}

static void
add_issue_row(const struct site_task *s, struct buf *out)
{
	int64_t number = s->task->number;
	auto_buf struct buf text = BUF_INIT(32);

	/* Below 0: a merge request of GitLab's. */
	(void)buf_addc(&text, number < 0 ? '!' : '#');
	html_number(&text, number < 0 ? -number : number);
	html_add(out, "<tr><th scope=\"row\">");
	html_text(out, s->task->is_pull ? "Pull request" : "Issue");
	html_add(out, "</th><td>");
	html_link(out, s->issue_url, buf_str(&text));
	html_add(out, "</td></tr>\n");
}

static void
add_number_row(struct buf *out, const char *name, int64_t n)
{
	auto_buf struct buf text = BUF_INIT(32);

	html_number(&text, n);
	add_row(out, name, buf_str(&text));
}

static void
add_head(const struct site_task *s, struct buf *out)
{
	const struct task *t = s->task;

	html_add(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n<meta "
		      "name=\"robots\" content=\"noindex\">\n");
	if (!task_state_is_final(t->state) && t->state != TASK_WAITING) {
		html_add(out, "<meta http-equiv=\"refresh\" content=\"");
		html_number(out, REFRESH_S);
		html_add(out, "\">\n");
	}
	html_add(out, "<title>Task ");
	html_number(out, t->id);
	html_add(out, " · nightshift</title>\n<link rel=\"stylesheet\" "
		      "href=\"/static/style.css\">\n</head><body>\n<h1>Task ");
	html_number(out, t->id);
	html_add(out, ": ");
	html_text(out, t->title);
	html_add(out, "</h1>\n<p class=\"state ");
	html_text(out, task_state_name(t->state));
	html_add(out, "\">");
	html_text(out, task_state_name(t->state));
	html_add(out, "</p>\n");
}

static void
add_usage(const struct task *t, struct buf *out)
{
	struct row_list list = { 0 };
	const struct usage *u;

	usage_parse(t->usage, &list);
	u = list.v;
	for (size_t i = 0; i < list.n; i++) {
		auto_buf struct buf what = BUF_INIT(256);
		auto_buf struct buf said = BUF_INIT(256);

		(void)buf_addf(&what, "Model %s", u[i].model);
		usage_say(&u[i], &said);
		add_row(out, buf_str(&what), buf_str(&said));
	}
	usage_finish(&list);
}

static void
add_facts(const struct site_task *s, struct buf *out)
{
	const struct task *t = s->task;
	char created[32];

	str_time_print(t->created_ms, created);
	html_add(out, "<table class=\"facts\">\n");
	add_row(out, "Repository", t->repo);
	if (t->number != 0)
		add_issue_row(s, out);
	add_row(out, t->verb == VERB_CHORE ? "Chore" : "Asked by", t->actor);
	add_row(out, "Asked at", created);
	add_row(out, "Result", t->outcome == OUTCOME_NONE ? NULL : task_outcome_name(t->outcome));
	add_row(out, "Why", t->reason);
	add_row(out, "Test command", t->gate_command);
	if (t->gate_exit >= 0)
		add_number_row(out, "Test exit code", t->gate_exit);
	add_row(out, "Sandbox tier", t->tier);
	add_usage(t, out);
	add_row(out, "Refused network access", t->blocked);
	add_row(out, "Commit", t->head_sha);
	html_add(out, "</table>\n");
	if (!str_is_empty(t->pull_url)) {
		auto_buf struct buf text = BUF_INIT(64);

		(void)buf_adds(&text, "Pull request ");
		html_number(&text, t->pull_number);
		html_add(out, "<p>");
		html_link(out, t->pull_url, buf_str(&text));
		html_add(out, "</p>\n");
	}
}

static void
add_steps(const struct site_task *s, struct buf *out)
{
	if (s->n_steps == 0)
		return;
	html_add(out, "<h2>Steps</h2>\n<table>\n<tr><th>step</th><th>attempt</th><th>seconds</"
		      "th><th>result</th></tr>\n");
	for (size_t i = 0; i < s->n_steps; i++) {
		const struct task_step *step = &s->steps[i];
		int64_t end_ms = step->ended_ms ? step->ended_ms : s->now_ms;

		html_add(out, "<tr><td>");
		html_text(out, step->name);
		html_add(out, "</td><td>");
		html_number(out, step->attempt);
		html_add(out, "</td><td>");
		(void)buf_addf(out, "%.1f", (double)(end_ms - step->started_ms) / 1000.0);
		html_add(out, "</td><td>");
		if (step->ended_ms == 0)
			html_add(out, "running");
		else if (step->exit_code > 0) {
			html_add(out, "exit code ");
			html_number(out, step->exit_code);
		} else
			html_add(out, "done");
		html_text(out, step->note ? " " : NULL);
		html_text(out, step->note);
		html_add(out, "</td></tr>\n");
	}
	html_add(out, "</table>\n");
}

static void
add_file_link(const struct task *t, const char *name, struct buf *out)
{
	html_add(out, "<a href=\"/t/");
	html_text(out, t->page);
	(void)buf_addf(out, "/%s\" download>%s</a>", name, name);
}

/* The end of it, from a line's start: that is what people look for. */
static void
add_text(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len, *from = text;

	if (len > TEXT_BYTES_MAX) {
		from = end - TEXT_BYTES_MAX;
		const char *line = memchr(from, '\n', TEXT_BYTES_MAX);

		from = line ? line + 1 : from;
		html_add(out, "<p>The first ");
		html_number(out, (from - text) / 1024);
		html_add(out, " KiB are in the file only.</p>\n");
	}
	html_add(out, "<pre>");
	html_bytes(out, from, (size_t)(end - from));
	html_add(out, "</pre>\n");
}

static void
add_transcript(const struct site_task *s, struct buf *out)
{
	const struct task *t = s->task;

	html_add(out, "<h2>Terminal</h2>\n");
	if (s->len == 0) {
		add_text(t->tail ? t->tail : "", t->tail ? strlen(t->tail) : 0, out);
		return;
	}
	html_add(out, "<p>Download: ");
	add_file_link(t, "task.cast", out);
	html_add(out, " (asciicast) · ");
	add_file_link(t, "task.txt", out);
	html_add(out, "</p>\n");
	add_text(s->bytes, s->len, out);
}

void
pages_task(const struct site_task *s, struct buf *out)
{
	add_head(s, out);
	add_facts(s, out);
	add_steps(s, out);
	if (!str_is_empty(s->task->summary)) {
		html_add(out, "<h2>Summary, in the agent's words</h2>\n<pre>");
		html_text(out, s->task->summary);
		html_add(out, "</pre>\n");
	}
	add_transcript(s, out);
	html_add(out, "</body></html>\n");
}
