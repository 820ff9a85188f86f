/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_main - the shim as a program; the runner has it as bytes.
 */
#include "bot/shim.h"

#include "base/str.h"

int
main(int argc, char **argv)
{
	return argc > 0 && str_eq(argv[argc - 1], SHIM_NETS) ? shim_nets_main() : shim_main();
}
