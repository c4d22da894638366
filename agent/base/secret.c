// SPDX-License-Identifier: Apache-2.0
/*
 * Key material, see secret.h.
 */
#include "base/secret.h"

#include <errno.h>
#include <string.h>

int secret_set(struct secret *secret, const void *octets, size_t len)
{
	if (len > sizeof(secret->octets))
		return -EMSGSIZE;
	secret_clear(secret);
	memcpy(secret->octets, octets, len);
	secret->len = len;
	return 0;
}

void secret_clear(struct secret *secret)
{
	secret_wipe(secret, sizeof(*secret));
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	unsigned int differs = a->len != b->len;

	/* Octets behind `len` are zero, so the whole room can be compared whatever the lengths are. */
	for (size_t i = 0; i < sizeof(a->octets); i++)
		differs |= a->octets[i] ^ b->octets[i];
	return differs == 0;
}

void secret_wipe(void *memory, size_t len)
{
	explicit_bzero(memory, len);
}
