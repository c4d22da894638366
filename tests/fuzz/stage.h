// SPDX-License-Identifier: Apache-2.0
/*
 * Two engines for fuzzing, with everything that belongs to them in one piece of memory: a state that took key exchanges to reach is kept as
 * a file in memory and mapped again for each input, which costs only the pages that the last input wrote to. Random octets, SPIs
 * and time come from counters, so an input does the same each time.
 *
 * The caller's side is played and watched: who is up, which Child SAs are installed. What the engine says must fit together; stage_check looks
 * inside as well.
 */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

#include "ike/internal.h"

#define STAGE_WIRE 48
#define STAGE_HISTORY 12
#define STAGE_DATAGRAM 2048
#define STAGE_LIST 48

struct stage_datagram {
	struct ike_path path; /* as its receiver sees it */
	unsigned int to;
	size_t len;
	uint8_t octets[STAGE_DATAGRAM];
};

struct stage_kid {
	struct handle handle, sa;
	struct child keys;
	bool out; /* sent with */
};

struct stage_end {
	struct ike *ike;
	uint64_t random;
	uint32_t next_spi;
	bool hold_answer, hold_install;
	struct handle known[STAGE_LIST], asked[STAGE_LIST], waiting[STAGE_LIST];
	struct stage_kid kids[STAGE_LIST];
	size_t known_count, asked_count, waiting_count, kid_count;
	size_t sent, sent_octets;
};

struct stage {
	struct stage_end end[2]; /* 0 starts in the prepared states */
	uint64_t now;
	struct stage_datagram wire[STAGE_WIRE], history[STAGE_HISTORY];
	size_t wire_count, history_count;
};

/* The states that an input may begin in. */
enum stage_state {
	STAGE_IDLE,
	STAGE_LOADED,	    /* 1 demands cookies */
	STAGE_INIT_SENT,    /* the request is under way */
	STAGE_KEY_AWAITED,  /* 0 has the response; 1 is half open */
	STAGE_AUTH_SENT,    /* IKE_AUTH is under way */
	STAGE_KEY_ASKED,    /* 1 asked whose key it is */
	STAGE_INSTALLING,   /* 1 waits for its kernel */
	STAGE_INTERMEDIATE, /* IKE_INTERMEDIATE is under way */
	STAGE_AFTER_KEM,    /* IKE_AUTH after it is under way */
	STAGE_ESTABLISHED,
	STAGE_NAT,	      /* established, 0 behind a NAT */
	STAGE_NULL,	      /* established without authentication */
	STAGE_CBC,	      /* established, by PSK, with CBC */
	STAGE_CHILD_REKEY,    /* 0's request is under way */
	STAGE_CHILD_WAITS,    /* ... and waits for 1's kernel */
	STAGE_CHILD_CROSSING, /* both asked */
	STAGE_REKEY,
	STAGE_REKEY_CROSSING,
	STAGE_CLOSING,
	STAGE_CROSSING,	      /* both connect */
	STAGE_KEM,	      /* established, both with an additional key exchange */
	STAGE_FOLLOWUP_CHILD, /* a Child SA's IKE_FOLLOWUP_KE is under way */
	STAGE_FOLLOWUP_SA,    /* an IKE SA's */
	STAGE_STATES
};

extern struct stage *stage;

/* stage_open prepares all states. Aborts when one cannot be reached. */
void stage_open(void);
/* stage_load makes `stage` that state. */
void stage_load(enum stage_state state);

/* ---- what happens ---- */

void stage_drain(unsigned int i);
void stage_connect(unsigned int i, unsigned int flags);
void stage_deliver(size_t n);
void stage_drop(size_t n);
void stage_run(void);
/* stage_pass lets time go by at once; stage_live lets it go by with all that happens meanwhile. */
void stage_pass(uint64_t span);
void stage_live(uint64_t span);
void stage_release(unsigned int i);
/* stage_answer answers the n-th ASK_KEY; `mode` 0 is right. stage_installed answers the n-th CHILD_UP. */
void stage_answer(unsigned int i, size_t n, unsigned int mode);
void stage_installed(unsigned int i, size_t n, int error);
struct hf_addr stage_address(unsigned int i);

/* stage_step does the next thing that the script says: fates of datagrams, time, orders, answers. False at its end. */
bool stage_step(struct reader *script);

/* ---- what must hold (stage_check.c) ---- */

/* stage_demand says what does not hold, and stops. */
#define stage_demand(holds) ((holds) ? (void)0 : stage_broken(#holds, __FILE__, __LINE__))
void stage_broken(const char *what, const char *file, int line);
/* stage_check: counts fit what there is, nothing is owned twice or by nobody, and everything has an end. */
void stage_check(void);
/* stage_agree: ends that have the same Child SA have the same keys. */
void stage_agree(void);
/* stage_forget drops all and demands that nothing is left. */
void stage_forget(void);
/* stage_settle closes all, in peace, and demands that nothing is left. */
void stage_settle(void);

#endif
