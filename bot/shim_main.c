/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_main - the shim as a program; the runner has it as bytes.
 */
#include "bot/shim.h"

#include "base/str.h"

int
main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[argc - 1] : NULL;

	if (str_eq(name, SHIM_NETS) || str_eq(name, SHIM_DISKS))
		return shim_maker_main(name);
	if (str_eq(name, SHIM_MEND))
		return shim_mend_main();
	return str_eq(name, SHIM_SWEEP) ? shim_sweep_main() : shim_main();
}
