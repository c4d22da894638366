// SPDX-License-Identifier: Apache-2.0
/*
 * SKF payloads (RFC 7383): cutting, sealing, opening and putting together, in every order, with duplicates, other
 * totals and bad numbers (CVE-2013-6076, CVE-2016-6381, CVE-2016-10396), up to every bound and one beyond.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sealing.h"

static const uint8_t random_iv[16] = "random octets..";
static uint8_t content[SEAL_AFTER_AUTH_MAX + 1], store[SEAL_AFTER_AUTH_MAX], joined[SEAL_AFTER_AUTH_MAX];

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	sealing_fill(content, sizeof(content), 3);
	return crypto_init(&err);
}

/* All fragments of one content, sealed. */
struct cut {
	unsigned int total;
	size_t len[SEAL_FRAGMENTS_MAX];
	uint8_t datagram[SEAL_FRAGMENTS_MAX][3000];
};

static void seal_all(struct cut *cut, const struct keymat *keymat, size_t plain_len, size_t size)
{
	const struct view plain = view_of(content, plain_len);
	const struct header header = sealing_header();

	cut->total = seal_fragments(plain, size, keymat);
	assert_in_range(cut->total, 2, SEAL_FRAGMENTS_MAX);
	for (unsigned int i = 0; i < cut->total; i++) {
		cut->len[i] = sizeof(cut->datagram[i]);
		assert_int_equal(seal_fragment(cut->datagram[i], &cut->len[i], &header, PAYLOAD_IDI, plain, i + 1,
					       cut->total, size, keymat, true, i, random_iv),
				 0);
		assert_in_range(cut->len[i], 1, size);
		/* All but the last are as long as they may be. */
		if (i + 1 < cut->total)
			assert_true(cut->len[i] + keymat->cipher->block > size);
	}
}

/* One datagram, as the engine takes it. */
static int take(struct reassembly *reassembly, size_t max, const struct cut *cut, unsigned int index,
		const struct keymat *keymat)
{
	const struct view datagram = view_of(cut->datagram[index], cut->len[index]);
	struct fragment fragment;
	struct header header;
	struct chain chain;
	struct view plain;
	uint8_t out[3000];

	assert_int_equal(sealing_parse(&header, &chain, datagram), 0);
	assert_int_equal(seal_fragment_parse(&fragment, &chain), 0);
	assert_int_equal(fragment.number, index + 1);
	assert_int_equal(fragment.total, cut->total);
	assert_int_equal(chain.sk_next, index ? 0 : PAYLOAD_IDI);
	if (!reassembly_wants(reassembly, header.mid, &fragment))
		return 0;
	assert_int_equal(seal_open(out, &plain, datagram, &chain, keymat, true), 0);
	return reassembly_add(reassembly, store, max, header.mid, &fragment, chain.sk_next, plain);
}

static void check_joined(const struct reassembly *reassembly, size_t len)
{
	struct view plain;

	assert_int_equal(reassembly->used, len);
	assert_int_equal(reassembly->first, PAYLOAD_IDI);
	memset(joined, 0, len);
	plain = reassembly_join(reassembly, joined, store);
	assert_true(view_equal(plain, view_of(content, len)));
}

static void test_round_trip(void **state)
{
	static struct cut cut;

	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		const size_t sizes[] = { 576, 1232, 1280, 2999 };

		for (size_t s = 0; s < 4; s++)
			for (size_t len = sizes[s]; len < sizes[s] * 16; len += 997) {
				struct reassembly reassembly = { 0 };

				seal_all(&cut, &keymat, len, sizes[s]);
				for (unsigned int i = 0; i < cut.total; i++)
					assert_int_equal(take(&reassembly, sizeof(store), &cut, i, &keymat),
							 i + 1 == cut.total);
				check_joined(&reassembly, len);
			}
	}
}

