/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - time, in one place so that the core can be given another.
 *
 * Wall time is for what people and forges read; leases, deadlines and intervals use the boot clock,
 * which no administrator sets.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* since 1970 */
int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: goes on during suspend, never jumps */

/* Names this run of the machine. What was not synced to disk is worth something only as long as
 * this is the same. "" where the kernel does not say: then nothing is. */
#define CLOCK_BOOT_ID_BYTES 37
void clock_boot_id(char out[CLOCK_BOOT_ID_BYTES]);

#endif
