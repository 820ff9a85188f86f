/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp - an agent that says when it began, and leaves a change so that there is a pull request.
 *
 * Static: nothing happens between exec and the first line of main but the C library's own start.
 * With a file's name it begins when it has read of that file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char text[64];
	struct timespec t;
	int n;
	int fd;

	if (argc > 1 && ((fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 ||
				read(fd, text, sizeof(text)) <= 0))
		return 66;
	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return 70;
	n = snprintf(text, sizeof(text), "stamp=%lld.%09ld\n", (long long)t.tv_sec, t.tv_nsec);
	fd = open("stamp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || close(fd) < 0)
		return 74;
	return write(STDOUT_FILENO, text, (size_t)n) == n ? 0 : 74;
}
