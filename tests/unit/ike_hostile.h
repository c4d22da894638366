// SPDX-License-Identifier: Apache-2.0
/*
 * A hostile hand beside the two engines of ike_duo: it brings a host into any state, and sends it whatever it likes under the right keys,
 * taken from inside the engine. That nothing happened is seen by comparing what the engine holds before and after.
 */
#ifndef UNIT_IKE_HOSTILE_H
#define UNIT_IKE_HOSTILE_H

#include "ike/internal.h"
#include "ike_duo.h"
#include "raw_chain.h"

/* hostile_setup is for cmocka's groups. */
int hostile_setup(void **state);

/* hostile_reach starts the duo and brings one host to the state; which one is the result. For SA_INTERMEDIATE_SENT the KEM stand-in is there. */
unsigned int hostile_reach(struct duo *duo, enum sa_state state);

/* hostile_sa is host i's SA in that state, NULL when there is none. hostile_only: its first of any state. */
struct sa *hostile_sa(const struct duo *duo, unsigned int i, enum sa_state state);
struct sa *hostile_only(const struct duo *duo, unsigned int i);

/* hostile_next_mid is the message ID that the SA would take: of a request, or of a response to its own. */
uint32_t hostile_next_mid(const struct sa *sa, bool response);

/* hostile_seal makes what the SA's peer would send: `plain` sealed with the right keys. Valid until the next call. */
struct view hostile_seal(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
			 uint32_t mid, uint8_t first, struct view plain);

/* hostile_send gives that to the host, along the SA's path. hostile_raw and hostile_message do so with what was put together by hand. */
void hostile_send(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response, uint32_t mid,
		  uint8_t first, struct view plain);
void hostile_raw(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
		 const struct raw *raw);
void hostile_message(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
		     struct message *message);
/* hostile_datagram gives whole octets to the host, along the SA's path. */
void hostile_datagram(struct duo *duo, unsigned int to, const struct sa *sa, struct view octets);

/* hostile_open opens the wire's last datagram as its receiver would; false when it is not sealed for that SA. Valid until the next call. */
bool hostile_open(struct duo *duo, const struct sa *sa, struct chain *chain);
/* hostile_answered: the wire's last datagram is an answer of the SA with this notify; it is taken off. */
bool hostile_answered(struct duo *duo, const struct sa *sa, uint16_t notify);

/*
 * hostile_without opens the wire's first datagram, meant for `sa`, and puts together what is in it but the n-th payload; false when there
 * is no n-th. Its type goes to *left_out.
 */
bool hostile_without(struct raw *out, uint8_t *left_out, const struct duo *duo, const struct sa *sa, size_t n);

/* What a host holds, to see that nothing changed but counters. */
struct hostile_image {
	struct sa sa;
	struct ike_counts counts;
	uint32_t works;
	unsigned int sent;
	size_t wire;
};
struct hostile_image hostile_image(const struct duo *duo, unsigned int i, const struct sa *sa);
/* hostile_unchanged fails the test when the SA, the tables or the wire differ. */
void hostile_unchanged(const struct duo *duo, unsigned int i, const struct sa *sa, const struct hostile_image *before);

/* hostile_init writes an IKE_SA_INIT request of a stranger with the group's key; `seed` makes SPI and nonce. */
struct view hostile_init(struct duo *duo, uint32_t seed, uint16_t group, struct view cookie);
/* hostile_from gives octets to host i as if sent by `from`. */
void hostile_from(struct duo *duo, unsigned int i, const struct hf_addr *from, struct view octets);

/* hostile_empty: nothing is left of any conversation. */
void hostile_empty(const struct duo *duo, unsigned int i);

#endif
