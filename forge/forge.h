/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - what a forge says and what we ask of it, without its dialect.
 *
 * A driver is pure: it decodes deliveries into events, builds HTTP requests for operations and
 * reads the answers. It opens nothing. The courier performs what it builds. Events, operations and
 * answers are described by rows, so they travel between roles as they are.
 */
#ifndef FORGE_FORGE_H
#define FORGE_FORGE_H

#include "base/http.h"
#include "base/row.h"

#include <stdbool.h>
#include <stdint.h>

enum forge_kind { FORGE_GITHUB, FORGE_GITEA, FORGE_FORGEJO, FORGE_GITLAB, FORGE_KIND_COUNT };

/* One configured forge, borrowed from the configuration. */
struct forge_conf {
	enum forge_kind kind;
	const char *name;    /* of POST /hook/<name> */
	const char *url;     /* web and git base, no slash at the end */
	const char *api_url; /* no slash at the end */
};

/* ---- Deliveries and events ---- */

enum forge_event_kind {
	EVENT_NONE,   /* understood, nothing for us */
	EVENT_PING,   /* the forge tests the hook */
	EVENT_LABELS, /* labels of an issue or pull request changed, or it was opened with labels */
	EVENT_COMMENT,        /* a comment was created */
	EVENT_COMMENT_EDITED, /* or deleted: may void what was authorised */
	EVENT_ISSUE_EDITED,   /* title or body changed */
	EVENT_CLOSED,         /* issue or pull request closed or merged */
	EVENT_PULL_PUSHED,    /* new commits on a pull request */
	EVENT_REPO,   /* repository renamed, transferred, deleted, or an installation changed */
	EVENT_CHORE,  /* a chore is due: the queue's own. number: the pull request of the last time,
			 or 0; title, body: what to do; commands: one, the chore's name and its
			 agent; updated_ms: when it was due */
	EVENT_ORPHAN, /* an issue says that it is worked at, and we know of no task: our own */
	EVENT_KIND_COUNT,
};

/* A command line of a comment: "/agent fix --draft the parser" */
struct forge_command {
	char *verb; /* lower case; "" if the line was only "/agent" */
	char *args; /* the rest of the line, white space trimmed; may be "" */
};
extern const struct row FORGE_COMMAND_ROWS[];

struct forge_event {
	int64_t kind;    /* enum forge_event_kind */
	char *name;      /* the forge's own "issues.labeled", for logs */
	int64_t repo_id; /* numeric, survives renames; 0 only for EVENT_NONE, EVENT_PING, EVENT_REPO
			  */
	char *repo;      /* "owner/name"; GitLab: "group/sub/name", too */
	char *default_branch;
	int64_t installation_id; /* GitHub App; 0 = unknown */
	/* Of the issue or pull request; with repo_id it is the key of it. Where pull requests are
	 * counted apart (GitLab), theirs is below 0; forge_number tells what people write. */
	int64_t number;
	int64_t issue_id; /* the forge's internal id of it, which is no key: those of pull requests
			     are other rows' */
	bool is_pull;
	bool is_closed;
	char *title;
	char *body;
	char *author;
	int64_t author_id;
	char *actor; /* who did it */
	int64_t actor_id;
	bool actor_is_bot;
	char *label;       /* the one label that changed, where the forge tells */
	bool label_added;  /* it was added, not removed */
	bool labels_known; /* labels below is the complete list after the change */
	struct strs labels;
	bool labels_differ; /* labels_were is the complete list before it: GitLab tells both */
	struct strs labels_were;
	bool is_edited; /* EVENT_LABELS: title or body changed with them */
	int64_t comment_id;
	char *comment_body;
	struct row_list commands; /* struct forge_command, of a created comment */
	char *head_ref;           /* pull requests, where the payload has them */
	char *head_sha;
	int64_t head_repo_id;
	char *base_ref;
	int64_t updated_ms; /* of the issue or comment, the forge's clock */
};
extern const struct row FORGE_EVENT_ROWS[];

void forge_event_finish(struct forge_event *ev);

enum forge_label_state { LABEL_UNCHANGED, LABEL_ON, LABEL_OFF };

/* What this event says of the label: ON if it was added (or, where the change is not told, is in
 * the complete list), OFF if removed (or not in it). */
enum forge_label_state forge_event_label(const struct forge_event *ev, const char *label);

