/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - the table of coding agents: how each is started, and how to read what it says.
 *
 * A new agent is a row of agent_table.c and, if it speaks in events, its words in agent_words.c;
 * there is no code for any one of them. Nothing it says is a verdict: exit codes and last words of
 * real agents are known to be wrong.
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
	const struct strs *args;    /* more arguments; NULL: none */
	const char *model;
	const char *provider; /* the <name> of the gateway's /llm/<name>/ */
	const char *key;      /* a dummy: the box may know it, the gateway replaces it */
	const char *session;  /* id: of the session to go on with, else for the new one */
	bool is_resumed;
};

/* Adds argv, env and files to the spec and sets how its output is read. ERR_INVALID: no such agent,
 * or it lacks something. */
int agent_fill(const struct agent_ask *a, struct box_spec *s, struct err *e);

/* True if the id may be an argument: agents make them up, and what they say is not believed. */
bool agent_session_ok(const char *id);

/* What every box's environment has, and the gitconfig in its home. */
struct box_env {
	int64_t task;
	bool npm; /* the registry routes that are configured and open */
	bool pypi;
	bool cargo;
	bool go;
	bool proxy; /* tools are told to ask the gateway for hosts outside */
	const struct strs
		*tools; /* their bin directories, and they themselves, come first in PATH */
};
void box_env_fill(const struct box_env *b, struct box_spec *s);

/* ---- The table ---- */

/* Arguments come as pairs so that a flag goes with its value: a row is left out if a placeholder in
 * it has none. Placeholders: {gateway} {key} {model} {provider} {session}. */
struct agent_arg {
	const char *flag;
	const char *value; /* or NULL */
};

struct agent_file {
	const char *path;
	int64_t mode;
	const char *text; /* with placeholders */
};

/* What one value in an event means. */
enum agent_act {
	ACT_SESSION, /* it has begun; the value is the session's id */
	ACT_MESSAGE, /* said; the last one is the summary */
	ACT_PART,    /* a piece of something said */
	ACT_THOUGHT,
	ACT_COMMAND,
	ACT_TOOL, /* used a tool that is no command */
	ACT_OUTPUT,
	ACT_EXIT, /* the command's exit code */
	ACT_WARNING,
	ACT_FAILED,  /* the value says why */
	ACT_DONE,    /* it is through, by its own account */
	ACT_READ,    /* tokens that the model read */
	ACT_WRITTEN, /* and wrote */
};

/*
 * when: words that must all hold of the event: "path" is there, "path=value" has that value, "!..."
 * does not hold. path: one or more dotted paths; what is found is joined by a space, and a list is
 * the texts of its elements. With each, the rule is for every element of that list, and "@path" is
 * a path in the element.
 */
struct agent_rule {
	const char *when;
	const char *each;
	enum agent_act act;
	const char *path;
};

/* What the numbers of tokens in several events make together. */
enum agent_usage {
	USAGE_NONE, /* it does not say */
	USAGE_LAST, /* the last one is that of this run */
	USAGE_SUM,
	USAGE_CUMULATIVE, /* the last one is that of the whole session, earlier runs too */
};

struct agent_row {
	const char *name;
	const char *program;            /* NULL: whatever is configured */
	const char *package;            /* where npm gets it */
	const char *api;                /* kind of the model provider it needs */
	bool needs_model;               /* it has no model of its own choice */
	const struct agent_arg *wrap;   /* what stands before the program */
	const struct agent_arg *args;   /* all these until a NULL flag; or NULL */
	const struct agent_arg *fresh;  /* more for a new session */
	const struct agent_arg *resume; /* at the end, to go on with one; NULL: it cannot */
	const char *const *env;         /* "NAME=value", NULL-terminated */
	const struct agent_file *files; /* until a NULL path; or NULL */
	const char *session_dir;        /* below the home: what a session needs to go on */
	const char *const *rewrites; /* files of the repository that it changes unasked; or NULL */
	const struct agent_rule *rules; /* until a NULL when; NULL: its output is plain text */
	enum agent_usage usage;
	bool proxies_all; /* given a proxy it asks it for the gateway, too */
};
extern const struct agent_row AGENT_ROWS[];
extern const size_t AGENT_ROWS_COUNT;

const struct agent_row *agent_row_find(const char *name);

/* agent_words.c */
extern const struct agent_rule AGENT_CLAUDE_RULES[]; /* and Qwen's */
extern const struct agent_rule AGENT_CLINE_RULES[];
extern const struct agent_rule AGENT_CODEX_RULES[];
extern const struct agent_rule AGENT_COPILOT_RULES[];
extern const struct agent_rule AGENT_GEMINI_RULES[];
extern const struct agent_rule AGENT_OPENCODE_RULES[];
extern const struct agent_rule AGENT_PI_RULES[];

/* ---- How it is read ---- */

/* Splits the output of an agent that speaks in JSON lines and turns it into a log for people. What
 * is no event passes as it is; a line over AGENT_LINE_BYTES_MAX is left out and said so. */
#define AGENT_LINE_BYTES_MAX (512 * 1024)

struct agent_reader;
struct agent_reader *agent_reader_create(const struct agent_row *row);
void agent_reader_destroy(struct agent_reader *r);
void agent_reader_feed(struct agent_reader *r, const char *data, size_t len, struct buf *show);

/* At the end: a last line without a line break, and what it used. */
void agent_reader_end(struct agent_reader *r, struct buf *show);

/* What it said so far; the strings are the reader's, or NULL. */
struct agent_said {
	const char *summary; /* its last message */
	const char *error;   /* what went wrong in the end */
	const char *session; /* id, agent_session_ok */
	bool has_begun;      /* it accepted its session; one that refuses to resume has not */
	bool is_done;        /* it says that it is through */
	int64_t read;        /* tokens */
	int64_t written;
};
void agent_reader_said(const struct agent_reader *r, struct agent_said *out);

#endif
