// SPDX-License-Identifier: Apache-2.0
/*
 * For tests about held packets: one egress program under which all peers are private, peers that go by number, and
 * packets that say which they are.
 */
#ifndef BPF_HOLD_PEER_H
#define BPF_HOLD_PEER_H

#include "run_prog.h"

/* The program under test and the packet that is sent next. */
extern struct run peer_run;
extern struct packet_bytes peer_packet;

void peer_open(const struct run_sizes *size);
int peer_close(void **state); /* teardown of every test */

/* peer_numbered makes the next packet one of `len` octets to `peer` that says it is the `n`th; peer_number reads it. */
void peer_numbered(int peer, uint32_t n, size_t len);
uint32_t peer_number(const uint8_t *data);

struct hf_pair peer_pair(int peer);
uint32_t peer_queue(int peer);

/* Both send the next packet and fail the test when something else becomes of it. */
void peer_send_held(void);
void peer_send_dropped(void);

#endif
