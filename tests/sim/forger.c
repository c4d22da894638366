// SPDX-License-Identifier: Apache-2.0
/*
 * Somebody on the wire: sees every datagram, sends whatever it likes from whatever address, and has no key. It answers in the
 * peer's place, names live SPIs, changes what it saw, and passes on what engines answered to its own questions.
 */
#include <string.h>

#include "ike/proposal.h"
#include "ike/wire.h"
#include "world.h"

static struct ike_path turned(const struct ike_path *path)
{
	return (struct ike_path){ .local = path->remote,
				  .remote = path->local,
				  .local_port = path->remote_port,
				  .remote_port = path->local_port };
}

/* As it goes over the wire: behind the marker on the encapsulation port. */
static void send(struct world *world, const struct ike_path *path, struct view message)
{
	uint8_t octets[DATAGRAM_MAX] = { 0 };
	size_t marker = path->local_port != 500 ? 4 : 0;

	if (!message.len || message.len + marker > sizeof(octets))
		return;
	memcpy(octets + marker, message.at, message.len);
	net_deliver_later(world, datagram_new(ORIGIN_FORGED, path, view_of(octets, message.len + marker)),
			  rng_between(&world->rng, 0, 2 * NSTIME_MS));
}

/* A remembered IKE message; false when there is none. */
static bool recall(struct world *world, struct header *header, struct view *message, struct ike_path *path)
{
	const struct datagram *datagram;
	size_t marker;

	if (!world->tape_count)
		return false;
	datagram = world->tape[rng_below(&world->rng, world->tape_count)];
	marker = datagram->path.local_port != 500 ? 4 : 0;
	if (datagram->len < marker)
		return false;
	*message = view_of(datagram->octets + marker, datagram->len - marker);
	*path = datagram->path;
	return !header_parse(header, *message);
}

static void write_notify(struct world *world, struct message *message)
{
	static const uint16_t types[] = {
		NOTIFY_NO_PROPOSAL_CHOSEN,    NOTIFY_INVALID_KE_PAYLOAD,    NOTIFY_COOKIE,
		NOTIFY_AUTHENTICATION_FAILED, NOTIFY_INVALID_SYNTAX,	    NOTIFY_INVALID_IKE_SPI,
		NOTIFY_INVALID_MAJOR_VERSION, NOTIFY_QUICK_CRASH_DETECTION, NOTIFY_INITIAL_CONTACT,
		NOTIFY_TEMPORARY_FAILURE
	};
	static const uint8_t groups[][2] = { { 0, 14 }, { 0, 19 }, { 0, 31 }, { 0, 22 }, { 4, 1 } };
	uint16_t type = types[rng_below(&world->rng, sizeof(types) / sizeof(types[0]))];
	uint8_t octets[64];
	struct view data = view_of(octets, rng_below(&world->rng, sizeof(octets)));

	rng_fill(&world->rng, octets, sizeof(octets));
	if (type == NOTIFY_INVALID_KE_PAYLOAD)
		data = VIEW_OF(groups[rng_below(&world->rng, 5)]);
	message_notify(message, PROTOCOL_NONE, type, VIEW_NONE, data);
	if (type == NOTIFY_INVALID_IKE_SPI)
		message_notify(message, PROTOCOL_IKE, NOTIFY_QUICK_CRASH_DETECTION, VIEW_NONE, view_of(octets, 32));
}

/* A notify in clear, for the sender of what was seen: "the peer" refuses, wants something else, or has lost all. */
static void refuse(struct world *world, const struct header *seen, const struct ike_path *path)
{
	struct ike_path back = turned(path);
	struct header header = *seen;
	uint8_t memory[512];
	struct message message;

	header.flags ^= FLAG_RESPONSE | FLAG_INITIATOR;
	if (rng_chance(&world->rng, 500))
		rng_fill(&world->rng, header.spi_r, SPI_LEN);
	message_start(&message, memory, sizeof(memory), &header);
	write_notify(world, &message);
	send(world, &back, message_finish(&message));
}

