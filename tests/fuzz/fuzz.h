/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz - what libFuzzer calls. Every fuzzer takes the bytes of one enemy, checks what must hold of
 * the result, and leaves nothing behind (AddressSanitizer looks).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
