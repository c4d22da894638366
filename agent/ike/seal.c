// SPDX-License-Identifier: Apache-2.0
/*
 * SK and SKF payloads sealed and opened: RFC 7296 3.14, RFC 5282 and 7634 (AEAD), RFC 7383 2.5 (fragments), and A of
 * RFC 9242 3.3.1. Lengths are final before anything is sealed, as they are part of what is authenticated; when opening,
 * lengths are checked, then the ICV, and only then is a single octet of the content looked at. Which message may be
 * sent is not decided here.
 */
#include "ike/seal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/secret.h"

/* Where an IKE header has its fields that we set (RFC 7296 3.1). */
#define HEADER_NEXT_AT 16
#define HEADER_LENGTH_AT 24

/* A payload that is sealed: SK, or SKF with its number. */
struct envelope {
	uint8_t type; /* PAYLOAD_SK or PAYLOAD_SKF */
	uint8_t next; /* what stands inside */
	struct fragment fragment;
};

static struct view key_of(const struct keymat *keymat, bool by_initiator)
{
	return view_of(by_initiator ? keymat->ei : keymat->er, keymat->cipher->key_len);
}

static struct view integ_key_of(const struct keymat *keymat, bool by_initiator)
{
	return view_of(by_initiator ? keymat->ai : keymat->ar, keymat->cipher->integ_len);
}

/* Octets with padding and its length octet: no padding with an AEAD (RFC 5282 3), up to a whole block with CBC. */
static size_t padded_len(const struct cipher *cipher, size_t plain_len)
{
	return (plain_len + cipher->block) / cipher->block * cipher->block;
}

/* Octets around the text in a whole message, with a payload header of `header_len`. */
static size_t frame_len(const struct cipher *cipher, size_t header_len)
{
	return HEADER_LEN + header_len + cipher->iv_len + cipher->icv_len;
}

/* An AEAD's IV is a counter, which cannot repeat; CBC's is random, which nobody can foresee (RFC 3602 3). */
static void write_iv(struct writer *out, const struct cipher *cipher, uint64_t counter, const uint8_t random[16])
{
	if (cipher->integ) {
		write_octets(out, random, cipher->iv_len);
		return;
	}
	write_zeros(out, cipher->iv_len - 8);
	write_u32(out, (uint32_t)(counter >> 32));
	write_u32(out, (uint32_t)counter);
}

static void write_envelope(struct writer *out, const struct envelope *envelope, size_t len)
{
	write_u8(out, envelope->next);
	write_u8(out, 0);
	write_u16(out, (uint16_t)len);
	if (envelope->type == PAYLOAD_SKF) {
		write_u16(out, envelope->fragment.number);
		write_u16(out, envelope->fragment.total);
	}
}

/* HDR, SK {plain} or HDR, SKF {plain} */
static int seal(uint8_t *octets, size_t *len, const struct header *header, const struct envelope *envelope,
		struct view plain, const struct keymat *keymat, bool by_initiator, uint64_t counter,
		const uint8_t random[16])
{
	const struct cipher *cipher = keymat->cipher;
	const size_t header_len = envelope->type == PAYLOAD_SKF ? SKF_HEADER_LEN : PAYLOAD_HEADER_LEN;
	const size_t aad_len = HEADER_LEN + header_len;
	const size_t text_len = padded_len(cipher, plain.len);
	const size_t total = frame_len(cipher, header_len) + text_len;
	struct message message;
	struct writer *out = &message.out;
	uint8_t *text;
	int error;

	if (plain.len > SEAL_MESSAGE_MAX || total > SEAL_MESSAGE_MAX || total > *len)
		return -EMSGSIZE;
	message_start(&message, octets, total, header);
	put_u8(out, HEADER_NEXT_AT, envelope->type);
	put_u32(out, HEADER_LENGTH_AT, (uint32_t)total);
	write_envelope(out, envelope, total - HEADER_LEN);
	write_iv(out, cipher, counter, random);
	text = octets + out->len;
	write_view(out, plain);
	write_zeros(out, text_len - plain.len - 1);
	write_u8(out, (uint8_t)(text_len - plain.len - 1));
	write_zeros(out, cipher->icv_len);
	assert(!out->failed && out->len == total);

	error = cipher_seal(cipher, text + text_len, text, text_len, key_of(keymat, by_initiator),
			    integ_key_of(keymat, by_initiator), octets + aad_len, view_of(octets, aad_len));
	if (error) {
		secret_wipe(octets, total);
		return error;
	}
	*len = total;
	return 0;
}

int seal_message(uint8_t *out, size_t *len, const struct header *header, uint8_t first, struct view plain,
		 const struct keymat *keymat, bool by_initiator, uint64_t iv_counter, const uint8_t iv_random[16])
{
	const struct envelope envelope = { .type = PAYLOAD_SK, .next = first };

	return seal(out, len, header, &envelope, plain, keymat, by_initiator, iv_counter, iv_random);
}

