/* SPDX-License-Identifier: Apache-2.0 */
/* scratch - see scratch.h. */
#include "tests/unit/scratch.h"

#include "base/fs.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char scratch_dir[64];

int
scratch_setup(void **state)
{
	(void)state;
	(void)snprintf(scratch_dir, sizeof(scratch_dir), "/tmp/ns-test-XXXXXX");
	return mkdtemp(scratch_dir) ? chdir(scratch_dir) : -1;
}

int
scratch_teardown(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return fs_remove_tree(scratch_dir, NULL);
}

void
scratch_put(const char *path, const char *text, mode_t mode)
{
	assert_int_equal(fs_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

const char SCRATCH_RSA_KEY[] = "-----BEGIN PRIVATE KEY-----\n"
			       "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDZJnD/PIF9H+lr\n"
			       "60fB3atIf6Nh3kGm2lp6Ulv1EsfYpvQgdExLEjM5wup3cE0f6pM0ivkZP0uhITQX\n"
			       "JhhtD21WRt4XDG4Vfu2R2iO27iFlfGmJvwU9rATpXx77zqaJoYhqZ9vqG9lKf3g3\n"
			       "wajtx1Gnbrxluf/iOg0Qv+2FyEmh/l84YMwsmYoyLrHNx4HUqX1PO0Mg42oXSxTW\n"
			       "JjQlN0VZs137dWMwLgHzhv6qgGnwRtDMPGcbMQRKtTIpdX05sovj/xU7r5cLh1/n\n"
			       "f8zm+2zkV9FxCheNGZ8Vo/Qn/JL3sv0U+KOK6L86v8mcXzocc3JMPuCOaSOxNnPz\n"
			       "A42oHyl7AgMBAAECggEADUe0kWd549UXyWnSMaEE4KIts8aL7VBdSC3RQeOsJSvQ\n"
			       "sktqfwzV5SpufG95yAHojsYRBeJBFdGaBfBmfgT7gtNCsdYoxVfF362fkYhusm4x\n"
			       "ZiMwht0GT99pXaz9sl0WoqtHX8HkQBIboA1P73rJG5xCGVaOt58lPWj/dbcSCb4P\n"
			       "5FgAdtjKI9yplvBoefZB19+jBTgKTIPDYbFCCAXkV0kWKPXZJDVphMsl1BACkbe4\n"
			       "NVY2ZFrAR0EmGJIdAcejSg8x5uYW+IeYObEj8OxQ/Mquz8Tr8j9JaBzKfd9HFtzd\n"
			       "ix1A8IbZ0ri/zH/5mUGNBnlsz+XevR/Iuwj+2S4QQQKBgQD4I1060ZFQku68INW7\n"
			       "Qx07HYAYsHjnj0ETQLdTJlDy13kJQfFPabMIN8ZEJPokNAZdm8UZJjuK41MQKKuT\n"
			       "oj4/yD84ApnTojxgfoPX4FSTuljh0wqEpjSgIOxkOj41dUP1EjQTRTaKHayDTu6v\n"
			       "sFaM98SAWqiumiyA+UNG1NWUdwKBgQDgB7w8GIZfpfgTFQ5tgcnYB7yDjNXYmIOg\n"
			       "JkEp+9a21zbq0kw/E7r+MPrQCHkTCcY0BByfjKV3O1kavVOFMPZF3kX/lIz1EHly\n"
			       "zxezfS6lfAdkeXr+QqoABClYD926oFQt0xF2WqjcGlspWjp/nPcxdtACm9Hq70bk\n"
			       "fPZR7YtoHQKBgQCwSW+SuhBjDgBN54Xw5F2AAhVfdQBwgnXZF8EmcbJQ1IRI73Bg\n"
			       "2tc2n2lcQGj2D3/2QRRmKaNjqNz6PeqnmDxhVAKV6EMg98GtTDSeyeFMkrdSuHxg\n"
			       "gTQiD0Hicv5/PDBri+MzTZjRxwMoxosMhlr3C4+vILl2UlILzwrc55hVQQKBgGSV\n"
			       "FH4mxK3M5kQq//9KdkT3tDubz6cfUnlks30WBKCyn4VuRa1MPnhBpVohc7qIeOSB\n"
			       "tBguHVwa2TaYKhdylB9qXCMTnvWoH97b+9gqK/dAaFFD+WSOqaS4OZfAB9zyftjU\n"
			       "GtL4gTfQ3X0DdaA16QXcQifpraW9KCcNs8m0zRJBAoGBAKMiLqmukG0k1D+O/3o1\n"
			       "2Xt22Lc/7vImypD5yjVXzJV4/jUrorQcvwYyiOBuLMj35fHjXCeDigX4hw+yBzzz\n"
			       "8PxihHwJZEmuIFPvUhUl28cFINmHwsQC4uU3DY0R35mgaqGoXPib5hlC5kfbOsuP\n"
			       "h1/zAzoo2HaWopxYxI+HRl2x\n"
			       "-----END PRIVATE KEY-----\n";
