/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_child - `nightshift --role git-child`: opens objects so that no role has to.
 *
 * One job a process. Standard input is a sealed memfd with a row-packed struct git_job; descriptor
 * 3 is the bundle of a harvest; standard output takes the result. Before it opens anything it gives
 * up the network, all files but those the job names, and (but for the checkout, which runs the git
 * CLI) the right to start programs. It never has a token.
 */
#ifndef BOT_GIT_CHILD_H
#define BOT_GIT_CHILD_H

#include "base/row.h"

#define GIT_CHILD_ROLE "git-child"

enum git_job_kind {
	/* A frozen checkout of `sha`, and .agent.yml of `settings_sha`; which submodules and
	 * objects of Git LFS are to be fetched, if that one wants them. Without settings_sha it is
	 * a submodule itself, whose own are always listed. */
	GIT_JOB_CHECKOUT,
	GIT_JOB_EXTRA, /* the layer `extra` of a checkout: these */
	GIT_JOB_HARVEST,
	GIT_JOB_SEAL,  /* the harvested commit with a signature */
	GIT_JOB_LOGS,  /* the commit of a transcript */
	GIT_JOB_SWEEP, /* `dir` is the directory of all quarantines: the old ones go */
	GIT_JOB_FIT,   /* `dir` is that of all mirrors: checkouts and mirrors beyond these go */
	GIT_JOB_COUNT,
};

struct git_job {
	int64_t kind;
	char *mirror;
	char *trees;
	char *sha;
	char *settings_sha;
	char *dir; /* of the task; quarantine and delta_dir are in it */
	char *quarantine;
	char *objects;
	char *delta_dir;
	char *message;
	char *trailers;
	char *author;
	char *email;
	int64_t date_s;
	struct strs protect;
	char *payload;
	char *signature;
	char *cast;
	char *text;
	char *modules_dir; /* where the checkouts of submodules are */
	char *lfs_dir;     /* and objects of Git LFS; NULL: not wanted */
	char *extra;
	struct row_list modules; /* struct repo_extra_module */
	char *notes;
	bool is_partial;
	int64_t checkout_bytes_max;
	int64_t mirror_bytes_max;
};
extern const struct row GIT_JOB_ROWS[];

/* code 0 or ERR_; the rest as repo/repo.h says. Behind the packed struct (u32 length first, little
 * endian) come the row-packed struct agent_settings of a checkout. */
struct git_done {
	int64_t code;
	char *text;
	char *sha;
	char *payload;
	int64_t files, insertions, deletions;
	char *notes;
	char *settings_text;
	struct row_list modules; /* struct repo_module */
	struct row_list lfs;     /* struct repo_lfs */
	int64_t lfs_left;        /* files over the limits */
};
extern const struct row GIT_DONE_ROWS[];

/* Reads such a result. settings points into data. ERR_PROTOCOL. */
int git_done_read(const char *data, size_t len, struct git_done *out, const char **settings,
	size_t *settings_len, struct err *e);

int git_child_main(void);

#endif
