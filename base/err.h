/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - what went wrong, on the caller's stack.
 *
 * A function that can fail returns 0 or a negative code and fills the caller's struct err. The code
 * says what the caller should do, the text says where and what. The text is one line without a full
 * stop and never holds a secret.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#define ERR_TEXT_BYTES_MAX 512

enum err_code {
	ERR_INVALID = -1,  /* the input is wrong: repair it, asking again is useless */
	ERR_MISSING = -2,  /* the thing does not exist */
	ERR_CONFLICT = -3, /* it exists already, or somebody else was first */
	ERR_DENIED = -4,   /* not allowed: asking again is useless until rights change */
	ERR_LIMIT = -5,    /* a bound was reached */
	ERR_TIMEOUT = -6,  /* no answer in time: the outcome may be unknown */
	ERR_BUSY = -7,     /* try again later */
	ERR_PROTOCOL = -8, /* the other side said something that it may not say */
	ERR_SYSTEM = -9,   /* the kernel or a library refused; sys holds errno if there was one */
};

struct err {
	int code;
	int sys;
	char text[ERR_TEXT_BYTES_MAX];
};

/* Sets code and text and returns the code. e may be NULL. Keeps no reference to its arguments. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for the errno of this moment: "text: No such file or directory". ENOENT becomes
 * ERR_MISSING, EEXIST ERR_CONFLICT, EACCES and EPERM ERR_DENIED, ENOSPC, EMFILE and ENFILE
 * ERR_LIMIT, EAGAIN and EBUSY ERR_BUSY, ETIMEDOUT ERR_TIMEOUT, anything else ERR_SYSTEM. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "text: " before what e says and returns rc unchanged. */
int err_wrap(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The code's word in lower case: "invalid", "missing", ... For logs and exit messages. */
const char *err_name(int code);

/* The sysexits(3) number that a program ends with for this code. */
int err_exit(int code);

/* True if the same call may succeed later without anybody changing anything. */
bool err_is_transient(int code);

#endif
