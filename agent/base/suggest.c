// SPDX-License-Identifier: Apache-2.0
/*
 * Nearest known word, see suggest.h: edit distance with swaps of neighbours, which are the commonest typing error.
 */
#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 32

static unsigned int min2(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Number of edits from a to b; both shorter than WORD_MAX. */
static unsigned int distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	uint8_t cost[WORD_MAX][WORD_MAX];

	for (size_t i = 0; i <= a_len; i++) {
		for (size_t j = 0; j <= b_len; j++) {
			unsigned int best;

			if (i == 0 || j == 0) {
				cost[i][j] = (uint8_t)(i + j);
				continue;
			}
			best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = min2(best, min2(cost[i - 1][j], cost[i][j - 1]) + 1u);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min2(best, cost[i - 2][j - 2] + 1u);
			cost[i][j] = (uint8_t)best;
		}
	}
	return cost[a_len][b_len];
}

const char *suggest_nearest(const char *word, const char *const names[], size_t count)
{
	size_t len = strlen(word);
	unsigned int best = (unsigned int)min2((unsigned int)len / 3 + 1, 3) + 1;
	const char *nearest = NULL;

	if (len == 0 || len >= WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		unsigned int edits = strlen(names[i]) < WORD_MAX ? distance(word, names[i]) : best;

		if (edits < best && edits < len) {
			best = edits;
			nearest = names[i];
		}
	}
	return nearest;
}
