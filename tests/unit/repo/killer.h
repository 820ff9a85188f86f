/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killer - work that is killed as it is about to change something in the file system: what it left
 * then is what any process leaves that dies between two steps.
 */
#ifndef TESTS_UNIT_REPO_KILLER_H
#define TESTS_UNIT_REPO_KILLER_H

#include <stdbool.h>

/* 0, or an error. */
typedef int killer_work(void *arg);

/* Runs it in a child, which dies before its n-th change is made. False: it made fewer, and came to
 * its end. Of what the child starts nothing is counted; it must die with it. */
bool killer_strike(killer_work *work, void *arg, int n);

#endif