/* What the web role keeps of a request's head: enough to decode later. */
struct forge_delivery {
	char *forge;        /* configured name */
	char *guid;         /* the forge's delivery id, or "" */
	char *event;        /* value of the event header: "issues" */
	char *event_type;   /* Gitea's finer header, or NULL */
	char *content_type; /* "application/json" after form decoding */
	int64_t received_ms;
};
extern const struct row FORGE_DELIVERY_ROWS[];

/* ---- Operations ---- */

enum forge_op_kind {
	/* reads */
	OP_WHOAMI,     /* answer: user, user_id */
	OP_REPO,       /* answer: default_branch(ref), repo, repo_id; permission: our own */
	OP_PERMISSION, /* of user/user_id: answer.permission */
	OP_ISSUE, /* number: title, body, labels, is_closed, is_pull, author, author_id, updated_ms
		   */
	OP_PULL,  /* number: head ref, sha, repo id; base ref; is_closed */
	OP_LABEL_EVENT,  /* number, label: id of the latest "labeled" event and its actor; 0 where
			    the forge has none */
	OP_COMMENT,      /* id: body, author, author_id, updated_ms */
	OP_COMMENT_FIND, /* number, marker: id of our own comment that starts with it, else
			    ERR_MISSING */
	OP_PULL_FIND,    /* ref (head branch in the same repository), base: number, url of the open
			    one, else ERR_MISSING */
	OP_STATUS_FIND,  /* sha, external_id: id of our check run, else ERR_MISSING; forges without
			    checks: ERR_MISSING */
	OP_ISSUES_LABELED, /* label, since_ms: items (number, title, updated_ms, is_pull) */
	OP_COMMENTS_SINCE, /* since_ms: items (number, id, user, body, updated_ms); of those with
			      "/agent" that nobody has edited: an edit gives no orders */
	/* writes; each is named by a key that makes it idempotent */
	OP_COMMENT_CREATE, /* number, body (starts with the marker): id, url */
	OP_COMMENT_EDIT,   /* id, body; ERR_MISSING if somebody deleted it */
	OP_REACT,          /* id (comment) or number (issue): eyes */
	OP_LABEL_ADD,      /* number, label (created in the repository if the forge wants that) */
	OP_LABEL_REMOVE,   /* absent is success */
	OP_PULL_CREATE,    /* title, body, ref, base, is_draft, user_id (who asked, or 0): number,
			      url; ERR_CONFLICT if one is open for ref */
	OP_PULL_EDIT,      /* number, title, body */
	OP_STATUS_CREATE,  /* sha, context, state, title, body (text), url, external_id: id (0 for
			      commit statuses) */
	OP_STATUS_EDIT,    /* id (0: a commit status is set anew): the same */
	OP_ATTACH, /* number, name; bytes beside the op: url; ERR_MISSING where the forge cannot */
	OP_TOKEN,  /* GitHub App: installation_id, repo_id: token, token_expires_ms. Never on the
		      wire */
	OP_INSTALLATION, /* GitHub App: repo: installation_id as answer.id. With a JWT */
	/* more reads: the numbers are stored with effects, so new ones go to the end */
	OP_UNLABEL_EVENT, /* number, label: who took it off last; user NULL where nobody knows */
	OP_COMMENT_LAST,  /* number, marker: the newest own comment that starts with it: id, body,
			     updated_ms: when it was made. Else ERR_MISSING */
	OP_REPOS,         /* those that the credential reaches, most active first, as items: id and
			     title (full name). Of an App (id: its number) without installation_id:
			     its installations instead. One page; ref is where the next one is */
	OP_DELIVERIES, /* deliveries that failed since since_ms, newest first, as items: id, title
			  (guid), user (event), updated_ms. Of an App, or of repo's hook (id: its
			  number, base: "org" if it is the owner's). One page, as above.
			  ERR_MISSING: the forge has no such list, or no hook of ours to see */
	OP_DELIVERY,   /* id, and for a hook's: repo, number (the hook), base: title (guid), user
			  (event), body (the payload) */
	OP_HOOK, /* repo, url: of the hook that delivers there: id; title NULL, or what is wrong
		    with it. ERR_MISSING: there is none; ERR_DENIED: it is not ours to see */
	OP_KIND_COUNT,
};

