// SPDX-License-Identifier: Apache-2.0
/*
 * NAT: one of the two hosts is behind a translator that lives here, between the engines. Port float, encapsulation, keepalives, a
 * translator that forgets, ports that move, and strangers who only say so (RFC 7296 2.23, RFC 3948).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"

static struct duo duo;

/* Host 0 is inside: its ports become others of `outside`. */
static struct {
	struct hf_addr outside;
	uint16_t shift;
} nat;

static void translate(struct duo_datagram datagram)
{
	struct ike_path path = { .local = datagram.path.remote,
				 .local_port = datagram.path.remote_port,
				 .remote = datagram.path.local,
				 .remote_port = datagram.path.local_port };
	unsigned int to = !datagram.from;

	if (to == 1) {
		path.remote = nat.outside;
		path.remote_port = (uint16_t)(path.remote_port + nat.shift);
	} else {
		if (!addr_equal(&path.local, &nat.outside) || path.local_port < nat.shift)
			return; /* to a mapping that is no more */
		path.local = duo.host[0].addr;
		path.local_port = (uint16_t)(path.local_port - nat.shift);
		if (path.local_port != 500 && path.local_port != 4500)
			return;
	}
	ike_datagram(duo.host[to].ike, &path, view_of(datagram.octets, datagram.len), duo.now);
	duo_drain(&duo, to);
}

static void run(void)
{
	for (unsigned int i = 0; duo.wire_count && i < 1000; i++) {
		struct duo_datagram datagram = duo.wire[0];

		duo_drop(&duo, 0);
		translate(datagram);
	}
	assert_int_equal(duo.wire_count, 0);
}

static void pass(uint64_t span)
{
	uint64_t end = duo.now + span;

	for (;;) {
		uint64_t next = nstime_min(ike_deadline(duo.host[0].ike), ike_deadline(duo.host[1].ike));

		if (next > end)
			break;
		if (next > duo.now)
			duo.now = next;
		for (unsigned int i = 0; i < 2; i++) {
			ike_expire(duo.host[i].ike, duo.now);
			duo_drain(&duo, i);
		}
		run();
	}
	duo.now = end;
}

/* `by` starts; as responder behind a NAT host 0 is reached through a port that the NAT forwards. */
static void connect(unsigned int by)
{
	nat.outside = addr_from_v4(__builtin_bswap32(0xc0000201));
	nat.shift = by == 0 ? 10000 : 0;
	duo_start(&duo, NULL);
	if (by == 1) {
		struct ike_connect order = { .path = { .local = duo.host[1].addr, .remote = nat.outside }, .tag = 1 };

		ike_connect(duo.host[1].ike, &order, duo.now);
		duo_drain(&duo, 1);
	} else {
		duo_connect(&duo, 0);
	}
	run();
	assert_int_equal(duo.host[0].ups, 1);
	assert_int_equal(duo.host[1].ups, 1);
	assert_true(duo_agree(&duo));
}

static void test_set_up_and_rekeys(void **state)
{
	(void)state;
	for (unsigned int by = 0; by < 2; by++) {
		connect(by);
		for (unsigned int i = 0; i < 2; i++) {
			const struct child *keys = &duo.host[i].kids[0].keys;

			assert_true(keys->encap);
			assert_int_equal(keys->encap_local, 4500);
			assert_int_equal(keys->encap_remote, i == 1 && by == 0 ? 14500 : 4500);
			ike_rekey_child(duo.host[i].ike, duo.host[i].kids[0].handle, duo.now);
			duo_drain(&duo, i);
			run();
			pass(40 * NSTIME_S);
			ike_rekey(duo.host[i].ike, duo.host[i].sa, duo.now);
			duo_drain(&duo, i);
			run();
			pass(40 * NSTIME_S);
			assert_true(duo_agree(&duo));
			assert_int_equal(duo.host[0].replaced, i + 1);
			assert_int_equal(duo_sending(&duo, 0), 1);
		}
		duo_end(&duo);
	}
}

/* Who is inside keeps the mapping alive every 20 s, with one octet and without marker; the other end does not. */
static void test_keepalives(void **state)
{
	uint64_t end;
	unsigned int seen = 0;

	(void)state;
	connect(0);
	end = duo.now + 300 * NSTIME_S;
	while (ike_deadline(duo.host[0].ike) <= end) {
		duo.now = ike_deadline(duo.host[0].ike);
		ike_expire(duo.host[0].ike, duo.now);
		duo_drain(&duo, 0);
		for (size_t i = 0; i < duo.wire_count; i++) {
			assert_int_equal(duo.wire[i].len, 1);
			assert_int_equal(duo.wire[i].octets[0], 0xff);
			assert_int_equal(duo.wire[i].path.local_port, 4500);
			seen++;
		}
		run();
	}
	assert_true(seen >= 14 && seen <= 16);
	assert_int_equal(duo.sent[1], 2);
	duo_end(&duo);
}

