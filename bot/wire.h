/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - what roles say to each other, and who may say what to whom.
 *
 * One table (WIRE_RULES in wire.c) is the whole protocol: base/msg cuts off a peer that says
 * anything else. Names read sender to receiver. A line "X -> Y" is a call and its answer.
 */
#ifndef BOT_WIRE_H
#define BOT_WIRE_H

#include "base/msg.h"
#include "forge/forge.h"
#include "store/task.h"

enum role {
	ROLE_MASTER,
	ROLE_WEB,
	ROLE_QUEUE,
	ROLE_DECODER,
	ROLE_COURIER,
	ROLE_KEEPER,
	ROLE_GATEWAY,
	ROLE_RUNNER,
	ROLE_SHIM,
	ROLE_COUNT,
};

#define ROLE_BIT(r) (1u << (r))

#define WIRE_PULSE_MS 5000 /* how often a gateway says to each box's shim that it does not hang */
#define WIRE_BEAT_MS  5000 /* how often a role says so to the master */

enum wire_type {
	/* master -> role */
	WIRE_CONFIG = 1, /* blob: row-packed struct config; sent first and again on reload */
	WIRE_PEER,       /* struct wire_peer; one fd: a new end towards that role */
	WIRE_LISTEN,     /* fds: listening sockets, to web */
	WIRE_CUT,   /* role -> master: struct wire_peer as it was given: end that peer, it broke the
		       rules or hangs */
	WIRE_READY, /* role -> master: struct wire_ready */
	WIRE_BEAT,  /* role -> master: its loop turns, every WIRE_BEAT_MS from READY on */

	/* web -> keeper */
	WIRE_VERIFY,   /* struct wire_verify, blob: the signed bytes */
	WIRE_VERIFIED, /* struct wire_verdict */
	/* web -> queue */
	WIRE_DELIVERY, /* struct forge_delivery, blob: raw body; answered after fsync */
	WIRE_STORED,   /* struct wire_stored */
	WIRE_QUERY,    /* struct wire_query */
	WIRE_PAGE,     /* struct wire_page, blob: transcript or empty */

	/* queue -> decoder */
	WIRE_DECODE, /* struct forge_delivery, blob: body */
	WIRE_EVENT,  /* struct wire_verdict, blob: row-packed struct forge_event */

	/* queue -> courier */
	WIRE_FACT,      /* struct forge_op of a read kind */
	WIRE_EFFECT,    /* struct wire_effect; blob: bytes of OP_ATTACH */
	WIRE_ANSWER,    /* struct wire_answer, to both */
	WIRE_PUSH,      /* struct wire_push */
	WIRE_PUSHED,    /* struct wire_pushed */
	WIRE_LEASE,     /* struct wire_lease: until when this node may act, where there are others;
			   one way */
	WIRE_PUSH_LOGS, /* struct wire_push; blob: row-packed struct wire_logs; pushes
			   refs/agent-logs/<task> */

	/* runner -> courier */
	WIRE_PREPARE,   /* struct wire_prepare */
	WIRE_PREPARED,  /* struct wire_prepared; blob: row-packed struct agent_settings */
	WIRE_HARVEST,   /* struct wire_harvest; fd: the bundle, read only */
	WIRE_HARVESTED, /* struct wire_harvested */

	/* runner -> queue */
	WIRE_CLAIM, /* struct wire_claim: free slots and the attempts that live here; one way, every
		       second or on change */
	WIRE_PROGRESS, /* struct wire_progress; one way */
	WIRE_DONE,  /* struct wire_done; blob: row-packed struct wire_logs; answered by WIRE_TAKEN
		       once committed */
	WIRE_TAKEN, /* no struct */
	/* queue -> runner */
	WIRE_START, /* struct wire_start; one way: the answer is the next CLAIM */
	WIRE_STOP,  /* struct wire_stop; one way, repeated until the attempt is gone */

