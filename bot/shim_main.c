/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_main - the shim as a program; the runner has it as bytes.
 */
#include "bot/shim.h"

int
main(void)
{
	return shim_main();
}
