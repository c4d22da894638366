// SPDX-License-Identifier: Apache-2.0
/*
 * Key material with a type of its own: it wipes itself when its scope ends, compares in constant time, and
 * has no printer on purpose.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"

/* The longest is a pair of 64-octet keys; ESP's longest is 36. */
#define SECRET_MAX 128

struct secret {
	size_t len; /* octets; 0 = empty */
	uint8_t octets[SECRET_MAX];
};

/* secret_set copies `len` octets in. -EMSGSIZE when they do not fit; the secret is then unchanged. */
int secret_set(struct secret *secret, const void *octets, size_t len);

/* secret_clear wipes it and leaves it empty. */
void secret_clear(struct secret *secret);

/* secret_equal takes the same time wherever two secrets of one length differ. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* secret_wipe overwrites memory that held key material in another shape, in a way no compiler removes. */
void secret_wipe(void *memory, size_t len);

/* A local `OWN_SECRET struct secret key = { 0 };` is wiped on every way out. */
#define OWN_SECRET OWN(secret_clear)

#endif
