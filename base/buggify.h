/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buggify - places where the simulation may make the code's life harder.
 *
 * BUGGIFY("outbox.skip") is a condition: "here something rare, but allowed, could happen now". What
 * it guards must be correct behaviour, only unlikely: an answer that is believed to be late, a
 * cache that is empty, a limit that is one, work that is left for the next round. tests/sim decides
 * by its seed which points are on in a run, and when they fire.
 *
 * FoundationDB leaves such points in what it ships, since its simulator runs the very program. Here
 * they are compiled into the simulation's own objects (NS_SIM) and are the constant false in the
 * program: it holds keys, it reads what strangers wrote, and nothing of it shall be able to make it
 * fail on purpose. The branch is still parsed and checked by every compiler, then thrown away.
 */
#ifndef BASE_BUGGIFY_H
#define BASE_BUGGIFY_H

#include <stdbool.h>

#ifdef NS_SIM
/* Every place is in a section of its own, so that one that is never passed is known, too. */
bool buggify(const char *const *place);
#define BUGGIFY(point)                                                                             \
	__extension__({                                                                            \
		static const char *const here __attribute__((section("buggify_at"), used)) =       \
			(point);                                                                   \
		buggify(&here);                                                                    \
	})
#else
#define BUGGIFY(point) false
#endif

#endif
