/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp - an agent that says when it began, and leaves a change so that there is a pull request.
 *
 * The first instruction reads the clock: what comes before main is the C library's time and not the
 * box's. With a file's name it begins when it has read of that file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

extern struct timespec bench_began; /* the assembler writes it */
struct timespec bench_began;

#if defined(__x86_64__)
__asm__(".text\n"
	".globl bench_begin\n"
	"bench_begin:\n" /* clock_gettime(CLOCK_REALTIME, &bench_began) */
	"	movl $228, %eax\n"
	"	xorl %edi, %edi\n"
	"	movl $bench_began, %esi\n"
	"	syscall\n"
	"	jmp _start\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl bench_begin\n"
	"bench_begin:\n"
	"	mov x9, x0\n"
	"	mov x8, #113\n"
	"	mov x0, #0\n"
	"	adrp x1, bench_began\n"
	"	add x1, x1, :lo12:bench_began\n"
	"	svc #0\n"
	"	mov x0, x9\n"
	"	b _start\n");
#endif

int
main(int argc, char **argv)
{
	char text[64];
	struct timespec t = bench_began;
	int n;
	int fd;

	if (argc > 1 &&
		((fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 ||
			read(fd, text, sizeof(text)) <= 0 || clock_gettime(CLOCK_REALTIME, &t) < 0))
		return 66;
	n = snprintf(text, sizeof(text), "stamp=%lld.%09ld\n", (long long)t.tv_sec, t.tv_nsec);
	fd = open("stamp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n || close(fd) < 0)
		return 74;
	return write(STDOUT_FILENO, text, (size_t)n) == n ? 0 : 74;
}
