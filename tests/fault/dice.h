/* SPDX-License-Identifier: Apache-2.0 */
/* dice - random numbers that one seed repeats (splitmix64). */
#ifndef TESTS_FAULT_DICE_H
#define TESTS_FAULT_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t
dice_next(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* n is not 0. */
static inline uint64_t
dice_below(struct dice *d, uint64_t n)
{
	return dice_next(d) % n;
}

static inline bool
dice_hits(struct dice *d, uint64_t percent)
{
	return dice_below(d, 100) < percent;
}

#endif
