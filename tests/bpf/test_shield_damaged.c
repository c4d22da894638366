// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged frames at the shield: cut off at every length, with every length field lying, with headers in places where nobody has
 * them, and at random. A model (shield_model.h) has to come to the same verdict and the same answer each time. PACKETS in the
 * environment says how many random ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_prog.h"
#include "shield_desk.h"

#define PACKETS 1000000
#define SEED 20261130u
#define ETH_LEN 14 /* the kernel runs no frame without an Ethernet header */

static unsigned long verdicts[XDP_REDIRECT + 1];

static int judge(const uint8_t *frame, size_t len)
{
	int verdict = desk_judge(frame, len);

	assert_in_range(verdict, XDP_ABORTED + 1, XDP_TX);
	verdicts[verdict]++;
	return verdict;
}

static void write16(uint8_t *at, unsigned long value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static bool is_v4(const struct asked *asked)
{
	return asked->frame[asked->l3] >> 4 == 4;
}

/* Makes the lengths of IP, UDP and IKE say what a frame of `len` octets has; those that have a place in it. */
static void mend_lengths(struct asked *asked, size_t len)
{
	if (len >= asked->l3 + 20)
		write16(asked->frame + asked->l3 + (is_v4(asked) ? 2 : 4), len - asked->l3 - (is_v4(asked) ? 0 : 40));
	if (len >= asked->l4 + 8)
		write16(asked->frame + asked->l4 + 4, len - asked->l4);
	if (len >= asked->ike + 28)
		write16(asked->frame + asked->ike + 26, len - asked->ike);
	asked->len = len;
}

/* The forms that are damaged below, with a good cookie where one is asked for. */
static unsigned int form(struct asked *out, unsigned int which)
{
	static const char *const sources[] = { "198.51.100.2", "2001:db8:2::2" };
	static uint8_t cookie[COOKIE_LEN];
	struct question question = { .src = sources[which & 1],
				     .tags = which >> 1 & 1,
				     .words = which >> 2 & 1 ? 2 : 0,
				     .encap = which >> 3 & 1 };

	if (which >> 4 & 1) {
		question_write(out, &question);
		assert_int_equal(cookie_make(cookie, &desk.shield.jar, &out->path, out->spi_i, out->ni, run_now_ns()),
				 0);
		question.cookie = VIEW_OF(cookie);
	}
	question_write(out, &question);
	return 32;
}

static void test_cut_off(void **state)
{
	struct asked asked;

	(void)state;
	for (unsigned int demand = 0; demand < 2; demand++) {
		desk.shield.set->demand = demand;
		for (unsigned int which = 0; which < form(&asked, which); which++) {
			size_t whole = asked.len;

			/* The frame alone, whose headers then promise more than there is: the kernel's to drop. */
			for (size_t len = ETH_LEN; len < whole; len++)
				assert_int_equal(judge(asked.frame, len), XDP_PASS);
			/* And with headers that know of it. */
			for (size_t len = ETH_LEN; len <= whole; len++) {
				form(&asked, which);
				mend_lengths(&asked, len);
				judge(asked.frame, len);
			}
			/* Padding, as short frames have it, is not the datagram's. */
			form(&asked, which);
			memset(asked.frame + whole, 0, 60);
			judge(asked.frame, whole + 60);
		}
	}
}

static void lie(struct asked *asked, size_t at)
{
	unsigned int honest = (unsigned int)asked->frame[at] << 8 | asked->frame[at + 1];

	for (unsigned int value = 0; value < 320; value++) {
		write16(asked->frame + at, value);
		judge(asked->frame, asked->len);
	}
	for (int by = -40; by <= 40; by++) {
		write16(asked->frame + at, honest + (unsigned int)by);
		judge(asked->frame, asked->len);
	}
	for (unsigned int value = 0x100; value < 0x10000; value += 0x7f) {
		write16(asked->frame + at, value);
		judge(asked->frame, asked->len);
	}
	write16(asked->frame + at, honest);
}

static void test_lying_lengths(void **state)
{
	struct asked asked;

	(void)state;
	desk.shield.set->demand = 1;
	for (unsigned int which = 0; which < form(&asked, which); which++) {
		size_t at;

		lie(&asked, asked.l3 + (is_v4(&asked) ? 2 : 4));
		lie(&asked, asked.l4 + 4);
		lie(&asked, asked.ike + 24);
		lie(&asked, asked.ike + 26);
		for (at = asked.ike + 28; at <= asked.nonce;
		     at += (size_t)asked.frame[at + 2] << 8 | asked.frame[at + 3])
			lie(&asked, at + 2);
		/* The length of IPv4's header, and of an extension header. */
		for (unsigned int value = 0; value < 256; value++) {
			uint8_t *octet = asked.frame + asked.l3 + (is_v4(&asked) ? 0 : 41), honest = *octet;

			*octet = (uint8_t)value;
			judge(asked.frame, asked.len);
			*octet = honest;
		}
	}
}

/* Every value of every octet of the headers. */
static void test_every_octet(void **state)
{
	struct asked asked;

	(void)state;
	for (unsigned int which = 0; which < form(&asked, which); which += 3) {
		desk.shield.set->demand = which & 1;
		for (size_t at = 12; at < asked.ike + 44; at++) {
			uint8_t honest = asked.frame[at];

			for (unsigned int value = 0; value < 256; value++) {
				asked.frame[at] = (uint8_t)value;
				judge(asked.frame, asked.len);
			}
			asked.frame[at] = honest;
		}
	}
}

/* The nonce behind so many payloads that nobody looks for it. */
static void test_many_payloads(void **state)
{
	const struct question question = { .more = 400 };
	struct asked asked;

	(void)state;
	desk.shield.set->demand = 1;
	for (unsigned int before = 0; before < 40; before++) {
		uint8_t *at;

		question_write(&asked, &question);
		at = asked.frame + asked.ike + 28;
		asked.frame[asked.ike + 16] = before ? 43 : 40;
		for (unsigned int i = 0; i < before; i++, at += 4)
			memcpy(at, (uint8_t[]){ i + 1 < before ? 43 : 40, 0, 0, 4 }, 4);
		memcpy(at, (uint8_t[]){ 0, 0, 0, 36 }, 4);
		assert_int_equal(judge(asked.frame, asked.len), before < HF_SHIELD_PAYLOADS ? XDP_TX : XDP_DROP);
	}
}

/* ---- at random ---- */

static uint32_t drawn = SEED;

static uint32_t draw(uint32_t below)
{
	drawn ^= drawn << 13;
	drawn ^= drawn >> 17;
	drawn ^= drawn << 5;
	return drawn % below;
}

/* Some damage: octets changed, a piece taken out or put in, cut off, or all of it noise. */
static void damage(struct asked *asked)
{
	size_t at = ETH_LEN + draw((uint32_t)(asked->len - ETH_LEN)), len = draw(12);

	switch (draw(8)) {
	case 0:
		break;
	case 1:
	case 2:
		asked->frame[at] = (uint8_t)draw(256);
		break;
	case 3:
		asked->frame[12 + draw((uint32_t)(asked->ike + 40 - 12))] ^= (uint8_t)(1 << draw(8));
		break;
	case 4:
		if (at + len < asked->len) {
			memmove(asked->frame + at, asked->frame + at + len, asked->len - at - len);
			asked->len -= len;
		}
		break;
	case 5:
		memmove(asked->frame + at + len, asked->frame + at, asked->len - at);
		asked->len += len;
		break;
	case 6:
		asked->len = at + 1;
		break;
	default:
		for (size_t i = at; i < asked->len; i++)
			asked->frame[i] = (uint8_t)draw(256);
		break;
	}
	if (draw(3) == 0)
		mend_lengths(asked, asked->len);
}

static void test_random(void **state)
{
	const char *given = getenv("PACKETS");
	unsigned long packets = given ? strtoul(given, NULL, 10) : PACKETS;
	struct hf_shield_count counts;
	struct asked asked;

	(void)state;
	shield_forget(&desk.shield);
	memset(verdicts, 0, sizeof(verdicts));
	for (unsigned long i = 0; i < packets; i++) {
		desk.shield.set->demand = draw(4) != 0;
		form(&asked, draw(32));
		for (uint32_t times = draw(3); times > 0; times--)
			damage(&asked);
		judge(asked.frame, asked.len);
		if (i % 10000 == 0)
			shield_rotate(&desk.shield);
	}
	counts = shield_counts(&desk.shield);
	printf("%lu frames: %lu dropped, %lu passed, %lu answered\n", packets, verdicts[XDP_DROP], verdicts[XDP_PASS],
	       verdicts[XDP_TX]);
	desk_check_sum();
	assert_int_equal(counts.cookies_sent, verdicts[XDP_TX]);
	/* All ways were gone. */
	assert_true(counts.known && counts.responses && counts.malformed && counts.odd_passed && counts.init_passed &&
		    counts.init_malformed && counts.cookies_good && counts.cookies_bad && counts.unanswerable);
	assert_int_equal(counts.answer_failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_off),	    cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_every_octet), cmocka_unit_test(test_many_payloads),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
