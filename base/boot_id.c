/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_id - which run of the machine this is; see clock.h.
 */
#include "base/clock.h"

#include "base/clean.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
clock_boot_id(char out[CLOCK_BOOT_ID_BYTES])
{
	auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, CLOCK_BOOT_ID_BYTES - 1);

	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, "\n")] = '\0';
}
