/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task - the nouns of the store: delivery, trigger, task, attempt, step, effect; and the one table
 * of task states.
 *
 * Pure: what a state may become, who owns it, how long it may last, what happens to it after a
 * crash.
 */
#ifndef STORE_TASK_H
#define STORE_TASK_H

#include "base/row.h"

#include <stdbool.h>
#include <stdint.h>

enum task_state {
	TASK_QUEUED,     /* waits for a slot */
	TASK_PREPARING,  /* mirror fetch, workspace */
	TASK_RUNNING,    /* setup and agent */
	TASK_GATING,     /* harvest and the bot's own tests */
	TASK_PUBLISHING, /* push and effects */
	TASK_WAITING,    /* for a human */
	TASK_SUCCEEDED,
	TASK_FAILED,
	TASK_STOPPED,
	TASK_QUARANTINED,
	TASK_STATE_COUNT,
};

enum task_owner { OWNER_QUEUE, OWNER_RUNNER, OWNER_HUMAN, OWNER_NOBODY };

enum task_event {
	TASK_EV_CLAIMED,
	TASK_EV_PREPARED,
	TASK_EV_HARVESTING, /* the agent has ended */
	TASK_EV_PUBLISH,    /* the attempt has ended with something to tell */
	TASK_EV_PUBLISHED_OK,
	TASK_EV_PUBLISHED_FAILED,
	TASK_EV_NEEDS_HUMAN,
	TASK_EV_STOP,
	TASK_EV_LOST,   /* lease over, runner or host gone; of a publication: its node, and with it
			   the work */
	TASK_EV_RETRY,  /* a person asks again */
	TASK_EV_POISON, /* attempts used up by infrastructure */
	TASK_EV_COUNT,
};

struct task_state_row {
	const char *name;
	enum task_owner owner;
	int64_t deadline_ms; /* in this state before the queue steps in; 0 = none */
	bool is_final;
	int8_t next[TASK_EV_COUNT]; /* enum task_state, or -1: the event is refused here */
};
extern const struct task_state_row TASK_STATES[TASK_STATE_COUNT];

const char *task_state_name(int64_t state);
bool task_state_is_final(int64_t state);
/* The next state, or ERR_CONFLICT if the event may not happen in this state. */
int task_state_next(int64_t state, enum task_event ev, int64_t *next, struct err *e);

/* Why an attempt ended. Exit codes and the agent's own words are not among them. */
enum task_outcome {
	OUTCOME_NONE,
	OUTCOME_GREEN,    /* changes, and the gate passed */
	OUTCOME_RED,      /* changes, and the gate failed */
	OUTCOME_UNTESTED, /* changes, and the repository names no test command */
	OUTCOME_EMPTY,    /* no changes */
	OUTCOME_SETUP,    /* a setup command failed */
	OUTCOME_AGENT,    /* the agent failed without changes worth keeping */
	OUTCOME_REFUSED,  /* the harvest was refused: protected path, size, mode */
	OUTCOME_TIMEOUT,
	OUTCOME_STOPPED, /* a person stopped it */
	OUTCOME_INFRA,   /* ours or the machine's fault: repeated free of charge */
	OUTCOME_AWAY,    /* the forge did not hand out the repository: repeated for a day */
	OUTCOME_COUNT,
};
const char *task_outcome_name(int64_t outcome);

/* CHORE: nobody asked; actor is the chore's name, and number is 0 unless is_pull. */
enum task_verb { VERB_FIX, VERB_RUN, VERB_CHORE, VERB_COUNT };

struct task {
	int64_t id;
	char *page; /* 32 hex digits, unguessable */
	char *forge;
	int64_t installation_id;
	int64_t repo_id;
	char *repo;
	int64_t number; /* issue or pull request it belongs to */
	bool is_pull;   /* the work goes to that pull request's branch */
	int64_t verb;
	char *instruction; /* words after the command, or NULL */
	char *title;
	char *prompt;     /* whole text for the agent, made by handlers/prompt at the trigger */
	char *input_hash; /* hex SHA-256 of what was authorised */
	char *actor;
	int64_t actor_id;
	int64_t comment_id; /* the comment that asked, 0 for a label */
	char *agent;        /* asked for by name, or NULL */
	char *base_ref;     /* branch to start from, NULL = default branch; pull request: its head
			       branch */
	char *branch;       /* branch that will be pushed */
	char *base_sha;
	char *head_sha;
	int64_t state;
	int64_t outcome;
	char *reason;     /* one sentence for people */
	int64_t attempt;  /* number of the current or last attempt, 0 = none yet */
	int64_t fence;    /* grows with each claim */
	int64_t lease_ms; /* boot clock of this node */
	bool stop_wanted;
	char *stop_by;
	int64_t created_ms;
	int64_t changed_ms; /* of state */
	int64_t pull_number;
	char *pull_url;
	int64_t sticky_id; /* the progress comment */
	int64_t check_id;
	int64_t files, insertions, deletions;
	char *gate_command; /* NULL = none configured */
	int64_t gate_exit;  /* -1 = did not run */
	char *summary;      /* the agent's last words, to be shown as a quotation */
	char *tail;         /* last lines of the terminal */
	char *tier;         /* sandbox tier of the last attempt */
	char *blocked;      /* hosts that the gateway refused, one a line, or NULL */
	char *usage;        /* tokens by model of all attempts, for store/usage.h, or NULL */
	char *notes;        /* what the harvest left alone (submodules, LFS), or NULL */
	char *log_ref_sha;  /* commit id of refs/agent-logs/<task>, or NULL */
};
extern const struct row TASK_ROWS[];
void task_finish(struct task *t);
/* Places in the queue are counted so far; whoever waits behind is not told where. */
#define TASK_PLACE_MAX 500
/* Nobody has done it here: it stands for what was found on the forge. */
bool task_is_found(const struct task *t);

struct task_step {
	char *name; /* "prepare", "setup", "agent", "harvest", "gate", "push" */
	int64_t attempt;
	int64_t started_ms;
	int64_t ended_ms;  /* 0 = under way */
	int64_t exit_code; /* -1 = none */
	char *note;
};
extern const struct row TASK_STEP_ROWS[];

#endif