/* State of a commit status or check run, forge-neutral. */
enum forge_status { STATUS_QUEUED, STATUS_RUNNING, STATUS_SUCCESS, STATUS_FAILURE, STATUS_NEUTRAL };

struct forge_op {
	int64_t kind; /* enum forge_op_kind */
	char *forge;  /* configured name */
	int64_t installation_id;
	int64_t repo_id;
	char *repo;
	int64_t number;
	bool is_pull;
	int64_t id;
	char *user;
	int64_t user_id;
	char *label;
	char *ref;
	char *base;
	char *sha;
	char *title;
	char *body;
	char *marker;
	char *context;
	int64_t state; /* enum forge_status */
	char *url;
	char *external_id;
	char *name; /* file name of an attachment */
	bool is_draft;
	int64_t since_ms;
	/* The driver's own between two requests of one operation; not on the wire. */
	int step;
	char *cursor;
};
extern const struct row FORGE_OP_ROWS[];

void forge_op_finish(struct forge_op *op);

enum forge_permission {
	PERMISSION_UNKNOWN,
	PERMISSION_NONE,
	PERMISSION_READ,
	PERMISSION_TRIAGE,
	PERMISSION_WRITE,
	PERMISSION_ADMIN
};

struct forge_item {
	int64_t number;
	int64_t id;
	char *user;
	int64_t user_id;
	bool is_pull;
	char *title;
	char *body;
	int64_t updated_ms;
};
extern const struct row FORGE_ITEM_ROWS[];

struct forge_answer {
	int64_t id;
	int64_t number;
	char *url; /* for people */
	char *user;
	int64_t user_id;
	bool user_is_bot;
	int64_t permission; /* enum forge_permission */
	char *title;
	char *body;
	char *author;
	int64_t author_id;
	struct strs labels;
	bool is_closed;
	bool is_pull;
	char *ref; /* head branch, or the default branch for OP_REPO */
	char *sha;
	int64_t head_repo_id;
	char *base;
	char *repo;
	int64_t repo_id;
	int64_t updated_ms;
	struct row_list items;
	/* When the error is ERR_BUSY: when to ask again; 0 = by the usual backoff. */
	int64_t retry_after_ms;
	/* OP_TOKEN only; not on the wire; wiped by finish. */
	char *token;
	int64_t token_expires_ms;
};
extern const struct row FORGE_ANSWER_ROWS[];

void forge_answer_finish(struct forge_answer *a);

/* What a dialect can do; fallbacks are driven by it. */
struct forge_caps {
	bool has_checks;          /* check runs with text; else commit statuses */
	bool has_drafts;          /* drafts of its own; else only the title says "WIP: " */
	bool has_attachments;     /* files on a pull request */
	bool has_label_events;    /* who set a label, with an id */
	bool has_hook_state;      /* OP_HOOK: whether a hook is switched off */
	bool has_delivery_log;    /* what was delivered, and failed, can be read */
	bool pulls_apart;         /* pull requests are counted apart from issues (GitLab) */
	bool opened_tells_labels; /* labels at creation come only with "opened" (Gitea) */
	bool label_list_is_stale; /* ask OP_ISSUE for labels before believing an event (Gitea) */
	size_t comment_bytes_max;
};

/* Whose credential an operation's next request needs. */
enum forge_auth { FORGE_AUTH_NONE, FORGE_AUTH_TOKEN, FORGE_AUTH_JWT };

/* What the bot needs and its credential does not have. */
struct forge_lacks {
	bool is_told;       /* the forge said what the credential may do */
	struct strs rights; /* "contents: write" */
	struct strs events; /* of which an App's hook does not hear */
};

static inline void
forge_lacks_finish(struct forge_lacks *l)
{
	strs_finish(&l->rights);
	strs_finish(&l->events);
}

/* What came with a delivery to prove who sent it. */
struct forge_proof {
	const struct strs *values; /* of the driver's proof_headers, in their order; "" if absent */
	const void *body;
	size_t len;
	int64_t now_ms;
};

struct dialect; /* dialect.h */

struct forge_driver {
	const char *name; /* "github" */
	struct forge_caps caps;

	/* Names of the request headers (lower case) that hold event, finer event (NULL where none),
	 * delivery id (the first that is there counts) and proof. The lists end with NULL. */
	const char *event_header;
	const char *event_type_header;
	const char *const *guid_headers;
	const char *const *proof_headers;
	bool form_signs_json; /* form-encoded deliveries are signed over the decoded JSON (Gitea) */