/* The translator gives another port: the next authenticated message moves everything, a forged or old one nothing. */
static void test_mapping_moves(void **state)
{
	static struct duo_datagram kept;
	struct duo_datagram forged;

	(void)state;
	connect(0);
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	kept = duo.wire[0];
	run();
	nat.shift = 20000;
	/* An old message and a broken one from the new port. */
	translate(kept);
	forged = kept;
	forged.octets[forged.len - 1] ^= 1;
	translate(forged);
	duo.wire_count = 0;
	assert_int_equal(duo.host[1].moved, 0);
	assert_int_equal(hostile_only(&duo, 1)->path.remote_port, 14500);
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	run();
	assert_int_equal(duo.host[1].moved, 1);
	assert_int_equal(hostile_only(&duo, 1)->path.remote_port, 24500);
	assert_int_equal(hostile_only(&duo, 0)->request.kind, REQUEST_NONE);
	/* And another address. */
	nat.outside = addr_from_v4(__builtin_bswap32(0xc0000263));
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	run();
	pass(10 * NSTIME_S);
	assert_true(addr_equal(&hostile_only(&duo, 1)->path.remote, &nat.outside));
	assert_true(duo_agree(&duo));
	ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	run();
	assert_int_equal(hostile_only(&duo, 1)->request.kind, REQUEST_NONE);
	assert_int_equal(duo.host[0].downs + duo.host[1].downs, 0);
	duo_end(&duo);
}

/* ESP came by another mapping before any message of IKE did. Nobody moves whom no NAT can have moved. */
static void test_esp_moves(void **state)
{
	struct hf_addr outside;
	struct handle child;

	(void)state;
	connect(0);
	child = duo.host[1].kids[0].handle;
	ike_child_moved(duo.host[1].ike, child, &nat.outside, 14500, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.host[1].moved, 0); /* where it is already */
	outside = nat.outside;
	nat.shift = 20000;
	ike_child_moved(duo.host[1].ike, child, &outside, 24500, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.host[1].moved, 1);
	assert_int_equal(hostile_only(&duo, 1)->path.remote_port, 24500);
	ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	run();
	assert_int_equal(hostile_only(&duo, 1)->request.kind, REQUEST_NONE);
	/* Who is inside knows where the other is. */
	ike_child_moved(duo.host[0].ike, duo.host[0].kids[0].handle, &outside, 777, duo.now);
	duo_drain(&duo, 0);
	assert_int_equal(duo.host[0].moved, 0);
	ike_child_moved(duo.host[1].ike, HANDLE_NONE, &outside, 777, duo.now);
	ike_close(duo.host[1].ike, duo.host[1].sa, duo.now);
	ike_child_moved(duo.host[1].ike, child, &outside, 777, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.host[1].moved, 1);
	duo_end(&duo);
}

static const struct sa *heir_of(const struct sa *old)
{
	return sa_at(duo.host[1].ike, old->heir);
}

/*
 * Both rekey the IKE SA, and the mapping moves before it is settled: host 1 learns of it by ESP of the old one, or by what comes on the new
 * one. Whichever it is, the SA that stays and its Child SA go the same way.
 */
static void test_mapping_moves_in_a_rekey(void **state)
{
	(void)state;
	for (unsigned int by_esp = 0; by_esp < 2; by_esp++) {
		struct duo_datagram request;
		const struct sa *old, *heir;
		const struct kid *kid;

		connect(0);
		old = hostile_only(&duo, 1);
		for (unsigned int i = 0; i < 2; i++) {
			ike_rekey(duo.host[i].ike, duo.host[i].sa, duo.now);
			duo_drain(&duo, i);
		}
		request = duo.wire[0];
		duo.wire_count = 0; /* host 1's is lost */
		translate(request);
		heir = heir_of(old);
		assert_non_null(heir);
		request = duo.wire[0];
		duo_drop(&duo, 0);
		translate(request); /* the answer; now host 0 deletes the old one */
		nat.shift = 20000;
		if (by_esp) {
			ike_child_moved(duo.host[1].ike, duo.host[1].kids[0].handle, &nat.outside, 24500, duo.now);
			duo_drain(&duo, 1);
		} else {
			duo.wire_count = 0;
			ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
			duo_drain(&duo, 0);
		}
		run();
		assert_int_equal(duo.host[1].replaced, 1);
		assert_int_equal(heir->path.remote_port, 24500);
		kid = kid_at(duo.host[1].ike, heir->kids);
		assert_int_equal(kid->child.encap_remote, 24500);
		assert_int_equal(duo.host[1].moved, 1);
		pass(IKE_REPLACED_LIFE);
		ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
		duo_drain(&duo, 1);
		run();
		assert_int_equal(hostile_only(&duo, 1)->request.kind, REQUEST_NONE);
		assert_int_equal(duo_counts(&duo, 1).sas, 1);
		assert_true(duo_agree(&duo));
		assert_int_equal(duo.host[0].downs + duo.host[1].downs, 0);
		duo_end(&duo);
	}
}

