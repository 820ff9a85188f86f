/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci - the driver that lets an OCI runtime (crun, runc) make the box.
 *
 * A child in a mount namespace of its own puts everything side by side that the box is made of (the
 * stage), writes the runtime's config.json beside it and turns into the runtime. That makes the
 * namespaces, mounts what the file says, loads the filter and starts our PID 1, which goes on as in
 * the native driver: terminal, listener, posture, limits, the word to go. Then the runtime ends,
 * and with it the stage, the file and the runtime's notes: there is nothing to delete afterwards,
 * whoever is killed when. The box's process passes to us, and is a box like any other.
 */
#ifndef SANDBOX_OCI_OCI_H
#define SANDBOX_OCI_OCI_H

#include "sandbox/native/native.h"

#define OCI_INIT   "/run/nightshift-init" /* in the box: its PID 1 */
#define OCI_USER   "user"                 /* on the stage: its user namespace */
#define OCI_STATE  "state"
#define OCI_BUNDLE "config.json"

struct oci_runtime {
	const char *name;
	const char *program;
	const char *const *args; /* before the command */
	/* It becomes 0 in the box while it builds it, so there must be a 0, which a single uid
	 * cannot be beside the box's. */
	bool needs_root;
	const char *refusal; /* why no box can be had from it */
};

/* runtime.c. word: a name of the table or an absolute path; -1: ERR_MISSING, ERR_INVALID,
 * ERR_DENIED with what a person does about it. */
int oci_runtime_find(const char *word, bool has_slots, const struct oci_runtime **out, int *out_fd,
	struct err *e);

struct oci {
	struct native n; /* first: steps get it */
	const struct oci_runtime *runtime;
	int program_fd;
};

static inline struct oci *
oci_of(struct native *n)
{
	return (struct oci *)(void *)n;
}

/* The host uid of the box's 0, for a runtime that needs one: nobody else's. */
static inline unsigned
oci_root_uid(const struct native *n)
{
	return BOX_HOST_UID + BOX_SLOTS_MAX + (unsigned)n->spec->slot;
}

/* reaper.c: our child, with a socket to us. */
_Noreturn void oci_reaper(struct oci *o, int word);

/* ---- inside the stage ---- */

_Noreturn void oci_stage(struct oci *o);

/* user.c: a user namespace with the box's maps in which no further one can be made, bound to
 * OCI_USER on the stage. */
int oci_user(struct native *n, struct err *e);

/* config.c */
int oci_config(const struct oci *o, struct buf *out, struct err *e);
void oci_seccomp(struct buf *out); /* seccomp.c: the member of that name */

#endif
