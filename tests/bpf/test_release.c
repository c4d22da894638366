// SPDX-License-Identifier: Apache-2.0
/*
 * Re-injection as far as it needs no ESP: what may leave in clear arrives as its sender made it, what must be
 * sealed is never sent without an SA, and senders are told. test_release_esp.c has the rest. No BPF program.
 */
#include "base/nstime.h"
#include "dataplane/teller.h"
#include "release_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SOCKETS 12 /* six that seal, six that do not */

static const struct release_how CLEAR = { 0 };
static const struct release_how SEALED = { .sealed = true, .reqid = 0x48000001 };
static const struct release_how TUNNEL = { .sealed = true, .tunnel = true, .reqid = 0x48000001 };

static uint8_t packet[LAB_FRAME_MAX], copy[LAB_FRAME_MAX];
static struct lab_wire wire;

static void knows_all_its_sockets(void **state)
{
	struct lab *lab = *state;
	__u64 cookie[2 * HF_RELEASE_SOCKETS];
	int i, k, known = 0;

	release_cookies(lab->release, cookie, cookie + HF_RELEASE_SOCKETS);
	for (i = 0; i < 2 * HF_RELEASE_SOCKETS; i++) {
		known += cookie[i] != 0;
		for (k = 0; k < i && cookie[i]; k++)
			assert_true(cookie[i] != cookie[k]);
	}
	assert_int_equal(known, SOCKETS);
}

static void policy(struct lab *lab, bool v4, int local)
{
	lab_run(lab, lab->a, "ip xfrm policy add src %s dst %s dir out tmpl proto esp reqid 9 mode transport",
		lab_text(v4, local), lab_text(v4, 2));
}

/* In clear, from primary and secondary addresses, although the host's policy would seal (and has no SA). */
static void leaves_in_clear_as_it_was(void **state)
{
	struct lab *lab = *state;
	int v4, local, fd;
	size_t len;

	for (v4 = 0; v4 <= 1; v4++) {
		fd = lab_receiver(lab, v4);
		for (local = 1; local <= 3; local += 2) {
			struct hf_pair pair = lab_pair(v4, local, 2);

			policy(lab, v4, local);
			len = lab_udp(packet, &pair, 999);
			memcpy(copy, packet, len);
			assert_int_equal(lab_release(lab, &pair, &CLEAR, packet, len), 0);
			lab_expect_udp(fd, &pair, copy, len);
			lab_look(lab, &wire);
			assert_int_equal(wire.clear, 1);
			/* TTL, ID, addresses: only checksums differ from what was held. */
			assert_int_equal(wire.last_len, len);
			memset(wire.last + (v4 ? 10 : 46), 0, 2);
			memset(wire.last + 26, v4 ? 0 : wire.last[26], 1);
			memset(wire.last + 27, v4 ? 0 : wire.last[27], 1);
			memset(copy + (v4 ? 10 : 46), 0, 2);
			memset(copy + 26, v4 ? 0 : copy[26], 1);
			memset(copy + 27, v4 ? 0 : copy[27], 1);
			assert_memory_equal(wire.last, copy, len);
		}
		close(fd);
	}
	assert_int_equal(lab->count.released_clear, 4);
	assert_int_equal(lab->count.drop_error, 0);
}

/* The heart: no SA, with and without a policy on the host, in every shape. */
static void never_sends_unsealed(void **state)
{
	static const struct release_how *hows[] = { &SEALED, &TUNNEL };
	struct lab *lab = *state;
	unsigned int tried = 0;
	size_t len, i, size;
	int v4, local, with_policy;

	for (with_policy = 0; with_policy <= 1; with_policy++)
		for (v4 = 0; v4 <= 1; v4++)
			for (local = 1; local <= 3; local += 2) {
				struct hf_pair pair = lab_pair(v4, local, 2);

				if (with_policy)
					policy(lab, v4, local);
				for (i = 0; i < 2; i++)
					for (size = 10; size < 5000; size += 4000, tried++) {
						len = lab_udp(packet, &pair, size);
						assert_int_equal(lab_release(lab, &pair, hows[i], packet, len), 0);
					}
			}
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	assert_int_equal(wire.esp, 0);
	assert_int_equal(lab->count.drop_error, tried);
	assert_int_equal(lab->count.released_sealed, 0);
}