/* Around every length at which one more fragment is needed. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		const struct cipher *cipher = keymat.cipher;
		const size_t around = 28 + cipher->iv_len + cipher->icv_len, size = around + 8 + 64;
		const size_t whole = (size - around - 4) / cipher->block * cipher->block - 1;
		const size_t piece = 64 / cipher->block * cipher->block - 1;
		const struct header header = sealing_header();
		uint8_t sealed[512];

		assert_int_equal(seal_fragments(view_of(content, 0), size, &keymat), 1);
		assert_int_equal(seal_fragments(view_of(content, whole), size, &keymat), 1);
		assert_int_equal(seal_fragments(view_of(content, whole + 1), size, &keymat), whole / piece + 1);
		for (unsigned int n = 2; n <= SEAL_FRAGMENTS_MAX; n++) {
			size_t len = sizeof(sealed);

			assert_int_equal(seal_fragments(view_of(content, n * piece), size, &keymat), n);
			assert_int_equal(seal_fragments(view_of(content, n * piece + 1), size, &keymat),
					 n < SEAL_FRAGMENTS_MAX ? n + 1 : 0);
			/* The last one, of a content that is one octet too long or too short for the total. */
			assert_int_equal(seal_fragment(sealed, &len, &header, 0, view_of(content, n * piece + 1), n, n,
						       size, &keymat, true, 1, random_iv),
					 -EMSGSIZE);
			assert_int_equal(seal_fragment(sealed, &len, &header, 0, view_of(content, (n - 1) * piece), n,
						       n, size, &keymat, true, 1, random_iv),
					 -EMSGSIZE);
			assert_int_equal(len, sizeof(sealed));
			assert_int_equal(seal_fragment(sealed, &len, &header, 0, view_of(content, (n - 1) * piece + 1),
						       n, n, size, &keymat, true, 1, random_iv),
					 0);
		}
	}
}

static void test_cut_refused(void **state)
{
	static const struct {
		unsigned int number, total;
	} bad[] = { { 0, 2 }, { 3, 2 }, { 0, 0 }, { 1, SEAL_FRAGMENTS_MAX + 1 }, { 65535, 65535 } };
	const struct keymat keymat = sealing_keymat(0);
	const struct header header = sealing_header();
	uint8_t sealed[1500];
	size_t len = sizeof(sealed);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(seal_fragment(sealed, &len, &header, 0, view_of(content, 2000), bad[i].number,
					       bad[i].total, 1280, &keymat, true, 1, random_iv),
				 -EINVAL);
	/* No size in which a fragment, or even its header, has room. */
	for (size_t size = 0; size <= 28 + 8 + 8 + 1 + 16; size++)
		assert_int_equal(seal_fragments(view_of(content, 100), size, &keymat), 0);
	assert_int_equal(seal_fragments(view_of(content, 32), 28 + 8 + 8 + 2 + 16, &keymat), 32);
	assert_int_equal(seal_fragments(view_of(content, SEAL_AFTER_AUTH_MAX + 1), SIZE_MAX, &keymat), 0);
	assert_int_equal(seal_fragments(view_of(content, SEAL_AFTER_AUTH_MAX), SIZE_MAX, &keymat), 2);
	assert_int_equal(seal_fragments(view_of(content, SIZE_MAX), 1280, &keymat), 0);
}

/* CVE-2013-6076: the numbers in the fragment header. */
static void test_numbers(void **state)
{
	static const struct {
		uint16_t number, total;
		uint8_t next;
		int result;
		bool wanted;
	} cases[] = {
		{ 1, 2, PAYLOAD_IDI, 0, true },		{ 2, 2, 0, 0, true },
		{ 1, 1, PAYLOAD_IDI, 0, true },		{ 32, 32, 0, 0, true },
		{ 0, 0, 0, -EBADMSG, false },		{ 0, 1, 0, -EBADMSG, false },
		{ 1, 0, PAYLOAD_IDI, -EBADMSG, false }, { 2, 1, 0, -EBADMSG, false },
		{ 65535, 1, 0, -EBADMSG, false },	{ 0, 65535, 0, -EBADMSG, false },
		{ 1, 33, PAYLOAD_IDI, 0, false },	{ 33, 33, 0, 0, false },
		{ 65535, 65535, 0, 0, false },		{ 1, 65535, PAYLOAD_IDI, 0, false },
		{ 2, 2, PAYLOAD_IDI, -EBADMSG, false },
	};
	const struct reassembly empty = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint8_t body[] = { (uint8_t)(cases[i].number >> 8), (uint8_t)cases[i].number,
					 (uint8_t)(cases[i].total >> 8), (uint8_t)cases[i].total };
		struct chain chain = { .sk_type = PAYLOAD_SKF, .sk_next = cases[i].next };
		struct fragment fragment = { 7, 7 };

		chain.payload[SLOT_SK] = VIEW_OF(body);
		assert_int_equal(seal_fragment_parse(&fragment, &chain), cases[i].result);
		if (cases[i].result)
			assert_int_equal(fragment.number, 7);
		/* What parsing refuses is refused here, too. */
		fragment = (struct fragment){ cases[i].number, cases[i].total };
		if (cases[i].result || !cases[i].wanted) {
			struct reassembly reassembly = { 0 };

			if (cases[i].number > 1 && cases[i].next)
				continue;
			assert_int_equal(reassembly_add(&reassembly, store, sizeof(store), 1, &fragment, 0, VIEW_NONE),
					 0);
			assert_memory_equal(&reassembly, &empty, sizeof(empty));
		}
		assert_int_equal(reassembly_wants(&empty, 1, &fragment), cases[i].wanted);
	}
}

