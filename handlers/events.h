/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events - one handler per kind of event; the table is in handlers.c.
 */
#ifndef HANDLERS_EVENTS_H
#define HANDLERS_EVENTS_H

#include "handlers/handlers.h"

typedef void on_event(const struct handler_in *in, struct intents *out);

on_event on_chore, on_closed, on_comment, on_edited, on_labels, on_orphan;

#endif
