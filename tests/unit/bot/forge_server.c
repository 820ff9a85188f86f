/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripted forge of forge_case.h stands on the server that base's tests have.
 */
#include "tests/unit/base/http_server.c" /* one server for both folders' tests */