	/* Whether the secret made the proof: 0, ERR_DENIED, or ERR_INVALID if it did, but too long
	 * ago to be acted upon. In constant time of what is secret. */
	int (*verify)(const struct forge_proof *p, const struct buf *secret);

	/* Bytes of a verified delivery to an event. Lenient: a payload it does not know is
	 * EVENT_NONE. ERR_INVALID only for what is not JSON at all, ERR_LIMIT over the limits of
	 * json.h. Commands of a created comment are parsed by forge/markdown.h. */
	int (*decode)(const struct forge_delivery *d, const char *body, size_t len,
		struct forge_event *out, struct err *e);

	const struct dialect *dialect; /* its operations: forge_build and forge_read */

	/* What the next request of op is to be sent with. NULL: a token, always. */
	enum forge_auth (*auth)(const struct forge_op *op);

	/* Value of the Authorization header for a token; is_jwt for the App's own calls. */
	void (*auth_value)(const char *token, bool is_jwt, struct buf *out);

	/* Basic credentials "user:token" for git over HTTP. */
	void (*git_userinfo)(const char *token, struct buf *out);

	/* Adds what the credential lacks, as far as a reply to OP_WHOAMI tells it. NULL: a forge
	 * whose replies never tell. */
	void (*lacks)(const struct http_reply *r, struct forge_lacks *out);

	/* Of a forge that has Apps, else NULL: the claims of the JWT that an App proves itself with
	 * when the forge's clock shows now_ms; and what that clock showed, if the reply refuses a
	 * JWT for its times (0: it does not). */
	int (*app_claims)(int64_t app_id, int64_t now_ms, struct buf *out);
	int64_t (*app_refused_time)(const struct http_reply *r);
};

const struct forge_driver *forge_driver_get(enum forge_kind kind);

/* Builds the next request of op (op->step, op->cursor). For OP_ATTACH out->body holds the file's
 * bytes. The Authorization header is the caller's: forge_auth_of and the driver's auth_value.
 * ERR_MISSING if this forge has no such operation. */
int forge_build(const struct forge_driver *driver, const struct forge_conf *f,
	const struct forge_op *op, struct http_request *out, struct err *e);
enum forge_auth forge_auth_of(const struct forge_driver *driver, const struct forge_op *op);

/* Reads its reply into *a (the caller's, zeroed before the first step). 0: done. 1: op was
 * advanced, build and send again. Errors by the status, see forge/retry.h; a->retry_after_ms is set
 * with ERR_BUSY. */
int forge_read(const struct forge_driver *driver, const struct forge_conf *f, struct forge_op *op,
	const struct http_reply *r, struct forge_answer *a, struct err *e);

/* "github", "gitea", "forgejo" or "gitlab"; -1 if unknown. */
int forge_kind_parse(const char *name);

/* True for operations that change something on the forge; for those that roles ask about. Neither
 * is true for what is the courier's own business: tokens and installations. */
bool forge_op_is_write(int64_t kind);
bool forge_op_is_read(int64_t kind);
const char *forge_op_name(int64_t kind);

/* "owner/name" (GitLab: up to 20 groups before the name), each part of [A-Za-z0-9._-] and not "."
 * or "..": safe in an address and in a path. */
bool forge_repo_ok(enum forge_kind kind, const char *repo);

/* What people write for an event's number. */
static inline int64_t
forge_number(int64_t number)
{
	return number < 0 ? -number : number;
}

/* How they refer to it: "#12", and "!12" for a pull request that is counted apart. */
void forge_reference(int64_t number, struct buf *out);

/* https://host/owner/name.git, built from the configured base, never from a payload. ERR_INVALID
 * for a name outside [A-Za-z0-9._-]. */
int forge_clone_url(const struct forge_conf *f, const char *repo, struct buf *out, struct err *e);

/* Web address of an issue or pull request. */
int forge_issue_url(const struct forge_conf *f, const char *repo, int64_t number, bool is_pull,
	struct buf *out, struct err *e);

/* Web address of a file at a commit id, for the log ref. */
int forge_blob_url(const struct forge_conf *f, const char *repo, const char *sha, const char *path,
	struct buf *out, struct err *e);

#endif
