/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo - repositories: mirrors, frozen checkouts, what comes out of a box, what is pushed.
 *
 * Two kinds of code live here. Commands are data: an argument vector, a clean environment and
 * limits for the git CLI, which alone speaks to the network; the courier starts them. Everything
 * that opens objects uses libgit2 (this folder is its only door) and runs in a child without
 * network or token, because the objects may be hostile. Those functions block; call them from such
 * a child only.
 */
#ifndef REPO_REPO_H
#define REPO_REPO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/spawn.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define REPO_SHA_LEN 40

/* ---- Names and places (layout.c, name.c): pure ---- */

/* 40 lower-case hex digits. */
bool repo_sha_ok(const char *s);

/* The short name of a branch, as git-check-ref-format(1) wants it, and no leading '-'. */
bool repo_branch_ok(const char *name);

/* "owner/name" of [A-Za-z0-9._-] without "." and ".."; more parts for groups. */
bool repo_full_name_ok(const char *name);

/* All are the caller's to free. `forge` is a configured name (one path component). */
char *repo_mirror_path(const char *state_dir, const char *forge, int64_t repo_id);
char *repo_trees_path(const char *state_dir, const char *forge, int64_t repo_id);

/* Submodules have mirrors and checkouts of their own for each repository that they are in: what one
 * was allowed to fetch is nothing that another finds. suffix: "git", "trees". */
char *repo_modules_path(const char *state_dir, const char *forge, int64_t repo_id);
char *repo_module_path(const char *modules, const char *repo, const char *suffix);

char *repo_lfs_dir(const char *state_dir, const char *forge, int64_t repo_id);
char *repo_quarantine_dir(const char *state_dir, int64_t task); /* of the two below */
char *repo_quarantine_path(const char *state_dir, int64_t task);
char *repo_delta_path(const char *state_dir, int64_t task, int64_t attempt);

/* What is in <trees>/<sha>/: the tree itself, handed to boxes, and the objects behind it. */
char *repo_checkout_path(const char *trees, const char *sha);
char *repo_checkout_objects_path(const char *trees, const char *sha);

/* The local name of a fetched branch. Flat, so that the remote's "a" and "a/b" of different days
 * cannot collide. */
char *repo_mirror_ref(const char *branch);

/* ---- The git CLI as data (command.c) ---- */

struct repo_command {
	struct strs argv;
	struct strs env; /* "NAME=value" */
	size_t n_config; /* settings in env */
	char *cwd;       /* NULL = / */
	int64_t wall_ms; /* the caller's to keep */
	int64_t cpu_s_max;
	int64_t data_bytes_max;
	int64_t file_bytes_max;
};

/* The program, the environment of a stranger (no home, no system or user settings, no prompts,
 * English), and settings that no repository overrides: no hooks, filters, credential helpers,
 * redirects, protocols but https and http, no garbage collection. ERR_MISSING: there is no git. */
int repo_command_init(struct repo_command *c, struct err *e);
void repo_command_finish(struct repo_command *c); /* wipes the environment */

void repo_command_arg(struct repo_command *c, const char *arg);
void repo_command_config(struct repo_command *c, const char *key, const char *value);

/* Credentials ("user:token") for everything below the URL's scheme, host and port; in the
 * environment only. ERR_INVALID: not an http(s) URL, or one with credentials in it. */
int repo_command_auth(struct repo_command *c, const char *url, const char *userinfo, struct err *e);

/* Starts it; stdio as in struct spawn. A session of its own: kill(-pid) ends it with its children.
 */
int repo_command_start(
	const struct repo_command *c, const int stdio[3], pid_t *pid, int *pidfd, struct err *e);

/* Starts it and waits, for children that do one thing: `in` (may be NULL) is its standard input,
 * standard output goes to out (may be NULL) and the end of standard error into the error text.
 * ERR_SYSTEM for another exit than 0, ERR_TIMEOUT, ERR_LIMIT. */
int repo_command_run(
	const struct repo_command *c, const struct buf *in, struct buf *out, struct err *e);