	/* courier, queue, gateway, runner -> keeper */
	WIRE_SIGN_JWT,   /* struct wire_sign: blob of the answer is the JWT */
	WIRE_TOKEN,      /* struct wire_name (forge): the personal token */
	WIRE_SSH_SIGN,   /* blob: commit payload; the answer is the armoured signature */
	WIRE_KEY,        /* struct wire_name (model provider): the key */
	WIRE_MARKER,     /* struct wire_name (decimal task id): 8 hex digits */
	WIRE_SECRET,     /* the answer to all five: struct wire_verdict, blob */
	WIRE_REDACT,     /* the table that finds our secrets in a transcript and tells none */
	WIRE_REDACTIONS, /* struct wire_verdict, blob: the answer */

	/* runner -> gateway */
	WIRE_BOX_OPEN,   /* struct wire_box; fd: listening socket inside the box's network namespace
			  */
	WIRE_BOX_OPENED, /* struct wire_verdict; fd: a pipe that the gateway holds open as long as
			    it serves the box, with a byte every WIRE_PULSE_MS */
	WIRE_BOX_CLOSE,  /* struct wire_box */
	WIRE_BOX_USAGE,  /* struct wire_usage: the answer to close */
	WIRE_BOX_SPENT,  /* gateway -> runner: struct wire_usage as it is now; one way, so that a
			    new gateway can be told what was counted already */

	/* runner -> shim, see bot/shim.h; what changes here or there changes shim_words */
	WIRE_STEP, /* struct wire_step, blob: row-packed struct box_spec; fds: stdin file, stdout
		      file, and what is to be held for the runner until the next step */
	WIRE_STEP_LISTEN, /* shim -> runner: fd: the box's listener; then the box waits for
			     WIRE_STEP_GO */
	WIRE_STEP_GO,     /* fd: see WIRE_BOX_OPENED */
	WIRE_STEP_DONE,   /* shim -> runner: struct wire_step_done, blob: last bytes of its text */
	WIRE_STEP_SPENT,  /* struct wire_step_spent: no model is asked any more; see bot/shim.h */
	WIRE_SHIM_STATE,  /* shim -> runner: struct wire_shim_state: what a runner hears first */
	WIRE_SHIM_STOP,   /* kill the box now */
	WIRE_SHIM_TAIL, /* shim -> runner: blob: last bytes of the plain text, at most every second
			 */
	WIRE_NET_MAKE,  /* runner -> its maker of networks */
	WIRE_NET, /* the answer, fd: a network for a box, without it none can be made; and runner ->
		     shim, before the step that it is for */
	WIRE_DISK_MAKE, /* runner -> its maker of disks; fd: an empty one, to be copied */
	WIRE_DISK, /* the answer, fd: a disk for an attempt, without it none can be made; and runner
		      -> shim, before a step: such a one, or an empty one to be copied */
	/* queue -> courier */
	WIRE_PEACE, /* struct wire_peace; one way: told to a new one, for the old one knew */
	WIRE_TYPE_COUNT,
};

struct wire_peer {
	int64_t role;
	int64_t turn; /* which pair of sockets: a late complaint must not hit the successor */
};
struct wire_ready {
	char *address; /* web: what it listens on */
};
struct wire_name {
	char *name;
};

/* A JWT for the App of a forge whose clock is that much ahead of ours, as far as we know. */
struct wire_sign {
	char *forge;
	int64_t skew_ms;
};

/* ok false: text says why in one line, code is an ERR_ code. */
struct wire_verdict {
	bool ok;
	int64_t code;
	char *text;
};

struct wire_verify {
	char *forge;
	struct strs proofs; /* struct forge_proof: header values as they came */
};

struct wire_stored {
	bool ok;
	int64_t delivery; /* id */
	bool is_duplicate;
	char *text;
};

enum wire_query_kind { QUERY_TASK, QUERY_CAST, QUERY_TEXT, QUERY_HEALTH, QUERY_METRICS };
struct wire_query {
	int64_t kind;
	char *page; /* 32 hex digits */
};
struct wire_page {
	bool found;
	struct row_list tasks; /* struct task, at most one here */
	struct row_list steps; /* struct task_step */
};

struct wire_effect {
	int64_t effect; /* id in the outbox */
	int64_t task;
	bool was_unknown;   /* an earlier try ended without an answer: look before you create */
	int64_t unknown_ms; /* wall time of that try */
	struct row_list op; /* one struct forge_op */
};
struct wire_answer {
	int64_t code; /* 0 or ERR_ */
	char *text;
	int64_t retry_after_ms;
	struct row_list answer; /* one struct forge_answer, without items */
	struct row_list items;  /* struct forge_item */
};

