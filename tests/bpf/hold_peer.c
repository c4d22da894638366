// SPDX-License-Identifier: Apache-2.0
/* Numbered packets to numbered peers. See hold_peer.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hold_peer.h"

struct run peer_run;
struct packet_bytes peer_packet;

void peer_open(const struct run_sizes *size)
{
	run_open_egress(&peer_run, size);
	run_rule(&peer_run, "0.0.0.0/0", HF_GROUP_PRIVATE);
	run_rule(&peer_run, "::/0", HF_GROUP_PRIVATE_OR_CLEAR);
}

int peer_close(void **state)
{
	(void)state;
	run_close(&peer_run);
	return 0;
}

/* A packet to peer `peer` that says it is the `n`th. */
void peer_numbered(int peer, uint32_t n, size_t len)
{
	char remote[20];

	snprintf(remote, sizeof(remote), "198.51.%d.%d", peer >> 8, peer & 255);
	packet_ip(&peer_packet, LOCAL4, remote);
	packet_udp(&peer_packet, 40000, 7);
	packet_data(&peer_packet, &n, sizeof(n));
	packet_fill(&peer_packet, len - sizeof(n), 0);
}

uint32_t peer_number(const uint8_t *data)
{
	uint32_t n;

	memcpy(&n, data + 28, sizeof(n));
	return n;
}

struct hf_pair peer_pair(int peer)
{
	char remote[20];

	snprintf(remote, sizeof(remote), "198.51.%d.%d", peer >> 8, peer & 255);
	return run_pair(LOCAL4, remote);
}

uint32_t peer_queue(int peer)
{
	struct hf_pair pair = peer_pair(peer);
	int queue = run_queue(&peer_run, &pair);

	assert_in_range(queue, 0, peer_run.size.queues - 1);
	return (uint32_t)queue;
}

void peer_send_held(void)
{
	assert_true(run_is_stolen(&peer_run, run_packet(&peer_run, &peer_packet, NULL)));
}

void peer_send_dropped(void)
{
	assert_true(run_is_drop(run_packet(&peer_run, &peer_packet, NULL)));
}
