// SPDX-License-Identifier: Apache-2.0
/*
 * Fragments. The input says how a text is cut and sealed and in which order, how often and how damaged its fragments
 * arrive, among those of another cut and of another message; what comes out whole must be a text that went in. A second
 * path gives arbitrary contents with arbitrary numbers to the reassembly, beside a slow one that keeps everything apart.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ike/proposal.h"
#include "ike/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define TEXTS 3
#define STORE_MAX 4096
#define CIPHERS 2

static struct keymat keys[CIPHERS];
static const uint8_t random_iv[16] = "sixteen octets.";

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err err = ERR_NONE;

	(void)argc;
	(void)argv;
	if (crypto_init(&err))
		abort();
	for (int i = 0; i < CIPHERS; i++)
		memset(&keys[i], 0x40 + i, sizeof(keys[i]));
	keys[0].cipher = cipher_find(ENCR_AES_GCM_16, 256, INTEG_NONE);
	keys[1].cipher = cipher_find(ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128);
	keys[0].prf = keys[1].prf = prf_find(PRF_HMAC_SHA2_256);
	if (!keys[0].cipher || !keys[1].cipher)
		abort();
	return 0;
}

/*
 * One text and one way of cutting it. The first two are one message, cut anew after a first attempt, which gives another total
 * (RFC 7383 2.5.2); the third is another message.
 */
struct sending {
	uint8_t text[2048];
	size_t len, size;
	unsigned int total;
	uint32_t mid;
};

static void fill_sending(struct sending *sending, unsigned int index, struct reader *in)
{
	const struct view text = read_view(in, reader_left(in) / (TEXTS - index));

	/* The text is the input, made longer, so that there is always something to cut. */
	sending->len = text.len + 40 + index;
	if (sending->len > sizeof(sending->text))
		sending->len = sizeof(sending->text);
	for (size_t i = 0; i < sending->len; i++)
		sending->text[i] = i < text.len ? text.at[i] : (uint8_t)(i * 5 + index);
	sending->mid = index == 2 ? 8 : 7;
}

/* One fragment, sealed, as it comes from the wire: a copy of exactly its size. NULL when there is none. */
static uint8_t *make(size_t *len, const struct sending *sending, unsigned int number, const struct keymat *keymat)
{
	const struct header header = { .spi_i = { 1 }, .version = 0x20, .mid = sending->mid };
	uint8_t sealed[4096], *copy;

	*len = sizeof(sealed);
	if (!sending->total || number > sending->total)
		return NULL;
	if (seal_fragment(sealed, len, &header, PAYLOAD_NOTIFY, view_of(sending->text, sending->len), number,
			  sending->total, sending->size, keymat, true, number, random_iv))
		abort();
	if (*len > sending->size)
		abort();
	copy = malloc(*len);
	if (copy)
		memcpy(copy, sealed, *len);
	return copy;
}

static void check_whole(const struct reassembly *reassembly, const uint8_t *store, const struct sending *sendings)
{
	uint8_t *whole = malloc(reassembly->used ? reassembly->used : 1);
	struct view plain;

	if (!whole)
		return;
	plain = reassembly_join(reassembly, whole, store);
	for (unsigned int i = 0; i < TEXTS; i++)
		if (sendings[i].mid == reassembly->mid && sendings[i].total == reassembly->total &&
		    view_equal(plain, view_of(sendings[i].text, sendings[i].len))) {
			free(whole);
			return;
		}
	abort();
}

/* As the engine takes a datagram. */
static void arrive(struct reassembly *reassembly, uint8_t *store, const struct sending *sendings, uint8_t *datagram,
		   size_t len, const struct keymat *keymat)
{
	struct header header;
	struct chain chain;
	struct fragment fragment;
	struct view plain;
	uint8_t *out;
	int result;

	if (header_parse(&header, view_of(datagram, len)) ||
	    chain_parse(&chain, header.next, view_of(datagram + HEADER_LEN, len - HEADER_LEN), false) ||
	    seal_fragment_parse(&fragment, &chain) || !reassembly_wants(reassembly, header.mid, &fragment))
		return;
	out = malloc(len);
	if (!out)
		return;
	if (!seal_open(out, &plain, view_of(datagram, len), &chain, keymat, true)) {
		result = reassembly_add(reassembly, store, STORE_MAX, header.mid, &fragment, chain.sk_next, plain);
		if (result < 0)
			abort(); /* the texts are shorter than the store */
		if (result) {
			check_whole(reassembly, store, sendings);
			memset(reassembly, 0, sizeof(*reassembly));
		}
	}
	free(out);
}

