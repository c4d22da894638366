// SPDX-License-Identifier: Apache-2.0
/*
 * What a peer can do: any content under the right keys, whole or in fragments, into an engine in any state. The script gives
 * the content as octets, as payloads whose lengths are made to fit, or as the content of a real message with octets changed.
 * Between such messages anything else may happen (stage_step). Whatever it was, an engine's books must balance.
 */
#include <string.h>

#include "stage.h"

#define STEPS 40
#define CONTENT_MAX 6000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stage_open();
	return 0;
}

static const struct sa *sa_by(const struct ike *ike, unsigned int n)
{
	uint32_t at = pool_first(&ike->sas);

	while (at != POOL_NONE && n-- && pool_next(&ike->sas, at) != POOL_NONE)
		at = pool_next(&ike->sas, at);
	return at == POOL_NONE ? NULL : pool_at(&ike->sas, at);
}

/* A half-open SA has not computed its keys yet; the other end has. */
static const struct keymat *keys_of(const struct sa *sa, unsigned int other)
{
	const struct ike *ike = stage->end[other].ike;

	if (sa->have_keys)
		return &sa->keys;
	for (uint32_t at = pool_first(&ike->sas); at != POOL_NONE; at = pool_next(&ike->sas, at)) {
		const struct sa *peer = pool_at(&ike->sas, at);

		if (peer->have_keys && !memcmp(peer->spi_i, sa->spi_i, SPI_LEN) &&
		    !memcmp(peer->spi_r, sa->spi_r, SPI_LEN))
			return &peer->keys;
	}
	return NULL;
}

struct content {
	uint8_t first;
	size_t len;
	uint8_t octets[CONTENT_MAX];
};

static void take_raw(struct reader *script, struct content *content)
{
	struct view raw;

	content->first = read_u8(script);
	raw = read_view(script, read_u16(script) % CONTENT_MAX);
	content->len = raw.len;
	if (raw.len)
		memcpy(content->octets, raw.at, raw.len);
}

/* Payloads of which the script says type and body. */
static void take_payloads(struct reader *script, struct content *content)
{
	static const uint8_t types[] = { PAYLOAD_SA,	 PAYLOAD_KE,	 PAYLOAD_IDI,	PAYLOAD_IDR,
					 PAYLOAD_CERT,	 PAYLOAD_AUTH,	 PAYLOAD_NONCE, PAYLOAD_NOTIFY,
					 PAYLOAD_DELETE, PAYLOAD_VENDOR, PAYLOAD_TSI,	PAYLOAD_TSR,
					 PAYLOAD_CP,	 PAYLOAD_EAP,	 PAYLOAD_SK,	200 };
	struct message message;
	uint8_t count = read_u8(script) % 12;

	message_start_inside(&message, content->octets, sizeof(content->octets));
	while (count--) {
		payload_open(&message, types[read_u8(script) % sizeof(types)]);
		write_view(&message.out, read_view(script, read_u8(script)));
		payload_close(&message);
	}
	content->first = message.first;
	content->len = message_finish(&message).len;
}

/* What a datagram to this end holds, with octets changed. */
static bool take_real(struct reader *script, struct content *content, const struct sa *sa, const struct keymat *keys,
		      struct header *header)
{
	const struct stage_datagram *datagram;
	struct view plain, whole;
	struct chain chain;
	size_t skip;

	if (!stage->wire_count)
		return false;
	datagram = &stage->wire[read_u8(script) % stage->wire_count];
	skip = datagram->path.local_port == 4500 ? 4 : 0;
	if (datagram->len < skip + HEADER_LEN)
		return false;
	whole = view_of(datagram->octets + skip, datagram->len - skip);
	if (header_parse(header, whole) ||
	    chain_parse(&chain, header->next, view_of(whole.at + HEADER_LEN, whole.len - HEADER_LEN), false) ||
	    seal_open(content->octets, &plain, whole, &chain, keys, !sa->initiator))
		return false;
	content->first = chain.sk_next;
	content->len = plain.len;
	for (unsigned int changes = read_u8(script) % 16; changes && content->len; changes--) {
		size_t at = read_u16(script) % content->len;

		content->octets[at] = read_u8(script);
	}
	return true;
}

