/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp - the list of denied calls in the form that runtimes read.
 *
 * The form cannot say "and whatever is newer", nor choose what befalls a call of another
 * architecture. So PID 1 loads our own program too: of two answers the kernel takes the stricter.
 */
#include "sandbox/oci/oci.h"

#include "base/json.h"

#include <seccomp.h>
#include <string.h>

#if defined(__x86_64__)
#define ARCH "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define ARCH "SCMP_ARCH_AARCH64"
#else
#error "name this architecture as runtimes do"
#endif

static const char *const OPS[] = {
	[SCMP_CMP_NE] = "SCMP_CMP_NE",
	[SCMP_CMP_LT] = "SCMP_CMP_LT",
	[SCMP_CMP_LE] = "SCMP_CMP_LE",
	[SCMP_CMP_EQ] = "SCMP_CMP_EQ",
	[SCMP_CMP_GE] = "SCMP_CMP_GE",
	[SCMP_CMP_GT] = "SCMP_CMP_GT",
	[SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* native_rule_cb */
static int
add_rule(void *ctx, const char *call, int sys, unsigned n, const struct scmp_arg_cmp *args)
{
	struct buf *out = ctx;

	if (out->data[out->len - 1] != '[')
		(void)buf_addc(out, ',');
	(void)buf_adds(out, "{\"names\":[");
	(void)json_quote(out, call, strlen(call));
	(void)buf_addf(out, "],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d", sys);
	for (unsigned i = 0; i < n; i++) {
		(void)buf_addf(out,
			"%s{\"index\":%u,\"op\":\"%s\",\"value\":%llu,\"valueTwo\":%llu}",
			i ? "," : ",\"args\":[", args[i].arg, OPS[args[i].op],
			(unsigned long long)args[i].datum_a, (unsigned long long)args[i].datum_b);
	}
	(void)buf_adds(out, n ? "]}" : "}");
	return 0;
}

void
oci_seccomp(struct buf *out)
{
	(void)buf_adds(out, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
			    "\"architectures\":[\"" ARCH "\"],\"syscalls\":[");
	(void)native_rules(add_rule, out);
	(void)buf_adds(out, "]}");
}
