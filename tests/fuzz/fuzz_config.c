/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .agent.yml as somebody with a branch may write it, and nightshift.yaml by the same parser.
 */
#include "tests/fuzz/fuzz.h"

#include "config/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct agent_settings settings = { 0 };
	struct config config = { 0 };

	if (agent_settings_parse(text, size, ".agent.yml", &settings, NULL) == 0)
		agent_settings_finish(&settings);
	if (config_parse(text, size, "nightshift.yaml", &config, NULL) == 0)
		config_finish(&config);
	return 0;
}
