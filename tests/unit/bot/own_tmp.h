/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_tmp - a small /tmp that only this process and its children see, with all that they make.
 */
#ifndef TESTS_UNIT_BOT_OWN_TMP_H
#define TESTS_UNIT_BOT_OWN_TMP_H

/* options: of tmpfs(5), as "size=96m". Fails the test if it cannot be had. */
void own_tmp_mount(const char *options);
void own_tmp_unmount(void);

#endif