/* Heap's algorithm: every order of `count` fragments, given to `see`. */
static unsigned int permute(unsigned int *order, unsigned int count, unsigned int left,
			    void (*see)(const unsigned int *order, unsigned int count))
{
	unsigned int seen = 0;

	if (left <= 1) {
		see(order, count);
		return 1;
	}
	for (unsigned int i = 0; i < left; i++) {
		const unsigned int other = left % 2 ? 0 : i, swapped = order[left - 1];

		seen += permute(order, count, left - 1, see);
		order[left - 1] = order[other];
		order[other] = swapped;
	}
	return seen;
}

static struct cut shared_cut;
static struct keymat shared_keymat;

/* Each fragment twice, the second time right after the first and once more at the end. */
static void try_order(const unsigned int *order, unsigned int count)
{
	struct reassembly reassembly = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(take(&reassembly, sizeof(store), &shared_cut, order[i], &shared_keymat),
				 i + 1 == count);
		assert_int_equal(reassembly.have, i + 1);
		if (i + 1 < count) {
			const struct reassembly before = reassembly;

			assert_int_equal(take(&reassembly, sizeof(store), &shared_cut, order[i / 2], &shared_keymat),
					 0);
			assert_memory_equal(&before, &reassembly, sizeof(before));
		}
	}
	check_joined(&reassembly, 100 * count - 50);
}

static void test_permutations(void **state)
{
	unsigned int factorial = 1;

	(void)state;
	shared_keymat = sealing_keymat(0);
	for (unsigned int count = 2; count <= 6; count++) {
		unsigned int order[6] = { 0, 1, 2, 3, 4, 5 };

		factorial *= count;
		seal_all(&shared_cut, &shared_keymat, 100 * count - 50, 28 + 8 + 8 + 100 + 1 + 16);
		assert_int_equal(shared_cut.total, count);
		assert_int_equal(permute(order, count, count, try_order), factorial);
	}
}

static int add_plain(struct reassembly *reassembly, uint32_t mid, unsigned int number, unsigned int total, size_t start,
		     size_t len, size_t max)
{
	const struct fragment fragment = { (uint16_t)number, (uint16_t)total };

	return reassembly_add(reassembly, store, max, mid, &fragment, number == 1 ? PAYLOAD_IDI : 0,
			      view_of(content + start, len));
}

/* RFC 7383 2.6: a larger total begins anew, a smaller one is dropped; so does another message. */
static void test_totals(void **state)
{
	const struct fragment smaller = { 1, 2 }, same = { 3, 3 }, had = { 2, 3 }, larger = { 1, 4 };
	struct reassembly reassembly = { 0 }, before;

	(void)state;
	assert_int_equal(add_plain(&reassembly, 1, 1, 3, 0, 100, sizeof(store)), 0);
	assert_int_equal(add_plain(&reassembly, 1, 2, 3, 100, 100, sizeof(store)), 0);
	assert_false(reassembly_wants(&reassembly, 1, &smaller));
	assert_true(reassembly_wants(&reassembly, 1, &same));
	assert_false(reassembly_wants(&reassembly, 1, &had));
	assert_true(reassembly_wants(&reassembly, 1, &larger));
	before = reassembly;
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 150, sizeof(store)), 0);
	assert_int_equal(add_plain(&reassembly, 1, 2, 2, 150, 150, sizeof(store)), 0);
	assert_memory_equal(&before, &reassembly, sizeof(before));

	assert_int_equal(add_plain(&reassembly, 1, 4, 4, 240, 60, sizeof(store)), 0);
	assert_int_equal(reassembly.have, 1);
	assert_int_equal(add_plain(&reassembly, 1, 3, 3, 200, 100, sizeof(store)), 0);
	assert_int_equal(add_plain(&reassembly, 1, 2, 4, 80, 80, sizeof(store)), 0);
	assert_int_equal(add_plain(&reassembly, 1, 1, 4, 0, 80, sizeof(store)), 0);
	assert_int_equal(add_plain(&reassembly, 1, 3, 4, 160, 80, sizeof(store)), 1);
	check_joined(&reassembly, 300);

	assert_int_equal(add_plain(&reassembly, 2, 1, 2, 0, 10, sizeof(store)), 0);
	assert_int_equal(reassembly.used, 10);
	assert_int_equal(add_plain(&reassembly, 2, 2, 2, 10, 5, sizeof(store)), 1);
	check_joined(&reassembly, 15);
	assert_int_equal(add_plain(&reassembly, 3, 1, 1, 0, 42, sizeof(store)), 1);
	check_joined(&reassembly, 42);
}