/* How much content one SKF message of `size` octets has. */
static size_t piece_len(const struct cipher *cipher, size_t size)
{
	const size_t frame = frame_len(cipher, SKF_HEADER_LEN);

	if (size > SEAL_MESSAGE_MAX)
		size = SEAL_MESSAGE_MAX;
	if (size < frame + cipher->block)
		return 0;
	return (size - frame) / cipher->block * cipher->block - 1;
}

unsigned int seal_fragments(struct view plain, size_t size, const struct keymat *keymat)
{
	const struct cipher *cipher = keymat->cipher;
	const size_t whole = frame_len(cipher, PAYLOAD_HEADER_LEN) + padded_len(cipher, plain.len);
	const size_t piece = piece_len(cipher, size);
	size_t total;

	if (plain.len > SEAL_AFTER_AUTH_MAX)
		return 0;
	if (whole <= size && whole <= SEAL_MESSAGE_MAX)
		return 1;
	if (!piece)
		return 0;
	total = (plain.len + piece - 1) / piece;
	return total <= SEAL_FRAGMENTS_MAX ? (unsigned int)total : 0;
}

int seal_fragment(uint8_t *out, size_t *len, const struct header *header, uint8_t first, struct view plain,
		  unsigned int number, unsigned int total, size_t size, const struct keymat *keymat, bool by_initiator,
		  uint64_t iv_counter, const uint8_t iv_random[16])
{
	const size_t piece = piece_len(keymat->cipher, size);
	struct envelope envelope = { .type = PAYLOAD_SKF, .next = number == 1 ? first : PAYLOAD_NONE };
	size_t start;

	if (number < 1 || number > total || total > SEAL_FRAGMENTS_MAX)
		return -EINVAL;
	/* Every fragment has content, and the last one has the rest of it. */
	if (!piece || plain.len <= (total - 1) * piece || plain.len > total * piece)
		return -EMSGSIZE;
	start = (number - 1) * piece;
	envelope.fragment = (struct fragment){ (uint16_t)number, (uint16_t)total };
	plain = view_of(plain.at + start, number == total ? plain.len - start : piece);
	return seal(out, len, header, &envelope, plain, keymat, by_initiator, iv_counter, iv_random);
}

int seal_open(uint8_t *out, struct view *plain, struct view datagram, const struct chain *chain,
	      const struct keymat *keymat, bool by_initiator)
{
	const struct cipher *cipher = keymat->cipher;
	struct reader body;
	struct view iv, sealed, icv;
	size_t pad;
	int error;

	if (!chain->sk_type)
		return -EBADMSG;
	reader_init(&body, chain->payload[SLOT_SK]);
	if (chain->sk_type == PAYLOAD_SKF)
		read_view(&body, SKF_HEADER_LEN - PAYLOAD_HEADER_LEN);
	iv = read_view(&body, cipher->iv_len);
	/* At least the pad length octet, in whole blocks. */
	if (body.failed || reader_left(&body) < cipher->block + cipher->icv_len)
		return -EBADMSG;
	sealed = read_view(&body, reader_left(&body) - cipher->icv_len);
	icv = read_rest(&body);
	if (sealed.len % cipher->block)
		return -EBADMSG;

	error = cipher_open(cipher, out, sealed, key_of(keymat, by_initiator), integ_key_of(keymat, by_initiator),
			    iv.at, icv.at, view_of(datagram.at, (size_t)(iv.at - datagram.at)));
	if (error)
		return error;
	/* Any amount of padding that fits is fine, with any content (RFC 7296 3.14). */
	pad = out[sealed.len - 1];
	if (pad + 1 > sealed.len) {
		secret_wipe(out, sealed.len);
		return -EBADMSG;
	}
	*plain = view_of(out, sealed.len - 1 - pad);
	return 0;
}

int seal_fragment_parse(struct fragment *out, const struct chain *chain)
{
	struct fragment fragment;
	struct reader body;

	if (chain->sk_type != PAYLOAD_SKF)
		return -EBADMSG;
	reader_init(&body, chain->payload[SLOT_SK]);
	fragment.number = read_u16(&body);
	fragment.total = read_u16(&body);
	if (body.failed || !fragment.number || fragment.number > fragment.total)
		return -EBADMSG;
	if (fragment.number > 1 && chain->sk_next)
		return -EBADMSG;
	*out = fragment;
	return 0;
}

void seal_intauth_header(uint8_t out[HEADER_LEN + PAYLOAD_HEADER_LEN], const struct header *header, uint8_t first,
			 size_t plain_len)
{
	const size_t len = PAYLOAD_HEADER_LEN + plain_len;
	const struct envelope envelope = { .type = PAYLOAD_SK, .next = first };
	struct message message;

	message_start(&message, out, HEADER_LEN + PAYLOAD_HEADER_LEN, header);
	put_u8(&message.out, HEADER_NEXT_AT, PAYLOAD_SK);
	put_u32(&message.out, HEADER_LENGTH_AT, (uint32_t)(HEADER_LEN + len));
	write_envelope(&message.out, &envelope, len);
	assert(!message.out.failed);
}
