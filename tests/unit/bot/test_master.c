/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master with two roles made for the test: `web` asks `keeper` whenever it is introduced to
 * one, and both say on standard error what happens to them. The master runs in a child of the test
 * and starts this program again as its roles.
 */
#include "base/buf.h"
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/master.h"
#include "bot/roles.h"
#include "tests/unit/bot/queue_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the two roles ---- */

static void
say_environment(void)
{
	int n = 0;

	while (environ[n])
		n++;
	log_info(NULL, "test.env", "n=%d first=%s", n, n ? environ[0] : "");
}

#define BOXES_CUT 13 /* in the configuration: the first keeper is complained of */

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	static bool has_complained;
	struct role_ctx *r = ctx;

	log_info(NULL, "test.answered", "type=%d code=%d", m ? m->type : 0, m ? 0 : e->code);
	if (r->config->boxes == BOXES_CUT && !has_complained)
		role_cut_peer(r, ROLE_KEEPER);
	has_complained = true;
}

static void
web_on_peer(struct role_ctx *r, enum role peer, bool is_up)
{
	char forge[] = "gh";
	struct wire_verify v = { .forge = forge };

	if (is_up && peer == ROLE_KEEPER)
		(void)msg_call(role_link(r, ROLE_KEEPER),
			&(struct msg_out){ .type = WIRE_VERIFY, .obj = &v }, 0, on_answer, r);
}

static void
web_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	(void)from;
	if (m->type == WIRE_LISTEN)
		role_ready(r, NULL);
}

static void
web_on_config(struct role_ctx *r)
{
	log_info(NULL, "test.config", "boxes=%d", (int)r->config->boxes);
}

static void
keeper_on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	struct wire_verdict v = { .ok = true };

	(void)msg_reply(role_link(r, from), m->id,
		&(struct msg_out){ .type = WIRE_VERIFIED, .obj = &v }, NULL);
}

#define BOXES_BROKEN 14 /* no role can start */

static int
start(struct role_ctx *r, struct err *e)
{
	say_environment();
	if (r->config->boxes == BOXES_BROKEN)
		return err_set(e, ERR_DENIED, "test: cannot read");
	return 0;
}

static const struct role_spec web_spec = {
	.role = ROLE_WEB,
	.net = CONFINE_NET_SERVE,
	.says_ready = true,
	.start = start,
	.on_msg = web_on_msg,
	.on_peer = web_on_peer,
	.on_config = web_on_config,
};

static const char *const keeper_writes[] = { "keeper", NULL };
static const struct role_spec keeper_spec = {
	.role = ROLE_KEEPER,
	.writes = keeper_writes,
	.keeps_secret_env = true,
	.start = start,
	.on_msg = keeper_on_msg,
};

const struct role_spec *const ROLES[ROLE_COUNT] = {
	[ROLE_KEEPER] = &keeper_spec,
	[ROLE_WEB] = &web_spec,
};

/* ---- the master in a child ---- */

struct fixture {
	char dir[32];
	char *config;
	unsigned only; /* 0: all roles */
	int64_t times; /* how much faster the master's time passes; not that of its roles */
	pid_t master;
	int log; /* read end of everybody's standard error */
	struct buf text;
	size_t seen; /* of text */
};

static void
write_config(struct fixture *f, const char *more)
{
	auto_free char *text =
		mem_fmt("listen: 127.0.0.1:0\npublic_url: http://127.0.0.1:1\nstate_dir: %s/state\n"
			"forges:\n  gh: { kind: github, url: \"http://f.example\", token_env: "
			"NS_TEST_TOKEN,"
			" webhook_secret_file: /k }\n%s",
			f->dir, more);

	assert_int_equal(fs_write_atomic(f->config, text, strlen(text), 0600, NULL), 0);
}

