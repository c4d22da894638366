// SPDX-License-Identifier: Apache-2.0
/*
 * The signed directory in force: decides whether a text that somebody brings is taken (signature, id, time, roll-back), keeps what must survive, and answers for an
 * address. Reads and writes its two files in the state folder; where texts come from (file, URL) and when is known to its callers. The time is
 * an argument.
 */
#ifndef DISCOVER_LISTING_H
#define DISCOVER_LISTING_H

#include "base/err.h"
#include "discover/directory.h"
#include "discover/discover.h"

struct listing;

/*
 * listing_open takes directory_key, directory_id and state_dir of the options and brings back the last good directory. Only a wrong key is an error; what is wrong
 * with the state is a problem.
 */
int listing_open(struct listing **out, const struct discover_options *options, uint64_t now_s, struct err *err);
void listing_close(struct listing *listing);

/*
 * listing_offer brings a text and its signature. 1: it is in force now and was not before; 0: it was in force already; negative: refused, the reason
 * is a problem until the next is not. `name` is the text's file or URL.
 */
int listing_offer(struct listing *listing, struct view text, struct view signature, const char *name, uint64_t now_s);

/*
 * The same in three steps, of which the second, the long one, may be done by another thread (aside.h) while the listing answers and ticks: offer_new copies
 * what was brought, offer_work verifies, reads and writes it to the disk, listing_finish takes the outcome and says what listing_offer says. One offer at a time.
 */
struct offer;
struct offer *offer_new(struct listing *listing, struct view text, struct view signature, const char *name,
			uint64_t now_s);
void offer_work(struct offer *offer);
int listing_finish(struct listing *listing, struct offer *offer, uint64_t now_s);
void offer_free(struct offer *offer);

/* listing_fail: the source could not even be read, for the reason in `err`. */
void listing_fail(struct listing *listing, const struct err *err);

/* listing_wants_more: it should be offered again what lies there, because something was wrong with it or with the disk. */
bool listing_wants_more(const struct listing *listing);

/* listing_tick: time has passed. Call it every minute. True when what is answered changed by that. */
bool listing_tick(struct listing *listing, uint64_t now_s);

/*
 * listing_ask fills `answer` and the reason, and returns true when the directory has something to say about the address, which can be that it would but may not
 * now.
 */
bool listing_ask(const struct listing *listing, struct discover_answer *answer, char *reason, size_t reason_max,
		 const struct hf_addr *addr, uint64_t now_s);

/* listing_problem is the index-th line for the operator, NULL beyond the last. */
const char *listing_problem(const struct listing *listing, size_t index);

/* listing_current is the directory in force, NULL when there is none. */
const struct directory *listing_current(const struct listing *listing);
uint64_t listing_rejected(const struct listing *listing);

#endif
