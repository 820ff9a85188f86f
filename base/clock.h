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

#endif
