// SPDX-License-Identifier: Apache-2.0
/*
 * Start of the room, see crypto.h: fetch once, prove once. What was fetched and computes wrongly stops the program, since a peer would take it for an attack.
 */
#include "crypto/internal.h"

#include <openssl/crypto.h>

static bool ready;

static int fetch(struct err *err)
{
	int rc = hash_init(err);

	if (!rc)
		rc = prf_init(err);
	if (!rc)
		rc = cipher_init(err);
	if (!rc)
		rc = kex_init(err);
	return rc ? rc : selftest_run(err);
}

int crypto_init(struct err *err)
{
	int rc = ready ? 0 : fetch(err);

	if (rc)
		crypto_clear();
	else
		ready = true;
	return rc;
}

void crypto_clear(void)
{
	ready = false;
	kex_clear();
	cipher_clear();
	prf_clear();
	hash_clear();
	ERR_clear_error();
}

bool crypto_equal(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || CRYPTO_memcmp(a.at, b.at, a.len) == 0);
}