static inline void
clean_repo_command(struct repo_command *c)
{
	repo_command_finish(c);
}

#define auto_repo_command auto_cleanup(clean_repo_command)

/* ---- What the remote has (lsrefs.c): pure ---- */

/* Body of a protocol 2 "ls-refs" request (POST <url>/git-upload-pack, with the headers
 * REPO_LSREFS_HEADERS) for HEAD and one branch (or NULL). One round trip tells whether anything
 * must be fetched at all. */
int repo_lsrefs_body(const char *branch, struct buf *out, struct err *e);
extern const char *const REPO_LSREFS_HEADERS[]; /* NULL-terminated, "name: value" */

struct repo_remote {
	char *default_branch; /* short name */
	char *default_sha;
	char *branch_sha; /* of the branch asked for, or NULL: it does not exist */
};

/* ERR_PROTOCOL for anything that is not such an answer, ERR_MISSING for an empty repository. */
int repo_lsrefs_read(
	const char *data, size_t len, const char *branch, struct repo_remote *out, struct err *e);
void repo_remote_finish(struct repo_remote *r);

/* ---- Mirrors (mirror.c) ---- */

/* Makes the bare repository if it is not there. */
int repo_mirror_create(const char *mirror, struct err *e);

/* What the remote's HEAD names, kept beside the mirror: a push never goes there. *out is NULL if it
 * is not known; the caller's. */
int repo_mirror_set_default(const char *mirror, const char *branch, struct err *e);
int repo_mirror_default(const char *mirror, char **out, struct err *e);

/* An exclusive lock, and a use of the mirror; held by the descriptor (closed on exec: git dies with
 * whoever started it, and what its helpers do then touches no ref). ERR_BUSY. */
int repo_mirror_lock(const char *mirror, int *out_fd, struct err *e);

/* Removes what a killed git left: lock files and half-written packs. Only with the lock. */
int repo_mirror_sweep(const char *mirror, struct err *e);

/* Fetches the branches (short names, NULL ones are passed over), nothing else. */
int repo_mirror_fetch(struct repo_command *c, const char *mirror, const char *url,
	const char *const branches[2], struct err *e);

/* Fetches one commit by its id, and what it reaches. */
int repo_mirror_fetch_commit(struct repo_command *c, const char *mirror, const char *url,
	const char *sha, struct err *e);

/* Packs grow by one a fetch: true if it is time for the command below. Never drops objects. */
bool repo_mirror_wants_repack(const char *mirror);
int repo_mirror_repack(struct repo_command *c, const char *mirror, struct err *e);

/* What git's standard error means: ERR_DENIED, ERR_MISSING, ERR_BUSY (the network; again later),
 * ERR_LIMIT, ERR_SYSTEM. Fills e with the line that says it. */
int repo_command_why(const char *text, struct err *e);

/* True if it was the forge's door that refused, with 401 or 403: a credential that ended or may not
 * do this, or a limit. git does not tell which. */
bool repo_command_is_door(const char *text);

/* ---- Frozen checkouts (checkout.c, evict.c): in a child without network ---- */

struct repo_checkout {
	const char *mirror;
	const char *trees;
	const char *sha;
};

/* True if <trees>/<sha> is there and was made since this machine started; counts as a use. */
bool repo_checkout_ready(const char *trees, const char *sha);

/* Makes it: all or nothing, whoever is killed when. The caller sees to it that one at a time works
 * in `trees`. ERR_MISSING: the mirror does not have the commit. ERR_LIMIT. */
int repo_checkout_make(const struct repo_checkout *c, struct err *e);

/* Removes the least recently used checkouts over `keep`, never one younger than min_age_ms since
 * its last use nor one whose directory somebody holds with flock(LOCK_SH): a box does. Returns how
 * many went, or an error. */
int repo_checkout_evict(const char *trees, size_t keep, int64_t min_age_ms, struct err *e);

/* ---- Room (fit.c): all repositories below <state_dir>/mirrors together ---- */

