/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - the table of coding agents: how each is started, and how to read what it says.
 *
 * A new agent is a row in agent_table.c, and a reader (agent_<name>.c) if it speaks in events.
 * Nothing it says is a verdict: exit codes and last words of real agents are known to be wrong.
 */
#ifndef SANDBOX_AGENT_H
#define SANDBOX_AGENT_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

/* ---- How it is started ---- */

/* All borrowed; what is NULL is left out. */
struct agent_ask {
	const char *kind;           /* row of the table */
	const char *program;        /* NULL: found in the box's PATH under its own name */
	const struct strs *command; /* kind command: argv */
	const char *model;
	const char *provider; /* the <name> of the gateway's /llm/<name>/ */
	const char *key;      /* a dummy: the box may know it, the gateway replaces it */
};

/* Adds argv, env and files to the spec and sets how its output is read. ERR_INVALID: no such agent,
 * or it lacks something. */
int agent_fill(const struct agent_ask *a, struct box_spec *s, struct err *e);

/* What every box's environment has, and the gitconfig in its home. */
struct box_env {
	int64_t task;
	bool npm; /* the registry routes that are configured and open */
	bool pypi;
	const struct strs
		*tools; /* their bin directories, and they themselves, come first in PATH */
};
void box_env_fill(const struct box_env *b, struct box_spec *s);

/* ---- How it is read ---- */

/* Arguments come as pairs so that a flag goes with its value: a row is left out if a placeholder in
 * it has none. Placeholders: {gateway} {key} {model} {program} {provider}. */
struct agent_arg {
	const char *flag;
	const char *value; /* or NULL */
};

struct agent_file {
	const char *path;
	const char *text; /* with placeholders */
};

struct agent_reader;

/* What one event means: appends what a person should see in the terminal to show, may set the
 * reader's summary and error. */
typedef void agent_event_cb(struct agent_reader *r, const struct json *event, struct buf *show);

struct agent_row {
	const char *name;
	const char *program;
	const struct agent_arg *args;   /* until a NULL flag */
	const char *const *env;         /* "NAME=value", NULL-terminated */
	const struct agent_file *files; /* until a NULL path */
	agent_event_cb *on_event;       /* NULL: its output is plain text */
};
extern const struct agent_row AGENT_ROWS[];
extern const size_t AGENT_ROWS_COUNT;

const struct agent_row *agent_row_find(const char *name);

/* Splits the output of an agent that speaks in JSON lines and turns it into a log for people. What
 * is no event passes as it is; a line over AGENT_LINE_BYTES_MAX is left out and said so. */
#define AGENT_LINE_BYTES_MAX (512 * 1024)

struct agent_reader *agent_reader_create(const struct agent_row *row);
void agent_reader_destroy(struct agent_reader *r);
void agent_reader_feed(struct agent_reader *r, const char *data, size_t len, struct buf *show);

/* At the end: a last line without a line break. */
void agent_reader_end(struct agent_reader *r, struct buf *show);

/* For events: text as a terminal wants it ("\n" becomes "\r\n"), with a style (an SGR number, 0 =
 * none). */
void agent_show(struct buf *show, int style, const char *text);
void agent_set_summary(struct agent_reader *r, const char *text);
void agent_set_error(struct agent_reader *r, const char *text);

/* The agent's last message, or NULL. Borrowed. */
const char *agent_reader_summary(const struct agent_reader *r);

/* What it said went wrong, or NULL. Borrowed. */
const char *agent_reader_error(const struct agent_reader *r);

/* agent_codex.c */
agent_event_cb agent_codex_event;

#endif