/* Live SPIs and anything else at random, behind what looks like a seal. */
static void guess(struct world *world, const struct header *seen, const struct ike_path *path)
{
	static const uint8_t exchanges[] = { 34, 35, 36, 37, 43, 44 };
	struct ike_path way = rng_chance(&world->rng, 500) ? *path : turned(path);
	struct header header = *seen;
	uint8_t memory[512];
	struct message message;
	size_t body = 24 + rng_below(&world->rng, 170);

	header.exchange = exchanges[rng_below(&world->rng, sizeof(exchanges))];
	header.flags =
		(uint8_t)(rng_below(&world->rng, 2) * FLAG_INITIATOR + rng_below(&world->rng, 2) * FLAG_RESPONSE);
	header.mid += rng_below(&world->rng, 3) - 1;
	message_start(&message, memory, sizeof(memory), &header);
	message_finish(&message);
	rng_fill(&world->rng, memory + HEADER_LEN, body);
	memory[16] = rng_chance(&world->rng, 800) ? PAYLOAD_SK : PAYLOAD_SKF;
	memory[26] = (uint8_t)((HEADER_LEN + body) >> 8);
	memory[27] = (uint8_t)(HEADER_LEN + body);
	memory[HEADER_LEN + 1] = 0;
	memory[HEADER_LEN + 2] = (uint8_t)(body >> 8);
	memory[HEADER_LEN + 3] = (uint8_t)body;
	if (memory[16] == PAYLOAD_SKF)
		memcpy(memory + HEADER_LEN + 4, "\0\1\0\2", 4);
	send(world, &way, view_of(memory, HEADER_LEN + body));
}

/* What was seen, with one thing in its header changed. */
static void twist(struct world *world, struct view seen, const struct ike_path *path)
{
	uint8_t octets[DATAGRAM_MAX];
	struct ike_path way = rng_chance(&world->rng, 700) ? *path : turned(path);

	if (seen.len > sizeof(octets))
		return;
	memcpy(octets, seen.at, seen.len);
	switch (rng_below(&world->rng, 6)) {
	case 0:
		octets[19] ^= FLAG_INITIATOR;
		break;
	case 1:
		octets[19] ^= FLAG_RESPONSE;
		break;
	case 2:
		octets[19] ^= FLAG_RESPONSE | FLAG_INITIATOR;
		break;
	case 3:
		octets[23] ^= 1;
		break;
	case 4:
		octets[18] = (uint8_t)(34 + rng_below(&world->rng, 4));
		break;
	default:
		/* Another SPIi: a stranger's request that nobody can tell from a host's. */
		rng_fill(&world->rng, octets, SPI_LEN);
	}
	if (memcmp(octets, seen.at, seen.len) != 0)
		send(world, &way, view_of(octets, seen.len));
}

/* An answer in clear, to somebody's question of ours perhaps: whoever has these SPIs gets it, from either side of the flags. */
static void pass_on(struct world *world, const struct header *header, struct view seen, const struct ike_path *path)
{
	struct ike_path back = turned(path);
	uint8_t octets[DATAGRAM_MAX];

	if (header->exchange == EXCHANGE_IKE_SA_INIT || header->next != PAYLOAD_NOTIFY || seen.len > sizeof(octets))
		return;
	memcpy(octets, seen.at, seen.len);
	for (unsigned int flags = 0; flags < 4; flags++) {
		octets[19] = (uint8_t)((flags & 1 ? FLAG_INITIATOR : 0) | (flags & 2 ? FLAG_RESPONSE : 0));
		send(world, path, view_of(octets, seen.len));
		send(world, &back, view_of(octets, seen.len));
	}
}

/* A stranger's request, as short as one can be that deserves an answer: the answer may not be longer. */
static void knock(struct world *world, const struct ike_path *path)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_INITIATOR };
	struct offer offer = { .count = 1,
			       .proposals = { { .protocol = PROTOCOL_IKE,
						.count = 3,
						.transforms = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 },
								{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
								{ TRANSFORM_KE, KE_X25519, 0 } } } } };
	struct ike_path way = { .local = path->local, .remote = path->remote, .local_port = 500, .remote_port = 500 };
	uint8_t memory[512], octets[72];
	struct message message;

	rng_fill(&world->rng, header.spi_i, SPI_LEN);
	rng_fill(&world->rng, octets, sizeof(octets));
	message_start(&message, memory, sizeof(memory), &header);
	proposal_write(&message, &offer, VIEW_NONE);
	message_ke(&message, KE_X25519, view_of(octets, 32));
	message_nonce(&message, view_of(octets + 32, 40));
	send(world, &way, message_finish(&message));
}

void forger_act(struct world *world)
{
	struct ike_path path;
	struct header header;
	struct view seen;

	if (!recall(world, &header, &seen, &path))
		return;
	switch (rng_below(&world->rng, 5)) {
	case 0:
		refuse(world, &header, &path);
		break;
	case 1:
		guess(world, &header, &path);
		break;
	case 2:
		twist(world, seen, &path);
		break;
	case 3:
		knock(world, &path);
		break;
	default:
		pass_on(world, &header, seen, &path);
	}
}