/* Removes the least recently used checkouts until all of them fit, as above. One run at a time.
 * Returns how many went, or an error. */
int repo_checkouts_fit(const char *mirrors, int64_t quota, int64_t min_age_ms, struct err *e);

/* The same with mirrors, and all that belongs to them: nothing of such a repository is left. */
int repo_mirrors_fit(const char *mirrors, int64_t quota, int64_t min_age_ms, struct err *e);

struct repo_sum {
	size_t n;
	int64_t bytes;
};
struct repo_sum repo_checkouts_sum(const char *mirrors);
struct repo_sum repo_mirrors_sum(const char *mirrors);

/* Removes the directories of tasks whose last harvest is older than max_age_ms. Returns how many
 * went. */
int repo_quarantine_sweep(const char *dir, int64_t max_age_ms, struct err *e);

/* ---- Single files (file.c): in a child ---- */

/* A blob of a commit, by path. ERR_MISSING (also for what is not a regular file), ERR_LIMIT
 * (out's). */
int repo_file_read(
	const char *git_dir, const char *sha, const char *path, struct buf *out, struct err *e);

/* ---- Harvest (bundle.c, harvest.c, path.c, walk.c, commit.c, delta.c): in a child without
 * network, token, program ---- */

/* Whose commit it is, and what it says. */
struct repo_author {
	const char *name;
	const char *email;
	int64_t date_s; /* UTC */
};

struct repo_harvest {
	const char *quarantine; /* made if absent */
	const char *objects; /* objects that the box was shown; nothing else may be referred to */
	const char *mirror;  /* the later push looks here */
	const char *base_sha;
	const char *message;  /* without trailers */
	const char *trailers; /* "Key: value" lines or NULL */
	struct repo_author author;
	const struct strs *protect; /* added to REPO_PROTECT; "!glob" takes out */
	const char *delta_dir;      /* written anew */
	const char *lfs_dir;        /* objects of Git LFS that the box had, or NULL */
};

struct repo_harvested {
	char *sha;     /* our commit; NULL: the tree is the base's */
	char *payload; /* the same commit as bytes, to be signed; NULL like sha */
	int64_t files, insertions, deletions;
	char *notes; /* what the agent changed and the commit does not have; or NULL */
};

extern const char *const REPO_PROTECT[]; /* NULL-terminated */

/* Reads the bundle, checks everything, writes our commit and the delta layer. ERR_DENIED: refused,
 * e names path and rule. ERR_PROTOCOL: not a bundle of one commit on the base. ERR_LIMIT. */
int repo_harvest(
	const struct repo_harvest *h, int bundle_fd, struct repo_harvested *out, struct err *e);
void repo_harvested_finish(struct repo_harvested *h);

/* The commit again, with a signature; *sha is the caller's. */
int repo_seal(const char *quarantine, const char *payload, const char *signature, char **sha,
	struct err *e);

/* A commit without parent that holds the two files, for refs/agent-logs/<task>. */
struct repo_logs {
	const char *quarantine; /* made if absent */
	const char *cast;
	const char *text;
	struct repo_author author;
};
int repo_logs_commit(const struct repo_logs *l, char **sha, struct err *e);

/* ---- Push (push.c) ---- */

struct repo_push {
	const char *quarantine;
	const char *url;
	const char *ref; /* full name */
	const char *sha; /* accepted by repo_harvest, repo_seal or repo_logs_commit; anything else
			    is ERR_DENIED */
	const char *old_sha; /* the lease; NULL = the ref must not exist */
	bool is_forced;      /* no lease: refs of our own */
};
int repo_push(struct repo_command *c, const struct repo_push *p, struct err *e);

/* Reads what git push --porcelain said. 0: the ref is at sha now. ERR_CONFLICT: somebody pushed.
 * ERR_DENIED: the forge refused (workflow files, protected branch, a hook), ERR_BUSY and the rest
 * as repo_command_why. */
int repo_push_read(
	int exit_code, const char *out, const char *err_text, const char *ref, struct err *e);

#endif
