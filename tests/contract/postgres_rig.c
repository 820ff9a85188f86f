/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_rig - see postgres_rig.h. */
#include "postgres_rig.h"

#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <cmocka.h>

#define NOBODY   65534 /* the server refuses to be root */
#define START_MS 60000

static char dir[64];
static char url[128];
static pid_t server;

/* The newest of what Debian has side by side. */
static char *
program(const char *name)
{
	auto_free char *pattern = mem_fmt("/usr/lib/postgresql/*/bin/%s", name);
	glob_t found = { 0 };

	if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0)
		fail_msg("no %s: install the package postgresql (script/deps test)", pattern);
	char *path = mem_str(found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

static pid_t
start(char *const *argv)
{
	auto_free char *log = mem_fmt("%s/log", dir);
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(99);
	(void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (getppid() != parent || fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(dir) < 0)
		_exit(99);
	execv(argv[0], argv);
	_exit(98);
}

static void
show_log(void)
{
	auto_free char *path = mem_fmt("%s/log", dir);
	auto_buf struct buf text = BUF_INIT(1 << 20);

	(void)fs_read(path, &text, NULL);
	(void)fprintf(stderr, "%s\n", buf_str(&text));
}

static void
make_cluster(void)
{
	auto_free char *initdb = program("initdb");
	auto_free char *data = mem_fmt("%s/data", dir);
	char *argv[] = { initdb, (char[]){ "-D" }, data, (char[]){ "-U" }, (char[]){ "test" },
		(char[]){ "-A" }, (char[]){ "trust" }, (char[]){ "-N" }, (char[]){ "-E" },
		(char[]){ "UTF8" }, (char[]){ "--locale=C" }, NULL };
	int status = 0;
	pid_t pid = start(argv);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		show_log();
		fail_msg("initdb ended with status %d", status);
	}
}

static void
wait_until_it_answers(void)
{
	for (int ms = 0; ms < START_MS; ms += 20) {
		if (PQping(url) == PQPING_OK)
			return;
		if (waitpid(server, NULL, WNOHANG) == server)
			break;
		(void)poll(NULL, 0, 20); /* it tells nobody when it is ready */
	}
	show_log();
	fail_msg("the server does not answer");
}

void
postgres_rig_again(void)
{
	auto_free char *postgres = program("postgres");
	auto_free char *data = mem_fmt("%s/data", dir);
	char *argv[] = { postgres, (char[]){ "-D" }, data, (char[]){ "-k" }, dir, (char[]){ "-h" },
		(char[]){ "" }, (char[]){ "-F" }, (char[]){ "-c" },
		(char[]){ "max_connections=20" }, (char[]){ "-c" },
		(char[]){ "shared_buffers=16MB" }, NULL };

	server = start(argv);
	wait_until_it_answers();
}

void
postgres_rig_start(void)
{
	if (server > 0)
		return;
	(void)snprintf(dir, sizeof(dir), "/tmp/ns-pg-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (geteuid() == 0)
		assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
	(void)snprintf(url, sizeof(url), "postgres:///postgres?host=%s&user=test", dir);
	make_cluster();
	postgres_rig_again();
}

static void
end(int signo)
{
	if (server <= 0)
		return;
	assert_int_equal(kill(server, signo), 0);
	assert_int_equal(waitpid(server, NULL, 0), server);
	server = 0;
}

void
postgres_rig_crash(void)
{
	end(SIGQUIT);
}

void
postgres_rig_stop(void)
{
	end(SIGQUIT);
	if (*dir)
		(void)fs_remove_tree(dir, NULL);
	dir[0] = '\0';
}

const char *
postgres_rig_url(void)
{
	return url;
}

const char *
postgres_rig_dir(void)
{
	return dir;
}

long long
postgres_rig_number(const char *sql)
{
	PGconn *c = PQconnectdb(url);
	PGresult *r = PQexec(c, sql);
	long long n = -1;

	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0)
		n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	else if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
	return n;
}

void
postgres_rig_sql(const char *sql)
{
	(void)postgres_rig_number(sql);
}

void
postgres_rig_empty(void)
{
	postgres_rig_sql("SET client_min_messages = error; DROP SCHEMA public CASCADE; "
			 "CREATE SCHEMA public");
}

int
postgres_rig_group_setup(void **state)
{
	(void)state;
	postgres_rig_start();
	return 0;
}

int
postgres_rig_group_teardown(void **state)
{
	(void)state;
	postgres_rig_stop();
	return 0;
}
