/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - a whole store into another one, whichever drivers they have.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/store.h"

/* One transaction there: all of it or nothing. Both must be open, so nobody else writes to either.
 * ERR_CONFLICT: the other one is not empty. *n_rows is set on success. */
int store_copy(struct store *from, struct store *to, int64_t *n_rows, struct err *e);

#endif
