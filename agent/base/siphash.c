// SPDX-License-Identifier: Apache-2.0
/*
 * SipHash-2-4, see siphash.h. Written after the paper's figure 2.1; names are the paper's.
 */
#include "base/siphash.h"

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t read_le(const uint8_t *octets, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)octets[i] << (8 * i);
	return value;
}

static void rounds(uint64_t v[4], int count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	rounds(v, 2);
	v[0] ^= m;
}

uint64_t siphash_of(const uint8_t key[SIPHASH_KEY], const void *data, size_t len)
{
	uint64_t k0 = read_le(key, 8), k1 = read_le(key + 8, 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			  k1 ^ 0x7465646279746573 };
	const uint8_t *octets = data;
	size_t left = len;

	for (; left >= 8; octets += 8, left -= 8)
		absorb(v, read_le(octets, 8));
	absorb(v, read_le(octets, left) | (uint64_t)(len & 0xff) << 56);
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
