// SPDX-License-Identifier: Apache-2.0
/*
 * Telling local senders, see teller.h. Errors that went unheard are not noticed: each refused connection is told twice,
 * and the second time finds no socket when the first one was heard.
 */
#include <netinet/in.h>

#include "base/nstime.h"
#include "dataplane/packet_field.h"
#include "dataplane/teller.h"

/* ICMP errors to local senders per second, as many as the egress program reports at most. */
#define TELL_PER_SECOND HF_DENIED_PER_SECOND

#define TCP_FLAGS 13 /* octet of the TCP header */
#define TCP_SYN 0x02
#define TCP_ACK 0x10

static uint64_t clock_now(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSTIME_S + (uint64_t)now.tv_nsec;
}

static bool may_tell(struct teller *teller)
{
	time_t second = (time_t)(clock_now() / NSTIME_S);

	if (second != teller->second) {
		teller->second = second;
		teller->left = TELL_PER_SECOND;
	}
	if (!teller->left)
		return false;
	teller->left--;
	return true;
}

/*
 * The error goes from the sender's address to the same address through a PAYLOAD socket: unlike with a header of
 * our own, the kernel then insists that the address is this host's, so that nothing can leave the host.
 */
void teller_say(struct teller *teller, const struct teller_note *note)
{
	struct release_socket *socket;
	struct packet packet;

	if (note->len <= 0 || packet_parse(&packet, note->icmp, (size_t)note->len) || !may_tell(teller))
		return;
	socket = packet.v4 ? teller->v4 : teller->v6;
	if (release_socket_label(socket, note->mark, 0) ||
	    release_socket_send(socket, &packet, note->icmp, note->ifindex))
		return;
	teller->count->told_sender++;
}

static bool opens_connection(const uint8_t *data, size_t len)
{
	struct packet packet;

	if (packet_parse_head(&packet, data, len) || packet.proto != IPPROTO_TCP || packet.fragment_offset ||
	    len <= packet.l4_offset + TCP_FLAGS)
		return false;
	return (data[packet.l4_offset + TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

void teller_refuse(struct teller *teller, const uint8_t *data, size_t len, uint32_t mark)
{
	unsigned int next = (teller->again_first + teller->again_count) % TELLER_AGAIN_MAX;
	struct teller_note once, *note = &once;

	if (teller->again_count < TELLER_AGAIN_MAX && opens_connection(data, len)) {
		note = &teller->again[next];
		teller->again_count++;
	}
	note->len = packet_icmp_prohibited(note->icmp, sizeof(note->icmp), data, len);
	note->mark = mark;
	note->ifindex = 0;
	teller_say(teller, note);
	note->due_ns = nstime_add(clock_now(), TELLER_AGAIN_NS);
}

uint64_t teller_deadline(const struct teller *teller)
{
	return teller->again_count ? teller->again[teller->again_first].due_ns : NSTIME_NEVER;
}

void teller_expire(struct teller *teller, uint64_t now)
{
	while (teller_deadline(teller) <= now) {
		teller_say(teller, &teller->again[teller->again_first]);
		teller->again_first = (teller->again_first + 1) % TELLER_AGAIN_MAX;
		teller->again_count--;
	}
}
