/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt - what the agent is told.
 *
 * Only text that the requester saw goes in, as it was at the trigger, without what people cannot
 * see.
 */
#ifndef HANDLERS_PROMPT_H
#define HANDLERS_PROMPT_H

#include "handlers/handlers.h"

/* instruction: the words of the command, or NULL. The caller frees the text. */
char *prompt_make(const struct handler_in *in, const struct task *t, const char *instruction);

#endif
