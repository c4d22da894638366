// SPDX-License-Identifier: Apache-2.0
/*
 * The only source of chance in the simulator: splitmix64. Everything that a run does follows from one number, so that a run that
 * failed can be had again.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* rng_below: 0 to n - 1; 0 for n = 0. */
static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return n ? (uint32_t)(rng_next(rng) % n) : 0;
}

/* rng_chance is true so many times in a thousand. */
static inline bool rng_chance(struct rng *rng, unsigned int thousandths)
{
	return rng_below(rng, 1000) < thousandths;
}

/* rng_between: low to high, both included. */
static inline uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_next(rng) % (high - low + 1);
}

static inline void rng_fill(struct rng *rng, void *out, size_t len)
{
	uint8_t *at = out;

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)rng_next(rng);
}

#endif
