/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine_syscalls - the seccomp filter of a role. Used by confine.c only.
 */
#ifndef BASE_CONFINE_SYSCALLS_H
#define BASE_CONFINE_SYSCALLS_H

#include "base/confine.h"

/* Builds the filter for c and puts it on this thread for good. Needs no_new_privs. */
int confine_syscalls(const struct confine *c, struct err *e);

#endif