#ifdef __SANITIZE_ADDRESS__
/* Roles are this program again, without an environment and not dumpable: the leak checker cannot
 * look at them and would end them with a code of its own. The test itself is told by ctest. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int
setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/master-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chmod(f->dir, 0711), 0);
	f->config = mem_fmt("%s/nightshift.yaml", f->dir);
	f->log = -1;
	buf_init(&f->text, MIB(1));
	write_config(f, "boxes: 3\n");
	assert_int_equal(setenv("NS_TEST_TOKEN", "value-of-a-secret", 1), 0);
	*state = f;
	return 0;
}

static void
on_alarm(int signo)
{
	(void)signo;
}

/* A loop that sleeps looks at the clock when it is woken. */
static void
hasten(int64_t times)
{
	const struct sigaction act = { .sa_handler = on_alarm };
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } };

	rig_clock_start();
	rig_clock_stall(INT64_MAX);
	rig_clock_hasten(times);
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void
start_master(struct fixture *f)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	f->master = fork();
	assert_true(f->master >= 0);
	if (f->master == 0) {
		struct err e = { 0 };

		(void)dup3(ends[1], 2, 0);
		if (f->times)
			hasten(f->times);
		int code = 0;
		int rc = master_run(f->config, f->only ? f->only : ~0u, &code, &e);
		if (rc < 0)
			log_err(LOG_LEVEL_ERROR, NULL, "test.master_failed", &e);
		_exit(rc < 0 ? err_exit(rc) : code);
	}
	(void)close(ends[1]);
	f->log = ends[0];
}

/* False at the end of file: nobody is left who could write. */
static bool
read_log(struct fixture *f)
{
	char chunk[4096];
	struct pollfd p = { .fd = f->log, .events = POLLIN };

	if (poll(&p, 1, 60000) != 1)
		fail_msg("nothing more comes; so far:\n%s", buf_str(&f->text));
	ssize_t n = read(f->log, chunk, sizeof(chunk));
	assert_true(n >= 0);
	assert_int_equal(buf_add(&f->text, chunk, (size_t)n), 0);
	return n > 0;
}

/* Waits for a line that holds text, behind the last one waited for; returns what follows the text.
 */
static const char *
wait_for(struct fixture *f, const char *text)
{
	const char *at;

	while (!(at = strstr(buf_str(&f->text) + f->seen, text)) || !strchr(at, '\n')) {
		if (!read_log(f))
			fail_msg("\"%s\" did not come:\n%s", text, buf_str(&f->text));
	}
	f->seen = (size_t)(strchr(at, '\n') - f->text.data);
	return at + strlen(text);
}

static void
wait_for_silence(struct fixture *f)
{
	while (read_log(f))
		continue;
}

static int
wait_master(struct fixture *f)
{
	int status = 0;

	assert_int_equal(waitpid(f->master, &status, 0), f->master);
	f->master = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->master) {
		(void)kill(f->master, SIGKILL);
		(void)wait_master(f);
	}
	if (f->log >= 0)
		(void)close(f->log);
	assert_int_equal(fs_remove_tree(f->dir, NULL), 0);
	buf_finish(&f->text);
	free(f->config);
	free(f);
	return 0;
}

static pid_t
pid_of(struct fixture *f, const char *started)
{
	return (pid_t)strtol(wait_for(f, started), NULL, 10);
}

/* ---- the tests ---- */

static void
roles_start_meet_and_end(void **state)
{
	struct fixture *f = *state;

	start_master(f);
	wait_for(f, "serve.ready listen=127.0.0.1:");
	f->seen = 0;
	wait_for(f, "web test.env n=0 ");
	f->seen = 0;
	wait_for(f, "keeper test.env n=1 first=\"NS_TEST_TOKEN=");
	f->seen = 0;
	wait_for(f, "web test.answered type=");
	assert_int_equal(kill(f->master, SIGTERM), 0);
	wait_for(f, "serve.stopped");
	assert_int_equal(wait_master(f), 0);
	wait_for_silence(f);
	assert_null(strstr(f->text.data, " error "));
}

static void
a_killed_role_comes_back_and_is_introduced_again(void **state)
{
	struct fixture *f = *state;

	start_master(f);
	pid_t keeper = pid_of(f, "role.started role=keeper pid=");
	wait_for(f, "test.answered type=");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kill(keeper, SIGKILL), 0);
		wait_for(f, "role.ended role=keeper");
		keeper = pid_of(f, "role.started role=keeper pid=");
		wait_for(f, "test.answered type=");
	}
	/* And the one who asks. */
	f->seen = 0;
	pid_t web = pid_of(f, "role.started role=web pid=");
	f->seen = f->text.len;
	assert_int_equal(kill(web, SIGKILL), 0);
	wait_for(f, "role.started role=web");
	wait_for(f, "test.answered type=");
}

