/* SPDX-License-Identifier: Apache-2.0 */
/* check_rootfs - what a box does not find in a tree is said, and what is no tree at all. */
#include "base/mem.h"
#include "tests/unit/bot/check_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* This machine's shell, and what else is asked for as far as it is to be found: its name. */
static const char MAKE[] =
	"set -eu; mkdir -p tree && cd tree && mkdir -p usr/bin usr/lib etc/ssl/certs dev proc\n"
	"for d in bin sbin lib lib32 lib64 libx32; do\n"
	"  if test -L /$d; then ln -s usr/$d $d; mkdir -p usr/$d; fi\n"
	"done\n"
	"cp -L /bin/sh usr/bin/sh\n"
	"ldd /bin/sh | grep -o '/[^ ]*' | while read lib; do\n"
	"  mkdir -p .$(dirname $lib); cp -L $lib .$lib\n"
	"done\n";

static void
shell(const char *script)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
configure(struct config *c)
{
	auto_free char *text =
		mem_fmt("intake: poll\nagent: mine\n"
			"forges: { t: { kind: gitea, url: \"http://h\", token_file: t } }\n"
			"agents: { mine: { command: [agent] }, far: { command: [far] }, "
			"lead: { command: [%s/tools/lead] } }\n"
			"sandbox: { rootfs: %s/tree, tools: [%s/tools] }\n",
			scratch_dir, scratch_dir, scratch_dir);

	check_case_parse(text, c);
}

static void
what_it_lacks_is_said(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 }, again = { 0 };

	(void)state;
	shell(MAKE);
	configure(&c);
	check_rootfs(&r, &c);
	check_case_has(&r, "sandbox.rootfs", "failure", "has no git");
	check_case_has(&r, "sandbox.rootfs", "warning", "has no tar");
	check_case_has(&r, "sandbox.rootfs", "warning", "has no certificates");
	check_report_finish(&r);
	shell("cd tree/usr/bin && printf '#!/bin/sh\\n' >git && chmod 755 git && ln -s /bin/git "
	      "tar "
	      "&& echo c >../../etc/ssl/certs/ca-certificates.crt");
	check_rootfs(&again, &c);
	check_case_has(&again, "sandbox.rootfs", "ok", "a shell, git, tar and certificates");
	assert_int_equal(again.exit_code, 0);
	check_report_finish(&again);
}

static void
what_is_no_root_is_said(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 }, absent = { 0 }, mute = { 0 };

	(void)state;
	configure(&c);
	check_rootfs(&absent, &c);
	check_case_has(&absent, "sandbox.rootfs", "failure", "No such file");
	check_report_finish(&absent);
	shell(MAKE);
	shell("rmdir tree/dev && ln -s /dev tree/dev");
	check_rootfs(&r, &c);
	check_case_has(&r, "sandbox.rootfs", "failure", "/dev is a link");
	check_report_finish(&r);
	shell("rm tree/dev tree/usr/bin/sh");
	check_rootfs(&mute, &c);
	check_case_has(&mute, "sandbox.rootfs", "failure", "/bin/sh");
	check_report_finish(&mute);
}

/* The machine's own programs are not the box's, and links of the tree stay in it. */
static void
agents_are_looked_for_in_it(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	shell(MAKE);
	shell("cp tree/usr/bin/sh tree/usr/bin/real; ln -s /usr/bin/real tree/usr/bin/agent; "
	      "ln -s /bin/cat tree/usr/bin/far");
	configure(&c);
	assert_true(check_rootfs_has(&c, "/bin/sh"));
	assert_false(check_rootfs_has(&c, "/usr/bin/git"));
	assert_false(check_rootfs_has(&c, "/proc/self/exe"));
	/* A tool that leads to what only this machine has. */
	shell("mkdir tools; ln -s /usr/bin/git tools/lead; ln -s /usr/bin/real tools/good");
	check_agents(&r, &c);
	check_case_has(&r, "agents.lead", "failure", "/usr/bin/git is not seen by a box");
	check_case_has(&r, "agents.mine", "ok", "/usr/bin/agent, the default");
	check_case_has(&r, "agents.far", "failure", "far is not found by a box");
	check_report_finish(&r);
}

static void
without_one_nothing_is_asked(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	configure(&c);
	mem_set(&c.sandbox_rootfs, NULL);
	check_rootfs(&r, &c);
	assert_int_equal(r.items.n, 0);
	check_report_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_it_lacks_is_said),
		SCRATCH_TEST(what_is_no_root_is_said),
		SCRATCH_TEST(agents_are_looked_for_in_it),
		SCRATCH_TEST(without_one_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
