/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs - Git LFS: what a pointer says, which of a commit are not here yet, and the one request that
 * asks for them. No git-lfs program is needed, here or in a box.
 *
 * Of the protocol: the batch API with "download" and the "basic" transfer; no locks, no uploads, no
 * pointer extensions, no other transfers. Objects are kept in one directory for each repository,
 * <dir>/<2 digits>/<id>, and are not changed once they are there.
 */
#ifndef REPO_LFS_H
#define REPO_LFS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPO_LFS_OID_LEN   64
#define REPO_LFS_BATCH     100 /* objects of one request */
#define REPO_LFS_MEDIATYPE "application/vnd.git-lfs+json"

struct repo_lfs {
	char *oid; /* SHA-256, lower case */
	int64_t size;
};
extern const struct row REPO_LFS_ROWS[];
void repo_lfs_finish(struct row_list *objects);

/* ---- Pure (lfs.c) ---- */

/* True for a pointer as git-lfs writes it: version, oid, size, nothing else. *out is filled then.
 */
bool repo_lfs_pointer(const char *data, size_t len, struct repo_lfs *out);

/* Body of POST <clone url>/info/lfs/objects/batch for n objects. */
int repo_lfs_ask(const struct repo_lfs *v, size_t n, struct buf *out, struct err *e);

/* Where to get one of them: from href, with the value of Authorization if the answer has one. href
 * is NULL if the server does not give it out. */
struct repo_lfs_place {
	char *oid;
	char *href;
	char *auth;
};
extern const struct row REPO_LFS_PLACE_ROWS[];
void repo_lfs_places_finish(struct row_list *places);

/* Reads the answer: as many places as objects, in their order. ERR_PROTOCOL. */
int repo_lfs_read(const char *data, size_t len, const struct repo_lfs *v, size_t n,
	struct row_list *out, struct err *e);

/* True if the address has the scheme, host and port of the forge's. */
bool repo_lfs_is_near(const char *forge_url, const char *href);

/* ---- Files (lfs_scan.c): in a child ---- */

/* The caller's. */
char *repo_lfs_path(const char *dir, const char *oid);

/* Writes <trees>/<sha>/lfs, once: the files of the checkout that are pointers and whose attributes
 * say filter=lfs. Runs git. */
int repo_lfs_scan(const char *trees, const char *sha, struct err *e);

/* Adds the objects of that list that are not in dir, each once. *left: how many are over the limits
 * and will not be asked for. */
int repo_lfs_missing(const char *trees, const char *sha, const char *dir, struct row_list *out,
	size_t *left, struct err *e);

#endif
