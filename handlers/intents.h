/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intents - building the answer of a handler.
 *
 * Every helper appends to the list that it is given.
 */
#ifndef HANDLERS_INTENTS_H
#define HANDLERS_INTENTS_H

#include "handlers/handlers.h"

/* The answer to a question, or NULL after an INTENT_FACT for it was appended. user may be NULL. */
const struct fact *intent_need(const struct handler_in *in, struct intents *out,
	enum forge_op_kind kind, const char *user);

void intent_ignore(struct intents *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void intent_generation(struct intents *out, bool on);
void intent_stop(struct intents *out, int64_t task, const char *by, const char *reason);

/* An operation on the event's repository, issue and forge; the caller fills in the rest. key is
 * UNIQUE over all effects. */
struct forge_op *intent_effect(
	const struct handler_in *in, struct intents *out, enum forge_op_kind kind, const char *key);

/* Eyes on the comment or, without one, on the issue. */
void intent_ack(const struct handler_in *in, struct intents *out);

/* A comment of our own that answers the n-th command of the event's comment. */
void intent_reply(const struct handler_in *in, struct intents *out, size_t n, const char *text);

/* The same to a cause with a unique name, as a trigger's key; what follows its last ':' must be
 * unique in the issue. */
void intent_reply_to(
	const struct handler_in *in, struct intents *out, const char *cause, const char *text);

/* A task for the event's issue or pull request: names, actor and authorised text filled in. The
 * caller adds the verb and the rest. */
struct task *intent_task(const struct handler_in *in, struct intents *out, const char *key);

/* Fills forge, installation and repository of an operation from the event. */
void intent_op_target(const struct handler_in *in, struct forge_op *op, enum forge_op_kind kind);

#endif