/* The mapping is lost together with an answer: the request again gets it by the new one, but that alone moves nothing. */
static void test_mapping_lost_with_an_answer(void **state)
{
	struct duo_datagram request, again;

	(void)state;
	connect(0);
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	request = again = duo.wire[0];
	duo_drop(&duo, 0);
	translate(request);
	duo_drop(&duo, 0); /* the answer */
	nat.shift = 20000;
	translate(again);
	assert_int_equal(duo.wire_count, 1);
	assert_int_equal(duo.wire[0].path.remote_port, 24500);
	run();
	assert_int_equal(hostile_only(&duo, 0)->request.kind, REQUEST_NONE);
	assert_int_equal(hostile_only(&duo, 1)->path.remote_port, 14500);
	assert_int_equal(duo.host[1].moved, 0);
	duo_end(&duo);
}

/* Without a NAT nobody moves, whatever the addresses of his packets are (RFC 7296 2.23). */
static void test_nobody_moves_without_nat(void **state)
{
	struct sa *sa;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	sa = hostile_only(&duo, 1);
	for (unsigned int i = 0; i < 2; i++) {
		struct ike_path before = sa->path;

		ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
		duo_drain(&duo, 0);
		if (i)
			duo.wire[0].path.local = addr_from_v4(__builtin_bswap32(0xc0000299));
		else
			duo.wire[0].path.local_port = 777;
		duo_deliver(&duo, 0);
		assert_memory_equal(&sa->path, &before, sizeof(before));
		assert_memory_equal(&duo.wire[0].path, &before, sizeof(before));
		duo_run(&duo);
	}
	ike_child_moved(duo.host[1].ike, duo.host[1].kids[0].handle, &duo.host[0].addr, 777, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.host[1].moved, 0);
	duo_end(&duo);
}

static void force(struct ike_options *options, unsigned int i)
{
	options->force_encap = i == 0;
}

/* force_encap makes both ends act as if there were one. */
static void test_forced(void **state)
{
	(void)state;
	for (unsigned int by = 0; by < 2; by++) {
		duo_start(&duo, force);
		duo_connect(&duo, by);
		duo_deliver(&duo, 0);
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire[0].path.local_port, 4500);
		assert_int_equal(duo.wire[0].path.remote_port, 4500);
		assert_memory_equal(duo.wire[0].octets, "\0\0\0\0", 4);
		duo_run(&duo);
		for (unsigned int i = 0; i < 2; i++) {
			assert_true(duo.host[i].kids[0].keys.encap);
			assert_int_equal(duo.host[i].kids[0].keys.encap_remote, 4500);
		}
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

/* On the encapsulation port what has no marker is not for us: keepalives, ESP, and less. */
static void test_no_marker(void **state)
{
	struct sa *sa;
	struct ike_path path;
	struct hostile_image before;
	uint8_t octets[200] = { 0xff };

	(void)state;
	connect(0);
	sa = hostile_only(&duo, 1);
	path = sa->path;
	before = hostile_image(&duo, 1, sa);
	for (size_t len = 0; len < sizeof(octets); len++) {
		ike_datagram(duo.host[1].ike, &path, view_of(octets, len), duo.now);
		duo_drain(&duo, 1);
		hostile_unchanged(&duo, 1, sa, &before);
	}
	/* A marker and nothing, or half a header. */
	memset(octets, 0, sizeof(octets));
	for (size_t len = 0; len < 4 + HEADER_LEN; len++) {
		ike_datagram(duo.host[1].ike, &path, view_of(octets, len), duo.now);
		duo_drain(&duo, 1);
		hostile_unchanged(&duo, 1, sa, &before);
	}
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_up_and_rekeys),
		cmocka_unit_test(test_keepalives),
		cmocka_unit_test(test_mapping_moves),
		cmocka_unit_test(test_esp_moves),
		cmocka_unit_test(test_mapping_moves_in_a_rekey),
		cmocka_unit_test(test_mapping_lost_with_an_answer),
		cmocka_unit_test(test_nobody_moves_without_nat),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_no_marker),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