static void
a_peer_that_is_complained_of_is_ended_once(void **state)
{
	struct fixture *f = *state;

	write_config(f, "boxes: 13\n");
	start_master(f);
	wait_for(f, "test.answered");
	wait_for(f, "role.cut role=keeper by=web");
	assert_non_null(strstr(wait_for(f, "role.ended role=keeper"), "signal=9"));
	wait_for(f, "role.started role=keeper");
	wait_for(f, "test.answered");
	assert_int_equal(kill(f->master, SIGTERM), 0);
	wait_for(f, "serve.stopped");
	const char *first = strstr(f->text.data, "role.cut");
	assert_null(strstr(first + 1, "role.cut"));
}

/* A minute without a sign of life; twelve seconds here, in which the others say something twice. */
static void
a_role_that_hangs_is_replaced(void **state)
{
	struct fixture *f = *state;

	f->times = 5;
	start_master(f);
	pid_t keeper = pid_of(f, "role.started role=keeper pid=");
	wait_for(f, "test.answered type=");
	assert_int_equal(kill(keeper, SIGSTOP), 0);
	assert_int_equal(pid_of(f, "role.hangs role=keeper pid="), keeper);
	assert_non_null(strstr(wait_for(f, "role.ended role=keeper"), "signal=9"));
	wait_for(f, "role.started role=keeper");
	wait_for(f, "test.answered type=");
	assert_null(strstr(buf_str(&f->text), "role.hangs role=web"));
}

static void
a_reload_is_checked_first(void **state)
{
	struct fixture *f = *state;

	start_master(f);
	wait_for(f, "serve.ready");
	write_config(f, "boxes: many\n");
	assert_int_equal(kill(f->master, SIGHUP), 0);
	wait_for(f, "config.kept_old");
	assert_null(strstr(f->text.data, "test.config"));
	write_config(f, "boxes: 5\nuser: daemon\n");
	assert_int_equal(kill(f->master, SIGHUP), 0);
	wait_for(f, "config.needs_restart key=user");
	size_t reload = f->seen;
	wait_for(f, "web test.config boxes=5");
	f->seen = reload;                        /* these two come in any order */
	wait_for(f, "role.started role=keeper"); /* it reads the secrets again */
	wait_for(f, "test.answered");
}

static void
what_a_person_must_mend_ends_the_first_start(void **state)
{
	struct fixture *f = *state;

	write_config(f, "boxes: 14\n");
	start_master(f);
	wait_for(f, "role.failed error=\"test: cannot read\"");
	wait_for(f, "serve.stopped");
	assert_int_equal(wait_master(f), EX_NOPERM);
}

static void
nothing_outlives_a_killed_master(void **state)
{
	struct fixture *f = *state;

	start_master(f);
	wait_for(f, "serve.ready");
	assert_int_equal(kill(f->master, SIGKILL), 0);
	(void)wait_master(f);
	wait_for_silence(f); /* end of file: every holder of the pipe is gone */
}

static void
a_second_master_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct fixture second = *f;

	start_master(f);
	wait_for(f, "serve.ready");
	second.text = (struct buf)BUF_INIT(MIB(1));
	start_master(&second);
	wait_for(&second, "another nightshift works in");
	assert_int_equal(wait_master(&second), EX_TEMPFAIL);
	(void)close(second.log);
	buf_finish(&second.text);
}

static void
systemd_is_told(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[64] = "";

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
	start_master(f);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	wait_for(f, "serve.ready");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	assert_int_equal(kill(f->master, SIGTERM), 0);
	wait_for(f, "serve.stopped");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 10);
	assert_int_equal(wait_master(f), 0);
}

/* Without web nobody would answer at the port, so it is not opened. */
static void
only_what_is_asked_for_is_started(void **state)
{
	struct fixture *f = *state;

	f->only = ROLE_BIT(ROLE_KEEPER);
	start_master(f);
	wait_for(f, "serve.ready listen=none\n");
	assert_int_equal(kill(f->master, SIGTERM), 0);
	wait_for(f, "serve.stopped");
	assert_int_equal(wait_master(f), 0);
	assert_null(strstr(buf_str(&f->text), "role=web"));
}

int
main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(roles_start_meet_and_end),
		T(a_killed_role_comes_back_and_is_introduced_again),
		T(a_peer_that_is_complained_of_is_ended_once),
		T(a_role_that_hangs_is_replaced),
		T(a_reload_is_checked_first),
		T(what_a_person_must_mend_ends_the_first_start),
		T(nothing_outlives_a_killed_master),
		T(a_second_master_is_kept_out),
		T(only_what_is_asked_for_is_started),
		T(systemd_is_told),
	};

	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return role_main(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