/* A forge asked for it before this courier was started. */
struct wire_peace {
	char *forge;
	int64_t installation_id; /* 0: not known which */
	int64_t for_ms;
};

struct wire_push {
	int64_t task;
	char *forge;
	int64_t installation_id;
	int64_t repo_id;
	char *repo;
	char *branch;  /* short name of the branch */
	char *sha;     /* commit in the quarantine repository of the task; WIRE_PUSH_LOGS: unused */
	char *old_sha; /* what the branch must be at now; NULL = it must not exist, or be at sha
			  already */
};
struct wire_pushed {
	int64_t code; /* 0, ERR_CONFLICT: somebody pushed, ... */
	char *text;
	int64_t retry_after_ms;
	char *sha; /* what the ref is at now */
};

struct wire_prepare {
	int64_t task;
	int64_t attempt;
	char *forge;
	int64_t installation_id;
	int64_t repo_id;
	char *repo;
	char *base_ref; /* NULL = default branch */
};
struct wire_prepared {
	int64_t code;
	char *text;
	int64_t retry_after_ms;
	char *base_sha;
	char *default_branch;
	char *base_ref;
	char *checkout_dir;  /* frozen, shared, read-only; has a prepared .git */
	char *extra_dir;     /* a layer over it: submodules, LFS objects; or NULL */
	int64_t owner_uid;   /* of the files in both */
	char *notes;         /* what of these could not be had, or NULL */
	char *settings_text; /* error in .agent.yml as "file:line:col: text", or NULL; settings are
				the defaults then */
};

struct wire_harvest {
	int64_t task;
	int64_t attempt;
	char *forge;
	int64_t repo_id;
	char *repo;
	char *base_sha;
	char *message;  /* commit message without trailers */
	char *trailers; /* "Key: value" lines or NULL */
	int64_t date_ms;
	struct strs protect; /* globs */
	bool lfs;            /* the box had contents of Git LFS */
};
struct wire_harvested {
	int64_t code; /* ERR_DENIED: refused, text names path and rule */
	char *text;
	char *head_sha; /* NULL: no change */
	int64_t files, insertions, deletions;
	char *delta_dir; /* layer over the base checkout that makes the harvested tree, for the gate
			  */
	int64_t owner_uid;
	char *notes; /* what was changed and is not in the commit, or NULL */
};

struct wire_alive {
	int64_t task;
	int64_t fence;
};
struct wire_claim {
	int64_t free_slots;
	int64_t held_slots;    /* of attempts that are over, but their boxes do not end */
	bool is_disk_low;      /* so no slot is free */
	struct row_list alive; /* struct wire_alive */
};
struct wire_start {
	struct row_list task; /* one struct task, with the new attempt and fence */
	char *marker;
};
struct wire_lease {
	int64_t ends_ms; /* boot clock */
};
struct wire_stop {
	int64_t task;
	int64_t fence;
};
struct wire_progress {
	int64_t task;
	int64_t fence;
	int64_t state;        /* enum task_state it is in now, or -1 */
	struct row_list step; /* zero or one struct task_step that began or ended */
	char *tail;
	char *base_sha;
	char *base_ref;
};
struct wire_done {
	int64_t task;
	int64_t fence;
	int64_t outcome;
	char *reason;
	char *head_sha;
	char *base_sha;
	char *base_ref;
	int64_t files, insertions, deletions;
	char *gate_command;
	int64_t gate_exit;
	char *summary;
	char *tail;
	char *tier;
	char *blocked;
	char *usage; /* of this attempt, for store/usage.h */
	char *notes;
};
struct wire_logs {
	char *cast; /* asciicast v2 */
	char *text;
};