/* Joined datagrams without an SA, while others of the same pair may leave in clear. */
static void never_sends_a_joined_datagram_unsealed(void **state)
{
	struct lab *lab = *state;
	struct err err = ERR_NONE;
	int v4, round;

	for (round = 0; round < 2; round++)
		for (v4 = 0; v4 <= 1; v4++) {
			struct hf_pair pair = lab_pair(v4, 3, 2);
			size_t len = lab_udp(packet, &pair, 3000), header = v4 ? 20 : 40, from, part;

			memcpy(copy, packet, len);
			assert_int_equal(lab_release(lab, &pair, &CLEAR, copy, len), 0);
			lab_look(lab, &wire);
			assert_true(wire.clear > 1);
			assert_int_equal(release_begin(lab->release, &pair, &SEALED, &err), 0);
			for (from = 0; from < len - header; from += 1400) {
				struct hf_slot_head head;

				part = len - header - from < 1400 ? len - header - from : 1400;
				head = lab_head(&pair, lab_fragment(copy, packet, len, from, part));
				release_packet(lab->release, &head, copy);
			}
			release_end(lab->release);
			lab_look(lab, &wire);
			assert_int_equal(wire.clear, 0);
		}
	assert_int_equal(lab->count.drop_error, 4);
	assert_int_equal(lab->count.reassembled, 8);
	assert_int_equal(lab->count.released_clear, 4);
}

static void sends_nothing_outside_a_pair(void **state)
{
	struct lab *lab = *state;
	struct hf_pair pair = lab_pair(true, 1, 2), other = lab_pair(true, 1, 4);
	struct hf_slot_head head;
	struct err err = ERR_NONE;

	head = lab_head(&pair, lab_udp(packet, &pair, 100));
	release_packet(lab->release, &head, packet);
	assert_int_equal(lab->count.drop_error, 1);
	/* Another pair's packet does not profit from this pair's permission. */
	assert_int_equal(release_begin(lab->release, &other, &CLEAR, &err), 0);
	release_packet(lab->release, &head, packet);
	head.len = 5;
	release_packet(lab->release, &head, packet);
	release_end(lab->release);
	assert_int_equal(lab->count.drop_malformed, 2);
	head.len = 128;
	release_packet(lab->release, &head, packet);
	assert_int_equal(lab->count.drop_error, 2);
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	/* A template without a reqid would fit anybody's SA. */
	assert_int_equal(release_begin(lab->release, &pair, &(struct release_how){ .sealed = true }, &err), -EINVAL);
}

static size_t build_tcp_gso(uint8_t *out, const struct hf_pair *pair, size_t payload)
{
	bool v4 = addr_is_v4(&pair->local);
	size_t at = v4 ? 20 : 40, len = lab_udp(out, pair, payload + 12);

	out[v4 ? 9 : 6] = IPPROTO_TCP;
	if (v4)
		out[6] = 0x40;
	memset(out + at + 4, 0, 16);
	out[at + 12] = 5 << 4;
	out[at + 13] = 0x18;
	return len;
}

static void cuts_gso(void **state)
{
	struct lab *lab = *state;
	struct err err = ERR_NONE;
	int v4;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 1, 2);
		struct hf_slot_head head = lab_head(&pair, build_tcp_gso(packet, &pair, 1400 * 44 + 7));

		head.gso_size = 1400;
		assert_int_equal(release_begin(lab->release, &pair, &CLEAR, &err), 0);
		release_packet(lab->release, &head, packet);
		release_end(lab->release);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 45);
		assert_int_equal(wire.last_len, (v4 ? 40 : 60) + 7);
		assert_int_equal(wire.last[v4 ? 33 : 53], 0x18);
	}
	assert_int_equal(lab->count.released_clear, 2);
	assert_int_equal(lab->count.segments, 88);
}

/* UDP of IPv4 without DF and of IPv6: the sender may not care, so the kernel fragments. TTL and source stay. */
static void fragments_where_the_sender_allows(void **state)
{
	struct lab *lab = *state;
	int v4, fd;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 3, 2);
		size_t len = lab_udp(packet, &pair, 4000);

		fd = lab_receiver(lab, v4);
		memcpy(copy, packet, len);
		assert_int_equal(lab_release(lab, &pair, &CLEAR, packet, len), 0);
		lab_expect_udp(fd, &pair, copy, len);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 3);
		assert_int_equal(wire.last[v4 ? 8 : 7], 61);
		close(fd);
	}
	assert_int_equal(lab->count.released_clear, 2);
	assert_int_equal(lab->count.drop_too_big, 0);
}

