// SPDX-License-Identifier: Apache-2.0
/*
 * scrypt (RFC 7914), with which minisign seals its secret keys under a password.
 */
#include "crypto/internal.h"

int scrypt_of(uint8_t *out, size_t len, struct view password, struct view salt, uint64_t n, uint64_t r, uint64_t p,
	      uint64_t memory_max)
{
	/* What the library will take, in doubles: no overflow whatever the file says. */
	double memory = 128.0 * (double)r * ((double)n + (double)p + 2);

	if (n < 2 || n & (n - 1) || !r || !p)
		return -EBADMSG;
	if (memory > (double)memory_max)
		return -EMSGSIZE;
	if (EVP_PBE_scrypt((const char *)password.at, password.len, salt.at, salt.len, n, r, p, memory_max, out, len) !=
	    1)
		return lib_fail(-EIO);
	return 0;
}
