// SPDX-License-Identifier: Apache-2.0
/* What two hosts may want at the same moment, and what must be left of it when all messages have come. */
#ifndef SIM_CASES_H
#define SIM_CASES_H

#include "world.h"

enum wish { WISH_NOTHING, WISH_CONNECT, WISH_REKEY_CHILD, WISH_REKEY_SA, WISH_CLOSE_CHILD, WISH_CLOSE_SA };

struct collision {
	const char *name;
	enum wish wish[2];
	bool slow;		  /* the kernel's and the key's answers come at any time, not at once */
	unsigned int sas;	  /* left at each end */
	unsigned int least, most; /* Child SAs left, the same number at each end */
	unsigned int faults,
		deep_faults; /* drops, doubles and early timers on one way through, in `make check` and deep */
	bool kem;	     /* rekeys with an additional key exchange */
};

extern const struct collision collisions[];
extern const unsigned int collision_count;

/* case_start makes the two hosts, with an SA between them unless they are to make one, and lets them wish. */
struct world *case_start(const struct collision *collision, bool trace);
/* case_judge: what is wrong at this moment; it fails the world. */
void case_judge(struct world *world, const struct collision *collision);
/* case_finish: delivers everything, lets all timers come, and judges what is left. */
void case_finish(struct world *world, const struct collision *collision);
/* case_settle carries out what is not to wait: the kernel's and the key's answers. */
void case_settle(struct world *world, const struct collision *collision);
/* case_do takes the n-th event off the list and does it; `keep`: a copy of a datagram stays. case_drop only takes it off. */
void case_do(struct world *world, const struct collision *collision, unsigned int n, bool keep);
void case_drop(struct world *world, unsigned int n);
/* case_tick lets time pass until the next timer. False when there is none before `limit`. */
bool case_tick(struct world *world, const struct collision *collision, uint64_t limit);

#endif
