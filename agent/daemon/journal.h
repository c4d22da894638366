// SPDX-License-Identifier: Apache-2.0
/*
 * What happened to each pair, for the operator's questions: the latest steps with time and reason, how the peer was proved, and
 * the latest steps of all pairs for `holdfast watch`. Nothing decides by it. Memory is taken once; when it is full, the pair that
 * was written about longest ago is forgotten. Reads no clock.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "holdfast/abi.h"

struct journal;

#define JOURNAL_STEPS 16
#define JOURNAL_TEXT_MAX 104
#define JOURNAL_RECENT 512

struct journal_step {
	uint64_t first_ns, last_ns; /* a step that is repeated at once is one step */
	uint32_t times;
	const char *what; /* a word of the program's own, never freed */
	char text[JOURNAL_TEXT_MAX];
};

/* What is known of a peer beside its steps. Empty texts: not known. */
struct journal_facts {
	char source[24]; /* of the key: "pin", "directory", ... */
	char name[64];	 /* of the host, as that source has it */
	char key[24];	 /* first octets of the SHA-256 of the key that it proved, in hexadecimal */
	char ike[64];	 /* suite of the IKE SA */
	char suite[32];	 /* of the latest Child SA */
	uint64_t proved_ns;
};

struct journal_pair {
	struct hf_pair pair;
	struct journal_facts facts;
	struct journal_step steps[JOURNAL_STEPS]; /* a ring: journal_step finds them in order */
	uint32_t first, count;
	uint32_t newer, older; /* in the order they were written about; POOL_NONE = end */
};

/* A step of any pair. Numbers begin at 1 and leave none out. */
struct journal_recent {
	uint64_t number, time_ns;
	struct hf_pair pair;
	const char *what;
	char text[JOURNAL_TEXT_MAX];
};

/* journal_new: NULL when memory ran out. `seed` must be unpredictable. */
struct journal *journal_new(uint32_t pairs_max, const uint8_t seed[SIPHASH_KEY]);
void journal_free(struct journal *journal);

/* journal_write adds a step. What a peer sent must have been escaped (log_escape). A journal that is NULL takes nothing. */
__attribute__((format(printf, 5, 6))) void journal_write(struct journal *journal, const struct hf_pair *pair,
							 const char *what, uint64_t now, const char *format, ...);

/* journal_facts is the pair's to be filled in, made when there is none; valid until the next call. NULL with a journal that is NULL. */
struct journal_facts *journal_facts(struct journal *journal, const struct hf_pair *pair);

/* journal_find is what is written of a pair, NULL when nothing is; valid until the next call that writes. */
const struct journal_pair *journal_find(const struct journal *journal, const struct hf_pair *pair);

/* journal_step is the index-th step of a pair, 0 the oldest. */
const struct journal_step *journal_step(const struct journal_pair *pair, uint32_t index);

/* journal_last is the number of the latest step of all, 0 when there was none. */
uint64_t journal_last(const struct journal *journal);

/* journal_at is the step of that number, NULL when it is no longer there, or not yet. */
const struct journal_recent *journal_at(const struct journal *journal, uint64_t number);

#endif