/* Octets of the script: which sending and fragment, damage or not. */
static void sealed_path(struct view input, const struct keymat *keymat)
{
	static struct sending sendings[TEXTS];
	struct reassembly reassembly = { 0 };
	uint8_t *store = malloc(STORE_MAX);
	struct reader in, script;

	reader_init(&in, input);
	sendings[0].size = 28 + 8 + 16 + 16 + 16 + read_u8(&in);
	sendings[1].size = 28 + 8 + 16 + 16 + 16 + read_u8(&in);
	sendings[2].size = sendings[0].size;
	reader_init(&script, read_view(&in, reader_left(&in) < 64 ? reader_left(&in) / 2 : 64));
	for (unsigned int i = 0; i < TEXTS; i++) {
		struct sending *sending = &sendings[i];

		fill_sending(sending, i, &in);
		if (i == 1) {
			memcpy(sending->text, sendings[0].text, sendings[0].len);
			sending->len = sendings[0].len;
		}
		sending->total = seal_fragments(view_of(sending->text, sending->len), sending->size, keymat);
		if (sending->total < 2 || (i == 1 && sending->total == sendings[0].total))
			sending->total = 0;
	}
	while (store && reader_left(&script) >= 2) {
		const uint8_t which = read_u8(&script), damage = read_u8(&script);
		const struct sending *sending = &sendings[which >> 5 & 3 ? (which >> 5 & 3) - 1 : 0];
		size_t len;
		uint8_t *datagram = make(&len, sending, 1 + (which & 31), keymat);

		if (!datagram)
			continue;
		if (which & 0x80)
			datagram[damage % len] ^= (uint8_t)(1 + damage % 255);
		arrive(&reassembly, store, sendings, datagram, len, keymat);
		free(datagram);
	}
	free(store);
}

/* The slow one: contents by number, in places of their own. */
struct slow {
	uint32_t mid;
	unsigned int total;
	size_t used;
	struct view content[SEAL_FRAGMENTS_MAX + 1];
	bool had[SEAL_FRAGMENTS_MAX + 1];
};

static int slow_add(struct slow *slow, uint32_t mid, const struct fragment *fragment, struct view content)
{
	unsigned int have = 0;

	if (!fragment->number || fragment->number > fragment->total || fragment->total > SEAL_FRAGMENTS_MAX)
		return 0;
	if (!slow->total || slow->mid != mid || fragment->total > slow->total) {
		memset(slow, 0, sizeof(*slow));
		slow->mid = mid;
		slow->total = fragment->total;
	}
	if (fragment->total < slow->total || slow->had[fragment->number])
		return 0;
	slow->had[fragment->number] = true;
	slow->content[fragment->number] = content;
	slow->used += content.len;
	if (slow->used > STORE_MAX) {
		memset(slow, 0, sizeof(*slow));
		return -EMSGSIZE;
	}
	for (unsigned int i = 1; i <= slow->total; i++)
		have += slow->had[i];
	return have == slow->total;
}

static void check_slow(const struct slow *slow, const struct reassembly *reassembly, const uint8_t *store)
{
	uint8_t *whole = malloc(reassembly->used ? reassembly->used : 1);
	struct view plain;
	size_t at = 0;

	if (!whole)
		return;
	plain = reassembly_join(reassembly, whole, store);
	if (plain.len != slow->used)
		abort();
	for (unsigned int i = 1; i <= slow->total; i++) {
		if (slow->content[i].len && memcmp(plain.at + at, slow->content[i].at, slow->content[i].len))
			abort();
		at += slow->content[i].len;
	}
	free(whole);
}

/* mid, number, total (their low octets, and 255 for 65535), length, content; again and again. */
static void plain_path(struct view input)
{
	struct reassembly reassembly = { 0 };
	struct slow slow = { 0 };
	uint8_t *store = malloc(STORE_MAX);
	struct reader in;

	reader_init(&in, input);
	while (store && reader_left(&in) >= 4) {
		const uint32_t mid = read_u8(&in) & 1;
		struct fragment fragment;
		struct view content;
		size_t len;
		bool wanted;
		int result;

		fragment.number = read_u8(&in);
		fragment.total = read_u8(&in);
		if (fragment.number == 255)
			fragment.number = 65535;
		if (fragment.total == 255)
			fragment.total = 65535;
		len = read_u8(&in) * 4u;
		content = read_view(&in, len < reader_left(&in) ? len : reader_left(&in));
		wanted = reassembly_wants(&reassembly, mid, &fragment);
		result = reassembly_add(&reassembly, store, STORE_MAX, mid, &fragment, 0, content);
		if (result != slow_add(&slow, mid, &fragment, content) || (result && !wanted))
			abort();
		if (reassembly.used > STORE_MAX || reassembly.have > reassembly.total ||
		    reassembly.total > SEAL_FRAGMENTS_MAX)
			abort();
		if (result == 1)
			check_slow(&slow, &reassembly, store);
	}
	free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (data[0] & 0x80)
		plain_path(view_of(data + 1, len - 1));
	else
		sealed_path(view_of(data + 1, len - 1), &keys[data[0] % CIPHERS]);
	return 0;
}
