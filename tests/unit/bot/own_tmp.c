/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_tmp - see own_tmp.h.
 */
#include "tests/unit/bot/own_tmp.h"

#include "base/clean.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

void
own_tmp_mount(const char *options)
{
	auto_free char *map = mem_fmt("%u %u 1", geteuid(), geteuid());
	const char *const files[] = { "setgroups", "uid_map", "gid_map" };
	const char *const texts[] = { "deny", map, map };
	bool is_root = geteuid() == 0;

	assert_int_equal(unshare(is_root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS), 0);
	for (int i = 0; !is_root && i < 3; i++) {
		auto_free char *path = mem_fmt("/proc/self/%s", files[i]);
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
	}
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", "/tmp", "tmpfs", 0, options), 0);
}

void
own_tmp_unmount(void)
{
	assert_int_equal(umount2("/tmp", MNT_DETACH), 0);
}