struct wire_box {
	int64_t task;
	int64_t fence;
	bool models;        /* the model routes are open (agent step only) */
	bool registries;    /* the registry routes are open */
	bool is_guest;      /* not of the default branch: it writes no cache that others read */
	struct strs hosts;  /* that the repository wants to reach */
	char *usage;        /* what an earlier gateway counted for this attempt */
	char *blocked;      /* and refused, as in struct wire_usage */
	int64_t tokens_max; /* of this attempt at the models; 0: no limit */
	int64_t cost_max;   /* in millionths of a dollar; 0: no limit */
};
struct wire_usage {
	int64_t task;
	int64_t fence;
	bool ok;
	int64_t requests;
	int64_t bytes_in;
	int64_t bytes_out;
	char *blocked; /* one "when-in-ms host why" a line, or NULL */
	char *usage;   /* for store/usage.h */
	char *spent;   /* why no model is asked any more, one sentence, or NULL */
};

/* Steps are counted from 1, so that both sides know which one the other means. */
struct wire_step {
	int64_t serial;
	bool has_stdin; /* which descriptors came */
	bool has_stdout;
	int64_t alone_ms; /* how long the shim may be without a runner from now on */
};
struct wire_step_spent {
	int64_t serial; /* which step; another one is let be */
};
struct wire_shim_state {
	int64_t serial; /* of the last step that it took; 0: none */
	bool is_in_step;
	bool has_gone; /* the box of that step was let go */
};
struct wire_step_done {
	int64_t serial;
	int64_t exit_code; /* 128 + signal as shells write it */
	int64_t ended_by; /* enum box_end of sandbox/sandbox.h: itself, wall, stop, output, infra */
	int64_t limit;    /* that ended it, in milliseconds or bytes */
	int64_t procs_met; /* the limit of processes, if it met that and lived on; else 0 */
	int64_t stage;     /* of a start that failed, 0 = it started */
	char *text;        /* what happened, for infra */
	char *session;     /* the agent's word for its session, or NULL; these five as in struct
			      agent_said */
	bool has_begun;
	bool is_done;
	int64_t read;
	int64_t written;
	int64_t disk_bytes; /* what its writable layers hold, if the spec asks; -1: nobody knows */
};

/* The members of each struct above (wire_rows.c). */
extern const struct row WIRE_ALIVE_ROWS[];
extern const struct row WIRE_PEACE_ROWS[];
extern const struct row WIRE_PEER_ROWS[];
extern const struct row WIRE_READY_ROWS[];
extern const struct row WIRE_NAME_ROWS[];
extern const struct row WIRE_SIGN_ROWS[];
extern const struct row WIRE_VERDICT_ROWS[];
extern const struct row WIRE_VERIFY_ROWS[];
extern const struct row WIRE_STORED_ROWS[];
extern const struct row WIRE_QUERY_ROWS[];
extern const struct row WIRE_PAGE_ROWS[];
extern const struct row WIRE_EFFECT_ROWS[];
extern const struct row WIRE_ANSWER_ROWS[];
extern const struct row WIRE_PUSH_ROWS[];
extern const struct row WIRE_PUSHED_ROWS[];
extern const struct row WIRE_PREPARE_ROWS[];
extern const struct row WIRE_PREPARED_ROWS[];
extern const struct row WIRE_HARVEST_ROWS[];
extern const struct row WIRE_HARVESTED_ROWS[];
extern const struct row WIRE_CLAIM_ROWS[];
extern const struct row WIRE_START_ROWS[];
extern const struct row WIRE_LEASE_ROWS[];
extern const struct row WIRE_STOP_ROWS[];
extern const struct row WIRE_PROGRESS_ROWS[];
extern const struct row WIRE_DONE_ROWS[];
extern const struct row WIRE_LOGS_ROWS[];
extern const struct row WIRE_BOX_ROWS[];
extern const struct row WIRE_USAGE_ROWS[];
extern const struct row WIRE_STEP_ROWS[];
extern const struct row WIRE_STEP_SPENT_ROWS[];
extern const struct row WIRE_STEP_DONE_ROWS[];
extern const struct row WIRE_SHIM_STATE_ROWS[];

extern const struct msg_rule WIRE_RULES[];
extern const size_t WIRE_RULES_COUNT;

/* Which roles have a link with each other, besides the master with all: the master makes one
 * socketpair for each row. */
struct wire_pair {
	enum role a;
	enum role b;
};
extern const struct wire_pair WIRE_PAIRS[];
extern const size_t WIRE_PAIRS_COUNT;

const char *role_name(unsigned role);
int role_parse(const char *name); /* -1 if unknown */

#endif
