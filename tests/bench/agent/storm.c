/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm - forks for ever: each process in a session of its own, each child's parent gone at once,
 * deaf to every signal that may be ignored. Says "f" on its output when there may be no more.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

int
main(void)
{
	static const struct timespec breath = { .tv_nsec = 500000 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int is_said = 0;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &ignore, NULL);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)setsid();
			if (fork() > 0)
				_exit(0);
		} else if (pid < 0) {
			if (!is_said && write(1, "f", 1) == 1)
				is_said = 1;
			(void)nanosleep(&breath, NULL);
		}
	}
}
