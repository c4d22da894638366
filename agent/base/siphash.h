// SPDX-License-Identifier: Apache-2.0
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys strangers choose. Not for
 * authentication; that is crypto's, and the cookies' own in holdfast/cookie.h.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY 16

/* siphash_of is the 64-bit SipHash-2-4 of `len` octets under `key`. */
uint64_t siphash_of(const uint8_t key[SIPHASH_KEY], const void *data, size_t len);

#endif
