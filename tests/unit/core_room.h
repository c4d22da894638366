// SPDX-License-Identifier: Apache-2.0
/*
 * A small core to tell facts to and to draw orders from: what the core tests share.
 */
#ifndef TESTS_CORE_ROOM_H
#define TESTS_CORE_ROOM_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nstime.h"
#include "core/core.h"

#define PEERS 8
#define REQID 0x48000000u
#define DRAWN_MAX 64

/*
 * The policy: 10.1/16 clear-or-private, 10.2/16 private-or-clear, 10.3/16 private, 10.4/16 block, else clear. `drawn` are the
 * orders of the last fact, `next` the first not looked at.
 */
struct room {
	void *memory;
	struct core *core;
	struct policy policy;
	struct policy_entry entries[8];
	struct action drawn[DRAWN_MAX];
	size_t count, next;
	uint64_t now;
};

int room_set_up(void **state);
int room_tear_down(void **state);

#define STORY(name) cmocka_unit_test_setup_teardown(name, room_set_up, room_tear_down)

/* room_pair is 10.9.0.1 -> 10.NET.0.HOST. */
struct hf_pair room_pair(uint8_t net, uint8_t host);
void room_rule(struct room *room, const char *prefix, enum hf_group group);

/* room_child is a Child SA with SPIs 0x1111 in and 0x2222 out. */
struct core_event room_child(bool responder);

/* room_added is the answer to the order to install that child. */
struct core_event room_added(void);

/* room_tell gives the core a fact, room_pass lets time pass; both draw the orders. */
void room_tell(struct room *room, struct core_event event);
void room_pass(struct room *room, uint64_t span);

/* room_drawn is the n-th order of a type in what was drawn, NULL when there are fewer; room_order the first, which must be there. */
const struct action *room_drawn(const struct room *room, enum action_type type, unsigned int n);
const struct action *room_order(const struct room *room, enum action_type type);
void room_no_order(const struct room *room, enum action_type type);

/* room_verdict is what the gate was ordered to show, 0 = no entry. */
enum hf_verdict room_verdict(const struct room *room);

/* room_tell_of is room_tell about a pair; room_miss that packets to it wait. */
void room_tell_of(struct room *room, const struct hf_pair *pair, struct core_event event);
void room_miss(struct room *room, const struct hf_pair *pair, bool sticky);
struct peer_view room_view(const struct room *room, const struct hf_pair *pair);

/* room_install leads from a Child SA to SECURE, whoever made it; room_secure from nothing. */
void room_install(struct room *room, const struct hf_pair *pair);
void room_secure(struct room *room, const struct hf_pair *pair, bool proved);

#endif