static void marks_and_priorities(void **state)
{
	struct lab *lab = *state;
	struct hf_pair pair = lab_pair(true, 1, 2);
	struct hf_slot_head head;
	struct err err = ERR_NONE;
	int i;

	/* Marked packets go into a hole: what still arrives had no mark. */
	lab_run(lab, lab->a, "ip route add blackhole 10.99.0.0/24 table 77 && ip rule add fwmark 0x42 table 77");
	assert_int_equal(release_begin(lab->release, &pair, &CLEAR, &err), 0);
	for (i = 0; i < 6; i++) {
		head = lab_head(&pair, lab_udp(packet, &pair, 10));
		head.mark = i & 1 ? 0x42 : 0;
		head.priority = i & 2 ? 0x10007 : 0;
		release_packet(lab->release, &head, packet);
	}
	release_end(lab->release);
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 3);
	assert_int_equal(lab->count.released_clear, 3);
	assert_int_equal(lab->count.drop_error, 3);
	lab_run(lab, lab->a, "ip rule del fwmark 0x42 table 77");
}

/* ---- telling the sender ---- */

static int sender(struct lab *lab, bool v4, int type, int remote)
{
	int fd = lab_socket(lab, lab->a, v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK, 0);
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(LAB_PORT) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(LAB_PORT) };
	int rc;

	inet_pton(AF_INET, lab_text(true, remote), &to4.sin_addr);
	inet_pton(AF_INET6, lab_text(false, remote), &to6.sin6_addr);
	rc = v4 ? connect(fd, (struct sockaddr *)&to4, sizeof(to4)) : connect(fd, (struct sockaddr *)&to6, sizeof(to6));
	assert_true(rc == 0 || errno == EINPROGRESS);
	return fd;
}

/* An error is reported whatever is polled for. */
static int error_of(int fd)
{
	struct pollfd ready = { .fd = fd };
	socklen_t len = sizeof(int);
	int error = 0;

	poll(&ready, 1, 5000);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

static void tells_of_denial(void **state)
{
	struct lab *lab = *state;
	int v4, fd;

	for (v4 = 0; v4 <= 1; v4++) {
		int expected = v4 ? EHOSTUNREACH : EACCES;

		lab_look(lab, &wire);
		fd = sender(lab, v4, SOCK_STREAM, 9);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 1); /* the SYN, which nobody answers */
		release_denied(lab->release, wire.last, wire.last_len, 0);
		assert_int_equal(error_of(fd), expected);
		close(fd);

		fd = sender(lab, v4, SOCK_DGRAM, 9);
		assert_int_equal(send(fd, "x", 1, 0), 1);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 1);
		release_denied(lab->release, wire.last, wire.last_len < 128 ? wire.last_len : 128, 0x42);
		assert_int_equal(error_of(fd), expected);
		close(fd);
	}
	assert_int_equal(lab->count.told_sender, 4);
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
}

/* The first word may come while connect() still holds the socket, and is dropped by the kernel then. */
static void tells_who_connects_twice(void **state)
{
	struct lab *lab = *state;
	int v4, fd, i;

	for (v4 = 0; v4 <= 1; v4++) {
		uint64_t due;

		lab_look(lab, &wire);
		lab->count.told_sender = 0;
		fd = sender(lab, v4, SOCK_DGRAM, 9);
		assert_int_equal(send(fd, "x", 1, 0), 1);
		lab_look(lab, &wire);
		release_denied(lab->release, wire.last, wire.last_len, 0);
		assert_true(release_deadline(lab->release) == NSTIME_NEVER);
		close(fd);

		fd = sender(lab, v4, SOCK_STREAM, 9);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 1);
		release_denied(lab->release, wire.last, wire.last_len, 0);
		due = release_deadline(lab->release);
		assert_true(due != NSTIME_NEVER);
		assert_int_equal(lab->count.told_sender, 2);
		assert_int_equal(error_of(fd), v4 ? EHOSTUNREACH : EACCES);
		close(fd);
		release_expire(lab->release, due - 1);
		assert_int_equal(lab->count.told_sender, 2);
		release_expire(lab->release, due);
		assert_int_equal(lab->count.told_sender, 3);
		assert_true(release_deadline(lab->release) == NSTIME_NEVER);
		/* More than are kept. */
		for (i = 0; i < 100; i++)
			release_denied(lab->release, wire.last, wire.last_len, 0);
		lab->count.told_sender = 0;
		release_expire(lab->release, NSTIME_NEVER - 1);
		assert_int_equal(lab->count.told_sender, TELLER_AGAIN_MAX);
	}
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
}

