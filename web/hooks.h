/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks - POST /hook/<name>: a delivery comes in.
 *
 * Nothing of the body is parsed before its signature was verified, with one exception: some forges
 * sign the JSON inside a form, so that form is percent-decoded first, in one bounded pass.
 */
#ifndef WEB_HOOKS_H
#define WEB_HOOKS_H

#include "web/site.h"

struct hooks;

/* Both are copied, their strings borrowed. */
struct hooks *hooks_create(const struct site_hook *v, size_t n, const struct site_backend *backend);
void hooks_destroy(struct hooks *h);

const struct site_hook *hooks_get(const struct hooks *h, const char *name);

/* At the head: seconds that it is to stay away, or 0. */
int hooks_wait_s(struct hooks *h, struct web_exchange *x, const char *name);
void hooks_handle(struct hooks *h, struct web_exchange *x, const char *name);
void hooks_verified(struct hooks *h, struct web_exchange *x, const char *name, int code);

#endif