/* CVE-2016-6381: full to the last octet, and one more; nothing is kept then. */
static void test_store_bound(void **state)
{
	const struct reassembly empty = { 0 };
	struct reassembly reassembly = { 0 };

	(void)state;
	assert_int_equal(add_plain(&reassembly, 1, 2, 2, 60, 40, 100), 0);
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 60, 100), 1);
	check_joined(&reassembly, 100);
	reassembly = empty;
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 60, 100), 0);
	assert_int_equal(add_plain(&reassembly, 1, 2, 2, 60, 41, 100), -EMSGSIZE);
	assert_memory_equal(&reassembly, &empty, sizeof(empty));
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 101, 100), -EMSGSIZE);
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 65536, SIZE_MAX), -EMSGSIZE);
	/* A store that has shrunk under it. */
	assert_int_equal(add_plain(&reassembly, 1, 1, 2, 0, 60, 100), 0);
	assert_int_equal(add_plain(&reassembly, 1, 2, 2, 60, 1, 50), -EMSGSIZE);
	/* Fragments of nothing are counted as well, and end. */
	for (unsigned int i = 1; i <= 32; i++)
		assert_int_equal(add_plain(&reassembly, 1, i, 32, 0, 0, 0), i == 32);
	check_joined(&reassembly, 0);
}

/*
 * CVE-2016-10396: 100,000 fragments in an order that keeps starting anew, every one stored, and the result is right in the
 * end. Quadratic work in the fragments that came would not end within the time limit of the tests.
 */
static void test_many(void **state)
{
	struct reassembly reassembly = { 0 };
	unsigned int count = 0;

	(void)state;
	for (uint32_t mid = 0; count < 100000; mid++)
		for (unsigned int total = 2; total <= SEAL_FRAGMENTS_MAX; total++)
			for (unsigned int number = total; number > 1; number--, count++) {
				const size_t start = (number - 1) * 50;

				assert_int_equal(add_plain(&reassembly, mid, number, total, start, 50, sizeof(store)),
						 0);
				assert_int_equal(reassembly.used, (total - number + 1) * 50);
			}
	assert_int_equal(add_plain(&reassembly, reassembly.mid, 1, SEAL_FRAGMENTS_MAX, 0, 50, sizeof(store)), 1);
	check_joined(&reassembly, 50 * SEAL_FRAGMENTS_MAX);
}

/* Every bit of a fragment is as well protected as that of a whole message, its numbers included. */
static void test_every_bit(void **state)
{
	static struct cut cut;
	uint8_t out[512];

	(void)state;
	for (unsigned int index = 0; index < SEALING_CIPHERS; index++) {
		const struct keymat keymat = sealing_keymat(index);
		struct header header;
		struct chain chain;
		struct view plain, datagram;

		seal_all(&cut, &keymat, 150, 140);
		datagram = view_of(cut.datagram[0], cut.len[0]);
		assert_int_equal(sealing_parse(&header, &chain, datagram), 0);
		for (size_t bit = 0; bit < cut.len[0] * 8; bit++) {
			cut.datagram[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(seal_open(out, &plain, datagram, &chain, &keymat, true), -EBADMSG);
			cut.datagram[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(seal_open(out, &plain, datagram, &chain, &keymat, true), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_refused),  cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_permutations), cmocka_unit_test(test_totals),
		cmocka_unit_test(test_store_bound),  cmocka_unit_test(test_many),
		cmocka_unit_test(test_every_bit),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
