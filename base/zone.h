/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone - how far a place's clocks are from UTC, at any time.
 *
 * The data are the system's (/usr/share/zoneinfo, RFC 8536), kept right by whoever keeps the system
 * right. They are read here and not by the C library: its functions know one zone for the whole
 * process, to be set through the environment, which no thread may touch while another reads it.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/clean.h"
#include "base/err.h"

#include <stdint.h>

#define ZONE_DIR        "/usr/share/zoneinfo"
#define ZONE_BYTES_MAX  (64 * 1024)
#define ZONE_NAME_BYTES 64

struct zone;

/* True for what may be the name of a zone, whether the machine knows it or not: Europe/Berlin. */
int zone_name_check(const char *name, struct err *e);

/* UTC needs no file. ERR_INVALID: not a name, or not a file of that kind; ERR_MISSING: the machine
 * does not know it. */
int zone_open(const char *name, struct zone **out, struct err *e);
int zone_parse(const void *data, size_t len, struct zone **out, struct err *e);
void zone_close(struct zone *z);

/* Seconds to be added to UTC (of seconds since 1970) for the local time; z NULL is UTC. */
int32_t zone_offset(const struct zone *z, int64_t at);

static inline void
clean_zone(struct zone **z)
{
	zone_close(*z);
}

#define auto_zone auto_cleanup(clean_zone)

#endif