static void deliver(unsigned int to, const struct sa *sa, const uint8_t *octets, size_t len)
{
	static uint8_t with_marker[STAGE_DATAGRAM * 8];
	size_t skip = sa->path.local_port == 4500 ? 4 : 0;
	struct ike_path path = sa->path;

	memset(with_marker, 0, 4);
	memcpy(with_marker + skip, octets, len);
	ike_datagram(stage->end[to].ike, &path, view_of(with_marker, len + skip), stage->now);
	stage_drain(to);
	stage_check();
}

/* In pieces, in an order and with a gap that the script says. The SA may be gone after any of them. */
static void deliver_pieces(struct reader *script, unsigned int to, const struct sa *sa, const struct keymat *given,
			   const struct header *header, const struct content *content)
{
	static uint8_t sealed[CONTENT_MAX + 200];
	struct view plain = view_of(content->octets, content->len);
	struct handle self = pool_handle(&stage->end[to].ike->sas, sa);
	size_t size = 80 + 8 * (size_t)read_u8(script);
	unsigned int start = read_u8(script), gap = read_u8(script);
	const bool by_initiator = !sa->initiator;
	const struct keymat keys = *given;
	unsigned int total = seal_fragments(plain, size, &keys);

	for (unsigned int n = 0; n < total && total > 1; n++) {
		unsigned int number = (start + n) % total + 1;
		size_t len = sizeof(sealed);

		sa = pool_get(&stage->end[to].ike->sas, self);
		if (sa && number != gap &&
		    !seal_fragment(sealed, &len, header, content->first, plain, number, total, size, &keys,
				   by_initiator, stage->now + n, sealed))
			deliver(to, sa, sealed, len);
	}
}

static uint32_t mid_of(const struct sa *sa, bool response, uint8_t how)
{
	uint32_t mid = response ? sa->request.mid : sa->recv_mid;

	return how < 200 ? mid : mid + how - 228;
}

static void message(struct reader *script)
{
	static const uint8_t exchanges[] = { EXCHANGE_IKE_AUTH,	       EXCHANGE_CREATE_CHILD_SA,
					     EXCHANGE_INFORMATIONAL,   EXCHANGE_IKE_INTERMEDIATE,
					     EXCHANGE_IKE_FOLLOWUP_KE, EXCHANGE_IKE_SA_INIT };
	static uint8_t sealed[CONTENT_MAX + 200];
	static struct content content;
	uint8_t how = read_u8(script), which = read_u8(script);
	unsigned int to = how & 1;
	const struct sa *sa = sa_by(stage->end[to].ike, which >> 5);
	const struct keymat *keys = sa ? keys_of(sa, !to) : NULL;
	struct header header = { 0 };
	size_t len = sizeof(sealed);
	bool response = how & 2;

	if (!keys)
		return;
	header.exchange = exchanges[(which & 31) % sizeof(exchanges)];
	switch (how >> 2 & 3) {
	case 0:
		take_raw(script, &content);
		break;
	case 1:
		if (!take_real(script, &content, sa, keys, &header))
			return;
		response = header.flags & FLAG_RESPONSE;
		break;
	default:
		take_payloads(script, &content);
	}
	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	memcpy(header.spi_r, sa->spi_r, SPI_LEN);
	header.version = 0x20;
	header.flags = (response ? FLAG_RESPONSE : 0) | (sa->initiator ? 0 : FLAG_INITIATOR);
	header.mid = mid_of(sa, response, read_u8(script));
	if (how & 0x80)
		deliver_pieces(script, to, sa, keys, &header, &content);
	else if (!seal_message(sealed, &len, &header, content.first, view_of(content.octets, content.len), keys,
			       !sa->initiator, stage->now, sealed))
		deliver(to, sa, sealed, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader script;

	if (len < 2)
		return 0;
	stage_load(data[0] % STAGE_STATES);
	reader_init(&script, view_of(data + 1, len - 1));
	for (unsigned int i = 0; i < STEPS && reader_left(&script); i++) {
		if (read_u8(&script) < 0xa0)
			message(&script);
		else
			stage_step(&script);
		stage_check();
	}
	stage_forget();
	return 0;
}
