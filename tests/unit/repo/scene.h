/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene - a directory for one test, and git as a person would run it, to make what the code under
 * test must cope with.
 */
#ifndef TESTS_UNIT_REPO_SCENE_H
#define TESTS_UNIT_REPO_SCENE_H

#include "base/buf.h"
#include "repo/repo.h"

#include <stdbool.h>
#include <stddef.h>

struct scene {
	char dir[64];
	char *mirror; /* <dir>/state/mirrors/gh/7.git, with branch main */
	char *trees;
	char *work;                  /* <dir>/work, the repository of a person */
	char base[REPO_SHA_LEN + 1]; /* the last commit of main */
};

/* cmocka setup and teardown; *state is a struct scene. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* Runs git in the directory with the words of `args` (separated by single spaces; none may have one
 * inside). What it prints goes to out, without the last newline; fails the test unless the exit
 * code is 0. */
void scene_git(const char *dir, const char *args, struct buf *out);
void scene_git_in(
	const char *dir, const char *args, const void *in, size_t in_len, struct buf *out);

/* The exit code. */
int scene_run(const char *dir, const char *const *argv, const char *const *env, const void *in,
	size_t in_len, struct buf *out);

void scene_write(const char *dir, const char *name, const char *text);
char *scene_read(const char *dir, const char *name); /* NULL: not there */
bool scene_exists(const char *dir, const char *name);

/* Everything of the working tree becomes a commit of fixed date; *sha gets its id. */
void scene_commit(struct scene *s, const char *message, char sha[REPO_SHA_LEN + 1]);

/* Pushes main into the mirror as a fetch would have put it. */
void scene_mirror(struct scene *s);

/* A bundle of base..rev of the directory's repository, as an open file. */
int scene_bundle(struct scene *s, const char *dir, const char *rev);
int scene_file(struct scene *s, const void *data, size_t len);

/* A bundle with exactly these objects (ids, one a line), whatever they refer to. */
int scene_raw_bundle(struct scene *s, const char *objects, const char *tip);

/* Makes the frozen checkout of base; the path is the caller's. */
char *scene_checkout(struct scene *s);

/* Checkout and layer in one directory, <dir>/box, as an overlay shows them; the caller's. */
char *scene_overlay(struct scene *s, const char *checkout, const char *layer);

/* git prints this. */
void scene_assert_git(const char *dir, const char *args, const char *want);

/* A harvest of base as task 1, attempt 1; borrowed until the next call. */
struct repo_harvest scene_harvest(struct scene *s);

/* What an agent works in: a copy of the checkout; its path is the caller's. Then its commit, and
 * the harvest of that. */
char *scene_agent(struct scene *s);
void scene_agent_commit(const char *dir);
int scene_take(struct scene *s, const char *dir, struct repo_harvested *out, struct err *e);

#endif
