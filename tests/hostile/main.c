/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - `hostile NAME` does its worst in the working directory and mends the bug then; without a
 * name the file `attack` has it. `hostile list` prints what there is, "name ends" a line; an end
 * behind "watched:" is one only where no cgroup counts the memory.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct attack *const TABLES[] = { ATTACKS_PROCS, ATTACKS_MEMORY, ATTACKS_FILES,
	ATTACKS_GIT, ATTACKS_WORDS, ATTACKS_REST };
#define N_TABLES (sizeof(TABLES) / sizeof(TABLES[0]))

static const char *name;

void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)printf("hostile %s: ", name);
	(void)vprintf(fmt, ap);
	(void)putchar('\n');
	(void)fflush(stdout);
	va_end(ap);
}

void
put(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	va_list ap;

	va_start(ap, fmt);
	if (fd >= 0) {
		(void)vdprintf(fd, fmt, ap);
		(void)close(fd);
	}
	va_end(ap);
}

void
mend(void)
{
	put("add.sh", "echo $(($1 + $2))\n");
}

_Noreturn void
done(void)
{
	mend();
	_exit(0);
}

void
shell(const char *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

void
wait_all(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		continue;
}

void
wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

void
ignore(int signo)
{
	(void)sigaction(signo, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}

double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What the repository says. */
static void
read_order(char *word, size_t size)
{
	int fd = open("attack", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, word, size - 1);

	if (n > 0)
		word[strcspn(word, "\n")] = '\0';
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	char word[64] = "";
	const char *wanted = argc > 1 ? argv[1] : word;

	if (argc == 1)
		read_order(word, sizeof(word));

	for (size_t i = 0; i < N_TABLES; i++) {
		for (const struct attack *a = TABLES[i]; a->name; a++) {
			if (strcmp(wanted, "list") == 0)
				(void)printf("%s %s\n", a->name, a->ends);
			if (strcmp(wanted, a->name) != 0)
				continue;
			name = a->name;
			say("begins");
			a->run();
			done();
		}
	}
	return strcmp(wanted, "list") == 0 ? 0 : 2;
}