/* What we are told to report may claim any source: errors reach local senders only. */
static void tells_nobody_else(void **state)
{
	struct lab *lab = *state;
	int v4;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 2, 1);

		release_denied(lab->release, packet, lab_udp(packet, &pair, 100), 0);
		release_denied(lab->release, packet, 10, 0);
		release_denied(lab->release, packet, 0, 0);
	}
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	assert_int_equal(lab->count.told_sender, 0);
}

static void tells_at_a_bounded_rate(void **state)
{
	struct lab *lab = *state;
	struct hf_pair pair = lab_pair(true, 1, 9);
	size_t len = lab_udp(packet, &pair, 100);
	int i;

	for (i = 0; i < 5 * HF_DENIED_PER_SECOND; i++)
		release_denied(lab->release, packet, len, 0);
	assert_true(lab->count.told_sender >= HF_DENIED_PER_SECOND);
	/* On a machine too slow for the limit to bite within a second this says nothing, and is right. */
	assert_true(lab->count.told_sender <= 5 * HF_DENIED_PER_SECOND);
}

/* The path grew narrow while the packet was held. */
static void tells_the_mtu(void **state)
{
	struct lab *lab = *state;
	int v4, fd, mtu, want;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 1, 2);
		struct hf_slot_head head;
		struct err err = ERR_NONE;
		socklen_t len = sizeof(mtu);

		fd = sender(lab, v4, v4 ? SOCK_DGRAM : SOCK_STREAM, 2);
		lab_look(lab, &wire);
		want = v4 ? IP_PMTUDISC_DO : 1;
		if (v4)
			setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &want, sizeof(want));
		lab_run(lab, lab->a, "ip link set va mtu 1400");
		head = lab_head(&pair, lab_udp(packet, &pair, 1440));
		if (v4) {
			struct sockaddr_in at;
			socklen_t at_len = sizeof(at);

			getsockname(fd, (struct sockaddr *)&at, &at_len);
			packet[6] = 0x40;
			memcpy(packet + 20, &at.sin_port, 2);
		} else {
			packet[6] = IPPROTO_TCP;
			packet[52] = 5 << 4;
		}
		assert_int_equal(release_begin(lab->release, &pair, &CLEAR, &err), 0);
		release_packet(lab->release, &head, packet);
		release_end(lab->release);
		if (v4) {
			assert_int_equal(error_of(fd), EMSGSIZE);
			assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len), 0);
			assert_int_equal(mtu, 1400);
		}
		lab_run(lab, lab->a, "ip link set va mtu 1500");
		close(fd);
	}
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	assert_int_equal(lab->count.drop_too_big, 2);
	assert_int_equal(lab->count.told_sender, 2);
}

/* Raw sockets get copies of what arrives: ours must not keep a queue of the host's traffic. */
static void queues_nothing(void **state)
{
	struct lab *lab = *state;
	static const char *tables[] = { "/proc/self/net/raw", "/proc/self/net/raw6" };
	char line[512];
	size_t i, sockets = 0;
	FILE *table;

	lab_try(lab, lab->b,
		"ping -c 3 -i 0.01 -W 1 10.99.0.1 >/dev/null; ping -c 3 -i 0.01 -W 1 2001:db8:99::1 >/dev/null");
	for (i = 0; i < 2; i++) {
		table = fopen(tables[i], "re");
		assert_non_null(table);
		while (fgets(line, sizeof(line), table)) {
			unsigned int tx, rx;

			if (sscanf(line, "%*s %*s %*s %*s %x:%x", &tx, &rx) != 2)
				continue;
			assert_int_equal(rx, 0);
			sockets++;
		}
		fclose(table);
	}
	assert_int_equal(sockets, SOCKETS);
}

#define in_lab(test) cmocka_unit_test_setup_teardown(test, lab_begin, lab_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_lab(knows_all_its_sockets),
		in_lab(leaves_in_clear_as_it_was),
		in_lab(never_sends_unsealed),
		in_lab(never_sends_a_joined_datagram_unsealed),
		in_lab(sends_nothing_outside_a_pair),
		in_lab(cuts_gso),
		in_lab(fragments_where_the_sender_allows),
		in_lab(marks_and_priorities),
		in_lab(tells_of_denial),
		in_lab(tells_who_connects_twice),
		in_lab(tells_nobody_else),
		in_lab(tells_at_a_bounded_rate),
		in_lab(tells_the_mtu),
		in_lab(queues_nothing),
	};

	return cmocka_run_group_tests(tests, lab_open, lab_close);
}
