// SPDX-License-Identifier: Apache-2.0
/*
 * Single datagrams after others' disasters, in every state of the engine: cut short, with fragments that are none, said twice while the
 * caller thinks, and answers that must not hold what lay in memory before. See test_ike_cve.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;

/* A whole conversation: everything that was said, in order. */
static struct duo_datagram said[32];
static size_t said_count;

static void on_wire_to_said(void)
{
	while (duo.wire_count) {
		assert_true(said_count < 32);
		said[said_count++] = duo.wire[0];
		duo_deliver(&duo, 0);
	}
}

static void converse(void)
{
	said_count = 0;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	on_wire_to_said();
	ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
	duo_drain(&duo, 1);
	on_wire_to_said();
	ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	on_wire_to_said();
	ike_close(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	on_wire_to_said();
	duo_end(&duo);
	assert_true(said_count >= 12);
}

/* CVE-2015-4047: one datagram, each of a conversation cut at each length, thrown at each state. */
static void test_cve_2015_4047_cut_short(void **state)
{
	(void)state;
	converse();
	for (unsigned int s = 0; s < SA_STATES; s++) {
		unsigned int at = hostile_reach(&duo, s);
		struct sa *sa = hostile_sa(&duo, at, s);
		struct hostile_image before;

		/* No tokens for SPIs of other days. */
		memset(duo.host[at].ike->options.crash_secret, 0, 32);
		before = hostile_image(&duo, at, sa);
		for (size_t i = 0; i < said_count; i++) {
			for (size_t len = 0; len < said[i].len; len += len < 64 ? 1 : 7) {
				uint8_t octets[DUO_DATAGRAM];

				memcpy(octets, said[i].octets, len);
				hostile_datagram(&duo, at, sa, view_of(octets, len));
				hostile_unchanged(&duo, at, sa, &before);
				/* With a length that says so, and with the SPIs of this SA. */
				if (len < HEADER_LEN)
					continue;
				memcpy(octets, sa->spi_i, SPI_LEN);
				memcpy(octets + 8, sa->spi_r, SPI_LEN);
				octets[24] = octets[25] = 0;
				octets[26] = (uint8_t)(len >> 8);
				octets[27] = (uint8_t)len;
				hostile_datagram(&duo, at, sa, view_of(octets, len));
				hostile_unchanged(&duo, at, sa, &before);
				sa->bad_icvs = 0;
			}
		}
		duo_end(&duo);
	}
}

/* CVE-2016-1287, CVE-2013-6076, CVE-2022-34721: SK and SKF of 0 to 12 octets and more, fragments without number or beyond their total. */
static void test_cve_2016_1287_short_fragments(void **state)
{
	static const uint16_t numbers[] = { 0, 1, 2, 31, 32, 33, 255, 65535 };

	(void)state;
	for (unsigned int s = 0; s < SA_STATES; s++) {
		unsigned int at = hostile_reach(&duo, s);
		struct sa *sa = hostile_sa(&duo, at, s);
		struct hostile_image before = hostile_image(&duo, at, sa);

		for (unsigned int type = PAYLOAD_SK; type <= PAYLOAD_SKF; type += PAYLOAD_SKF - PAYLOAD_SK) {
			for (unsigned int claim = 0; claim < 80; claim++) {
				for (unsigned int n = 0; n < 64; n++) {
					uint8_t octets[HEADER_LEN + 80] = { 0 };
					uint16_t number = numbers[n % 8], total = numbers[n / 8];
					size_t len = HEADER_LEN + (claim < 4 ? 4 : claim);

					memcpy(octets, sa->spi_i, SPI_LEN);
					memcpy(octets + 8, sa->spi_r, SPI_LEN);
					octets[16] = (uint8_t)type;
					octets[17] = 0x20;
					octets[18] = s < SA_ESTABLISHED ? EXCHANGE_IKE_AUTH : EXCHANGE_INFORMATIONAL;
					octets[19] = (uint8_t)((sa->initiator ? 0 : FLAG_INITIATOR) |
							       (s < SA_HALF_OPEN ? FLAG_RESPONSE : 0));
					octets[23] = (uint8_t)hostile_next_mid(sa, s < SA_HALF_OPEN);
					octets[27] = (uint8_t)len;
					octets[31] = (uint8_t)claim;
					octets[32] = (uint8_t)(number >> 8);
					octets[33] = (uint8_t)number;
					octets[34] = (uint8_t)(total >> 8);
					octets[35] = (uint8_t)total;
					hostile_datagram(&duo, at, sa, view_of(octets, len));
					hostile_unchanged(&duo, at, sa, &before);
					sa->bad_icvs = 0;
					if (type == PAYLOAD_SK)
						break;
				}
			}
		}
		duo_end(&duo);
	}
}

/* CVE-2026-33824: each message twice, or its memory changed at once, while the caller looks for keys and the kernel installs. */
static void test_cve_2026_33824_twice_while_waiting(void **state)
{
	(void)state;
	for (unsigned int hold = 0; hold < 16; hold++) {
		duo_start(&duo, NULL);
		duo.host[0].hold_answer = hold & 1;
		duo.host[1].hold_answer = hold & 2;
		duo.host[0].hold_install = hold & 4;
		duo.host[1].hold_install = hold & 8;
		duo_connect(&duo, 0);
		for (unsigned int round = 0; round < 30 && !(duo.host[0].child_ups && !duo.wire_count); round++) {
			while (duo.wire_count) {
				struct duo_datagram again = duo.wire[0];

				duo_deliver(&duo, 0);
				for (unsigned int k = 0; k < 2; k++) {
					uint8_t octets[DUO_DATAGRAM];
					struct ike_path path = { .local = again.path.remote,
								 .remote = again.path.local,
								 .local_port = again.path.remote_port,
								 .remote_port = again.path.local_port };

					memcpy(octets, again.octets, again.len);
					ike_datagram(duo.host[!again.from].ike, &path, view_of(octets, again.len),
						     duo.now);
					memset(octets, 0xee, sizeof(octets));
					duo_drain(&duo, !again.from);
				}
				/* The copies made more of the same; one of each is enough. */
				while (duo.wire_count > 2)
					duo_drop(&duo, duo.wire_count - 1);
			}
			for (unsigned int i = 0; i < 2; i++) {
				if (duo.host[i].hold_answer && duo.host[i].asks)
					duo_release_answer(&duo, i);
				if (duo.host[i].hold_install)
					duo_release_install(&duo, i);
			}
		}
		duo_run(&duo);
		for (unsigned int i = 0; i < 2; i++)
			duo_release_install(&duo, i);
		assert_int_equal(duo.host[0].child_ups, 1);
		assert_int_equal(duo.host[1].child_ups, 1);
		assert_true(duo_agree(&duo));
		assert_int_equal(duo_counts(&duo, 0).sas, 1);
		assert_int_equal(duo_counts(&duo, 1).sas, 1);
		duo_end(&duo);
	}
}

/* CVE-2016-6415: what is sent does not depend on what lay in the engine's memory before. */
static void test_cve_2016_6415_no_old_memory(void **state)
{
	static struct duo_datagram first[32];
	size_t count;

	(void)state;
	duo_poison = 0x00;
	converse();
	count = said_count;
	memcpy(first, said, sizeof(first));
	duo_poison = 0xa5;
	converse();
	duo_poison = 0;
	assert_int_equal(said_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(said[i].len, first[i].len);
		assert_memory_equal(said[i].octets, first[i].octets, first[i].len);
		assert_memory_equal(&said[i].path, &first[i].path, sizeof(first[i].path));
	}
}

/* CVE-2026-12413: up to 256 unknown payloads in front of the seal, and behind it. */
static void test_cve_2026_12413_many_payloads(void **state)
{
	static struct raw raw;

	(void)state;
	for (unsigned int count = 0; count <= 256; count += count < 60 ? 20 : 1) {
		unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
		struct sa *sa = hostile_only(&duo, at);
		struct sa copy = *sa;

		raw_clear(&raw);
		for (unsigned int i = 0; i < count; i++)
			raw_add(&raw, 200, 0, "x", 1);
		hostile_raw(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, &raw);
		assert_int_equal(duo.wire_count, 1);
		assert_int_equal(hostile_answered(&duo, &copy, NOTIFY_INVALID_SYNTAX), count > CHAIN_PAYLOADS_MAX);
		duo_end(&duo);
	}
	for (unsigned int count = 1; count <= 256; count++) {
		static uint8_t octets[HEADER_LEN + 257 * 5];
		unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
		struct sa *sa = hostile_only(&duo, at);
		struct hostile_image before = hostile_image(&duo, at, sa);
		size_t len = HEADER_LEN + 5 * count;

		memset(octets, 0, sizeof(octets));
		memcpy(octets, sa->spi_i, SPI_LEN);
		memcpy(octets + 8, sa->spi_r, SPI_LEN);
		octets[16] = 200;
		octets[17] = 0x20;
		octets[18] = EXCHANGE_INFORMATIONAL;
		octets[19] = sa->initiator ? 0 : FLAG_INITIATOR;
		octets[26] = (uint8_t)(len >> 8);
		octets[27] = (uint8_t)len;
		for (unsigned int i = 0; i < count; i++) {
			octets[HEADER_LEN + 5 * i] = i + 1 == count ? 0 : i + 2 == count ? PAYLOAD_SKF : 200;
			octets[HEADER_LEN + 5 * i + 3] = 5;
		}
		hostile_datagram(&duo, at, sa, view_of(octets, len));
		hostile_unchanged(&duo, at, sa, &before);
		duo_end(&duo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2015_4047_cut_short),
		cmocka_unit_test(test_cve_2016_1287_short_fragments),
		cmocka_unit_test(test_cve_2026_33824_twice_while_waiting),
		cmocka_unit_test(test_cve_2016_6415_no_old_memory),
		cmocka_unit_test(test_cve_2026_12413_many_payloads),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
