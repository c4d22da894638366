// SPDX-License-Identifier: Apache-2.0
/*
 * Re-injection through ESP: sealed by the pair's SA and no other, both modes, both families, primary and secondary
 * sources, fragments, sizes. Every test looks at the wire: not one clear packet. Needs a kernel with ESP
 * (tests/lab/run --tier uml); elsewhere all of it is skipped.
 */
#include "release_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQID 0x48000001

static const struct release_how TRANSPORT = { .sealed = true, .reqid = REQID };
static const struct release_how TUNNEL = { .sealed = true, .tunnel = true, .reqid = REQID };
static const struct release_how CLEAR = { 0 };

static uint8_t packet[LAB_FRAME_MAX], copy[LAB_FRAME_MAX];
static struct lab_wire wire;

static bool state_add(struct lab *lab, int ns, bool v4, int local, int remote, unsigned int reqid, const char *mode)
{
	return lab_try(lab, ns,
		       "ip xfrm state add src %s dst %s proto esp spi 0x%x mode %s reqid %u replay-window 32 "
		       "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128",
		       lab_text(v4, local), lab_text(v4, remote),
		       0x1000 + (unsigned int)local * 16 + (unsigned int)remote, mode, reqid);
}

/* The lab of a test, which is skipped where the kernel has no ESP. */
static struct lab *esp_lab(void **state)
{
	struct lab *lab = *state;

	if (!lab_try(lab, lab->a,
		     "ip xfrm state add src 10.99.0.1 dst 10.99.0.2 proto esp spi 0x999 mode transport "
		     "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 2>/dev/null")) {
		print_message("skipped: this kernel has no ESP with AES-GCM\n");
		skip();
	}
	lab_run(lab, lab->a, "ip xfrm state flush");
	return lab;
}

static void sa(struct lab *lab, bool v4, int local, int remote, const char *mode)
{
	assert_true(state_add(lab, lab->a, v4, local, remote, REQID, mode));
	assert_true(state_add(lab, lab->b, v4, local, remote, REQID, mode));
	if (!strcmp(mode, "tunnel"))
		lab_run(lab, lab->b, "ip xfrm policy add src %s dst %s dir in tmpl src %s dst %s proto esp mode tunnel",
			lab_text(v4, local), lab_text(v4, remote), lab_text(v4, local), lab_text(v4, remote));
}

static void policy(struct lab *lab, bool v4, int local, int remote)
{
	lab_run(lab, lab->a, "ip xfrm policy add src %s dst %s dir out tmpl proto esp reqid %u mode transport",
		lab_text(v4, local), lab_text(v4, remote), REQID);
}

static void only_esp(struct lab *lab)
{
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	assert_true(wire.esp > 0);
}

static void silence(struct lab *lab)
{
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 0);
	assert_int_equal(wire.esp, 0);
}

/* Both modes, no policy of the host at all: the socket's own is enough. */
static void arrives_sealed(void **state)
{
	struct lab *lab = esp_lab(state);
	int v4, local, mode, fd;

	for (mode = 0; mode <= 1; mode++)
		for (v4 = 0; v4 <= 1; v4++) {
			fd = lab_receiver(lab, v4);
			for (local = 1; local <= 3; local += 2) {
				struct hf_pair pair = lab_pair(v4, local, 2);
				size_t len = lab_udp(packet, &pair, 600);

				sa(lab, v4, local, 2, mode ? "tunnel" : "transport");
				memcpy(copy, packet, len);
				assert_int_equal(lab_release(lab, &pair, mode ? &TUNNEL : &TRANSPORT, packet, len), 0);
				lab_expect_udp(fd, &pair, copy, len);
				only_esp(lab);
			}
			close(fd);
			lab_run(lab, lab->a, "ip xfrm state flush");
			lab_run(lab, lab->b, "ip xfrm state flush; ip xfrm policy flush");
		}
	assert_int_equal(lab->count.released_sealed, 8);
	assert_int_equal(lab->count.drop_error, 0);
}

/* An SA that is not the pair's does not do, and clear is no way out. */
static void no_other_sa_will_do(void **state)
{
	struct lab *lab = esp_lab(state);
	struct release_how other = { .sealed = true, .reqid = REQID + 1 };
	unsigned int tried = 0;
	struct hf_pair pair;
	size_t size;
	int v4;

	for (v4 = 0; v4 <= 1; v4++) {
		sa(lab, v4, 1, 2, "transport");
		policy(lab, v4, 1, 2);
		for (size = 10; size < 9000; size += 4000, tried += 4) {
			/* Wrong reqid, though the SA for these addresses stands. */
			pair = lab_pair(v4, 1, 2);
			assert_int_equal(lab_release(lab, &pair, &other, packet, lab_udp(packet, &pair, size)), 0);
			/* Wrong mode. */
			assert_int_equal(lab_release(lab, &pair, &TUNNEL, packet, lab_udp(packet, &pair, size)), 0);
			/* Another source, another destination: no SA, no policy of the host either. */
			pair = lab_pair(v4, 3, 2);
			assert_int_equal(lab_release(lab, &pair, &TRANSPORT, packet, lab_udp(packet, &pair, size)), 0);
			pair = lab_pair(v4, 1, 4);
			assert_int_equal(lab_release(lab, &pair, &TRANSPORT, packet, lab_udp(packet, &pair, size)), 0);
		}
	}
	silence(lab);
	assert_int_equal(lab->count.drop_error, tried);
	assert_int_equal(lab->count.released_sealed, 0);
}

/* Sealed, clear, sealed for other pairs in turns: a socket never keeps the last pair's template. */
static void changes_pairs(void **state)
{
	struct lab *lab = esp_lab(state);
	struct release_how second = { .sealed = true, .reqid = REQID + 5 };
	struct hf_pair one = lab_pair(true, 1, 2), two = lab_pair(true, 3, 4);
	int round;

	sa(lab, true, 1, 2, "transport");
	assert_true(state_add(lab, lab->a, true, 3, 4, REQID + 5, "transport"));
	for (round = 0; round < 3; round++) {
		assert_int_equal(lab_release(lab, &one, &TRANSPORT, packet, lab_udp(packet, &one, 50)), 0);
		assert_int_equal(lab_release(lab, &two, &second, packet, lab_udp(packet, &two, 50)), 0);
		/* Larger than the device: through the sockets that fragment. */
		assert_int_equal(lab_release(lab, &one, &TRANSPORT, packet, lab_udp(packet, &one, 3000)), 0);
		assert_int_equal(lab_release(lab, &two, &second, packet, lab_udp(packet, &two, 3000)), 0);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 0);
		assert_int_equal(wire.esp, 2 + 2 * 3);
		assert_int_equal(lab_release(lab, &two, &CLEAR, packet, lab_udp(packet, &two, 3000)), 0);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 3);
		assert_int_equal(wire.esp, 0);
	}
	assert_int_equal(lab->count.released_sealed, 12);
	assert_int_equal(lab->count.released_clear, 3);
}

/* ESP that waited for its turn leaves as it is, though the pair's policy stands. */
static void passes_waiting_esp(void **state)
{
	struct lab *lab = esp_lab(state);
	struct hf_pair pair = lab_pair(true, 1, 2);
	struct err err = ERR_NONE;
	struct hf_slot_head head;

	sa(lab, true, 1, 2, "transport");
	policy(lab, true, 1, 2);
	head = lab_head(&pair, lab_udp(packet, &pair, 200));
	packet[9] = IPPROTO_ESP;
	head.held = HF_HELD_SEALED;
	assert_int_equal(release_begin(lab->release, &pair, &TRANSPORT, &err), 0);
	release_packet(lab->release, &head, packet);
	release_end(lab->release);
	lab_look(lab, &wire);
	assert_int_equal(wire.esp, 1);
	assert_int_equal(lab->count.passed_sealed, 1);
	/* Not sealed a second time: the SA has seen nothing. */
	lab_run(lab, lab->a, "ip -s xfrm state | grep -q '0(bytes), 0(packets)'");
}

/* Between ESP's MTU and the device's, and above: whole datagrams arrive, fragmented behind ESP. */
static void fragments_behind_esp(void **state)
{
	static const size_t sizes[] = { 1380, 1417, 1419, 1438, 1440, 1452, 1472, 1473, 4000, 60000 };
	struct lab *lab = esp_lab(state);
	size_t i, len;
	int v4, fd;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 3, 2);

		sa(lab, v4, 3, 2, "transport");
		fd = lab_receiver(lab, v4);
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			len = lab_udp(packet, &pair, sizes[i]);
			memcpy(copy, packet, len);
			assert_int_equal(lab_release(lab, &pair, &TRANSPORT, packet, len), 0);
			lab_expect_udp(fd, &pair, copy, len);
			only_esp(lab);
		}
		close(fd);
	}
	assert_int_equal(lab->count.drop_error + lab->count.drop_too_big, 0);
}

/* Two datagrams whose fragments were held in turns, and a third that lost its middle. */
static void joins_held_fragments(void **state)
{
	static uint8_t one[8192], two[8192];
	struct lab *lab = esp_lab(state);
	struct err err = ERR_NONE;
	struct hf_slot_head head;
	struct hf_pair late;
	int v4, fd;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 1, 2);
		size_t header = v4 ? 20 : 40, from, part, len_one, len_two;

		sa(lab, v4, 1, 2, "transport");
		fd = lab_receiver(lab, v4);
		len_one = lab_udp(one, &pair, 5000);
		len_two = lab_udp(two, &pair, 4800);
		two[v4 ? 5 : 41] ^= 0xff; /* another ID; for IPv6 lab_fragment takes it from the port */
		assert_int_equal(release_begin(lab->release, &pair, &TRANSPORT, &err), 0);
		head = lab_head(&pair, lab_fragment(copy, one, len_one, 0, 800));
		if (v4)
			copy[4] ^= 0x55; /* the first of three datagrams, whose rest is lost */
		else
			copy[46] ^= 0x55;
		release_packet(lab->release, &head, copy);
		for (from = 0; from < len_one - header; from += 1440) {
			part = len_one - header - from < 1440 ? len_one - header - from : 1440;
			head = lab_head(&pair, lab_fragment(copy, one, len_one, from, part));
			release_packet(lab->release, &head, copy);
			part = len_two - header - from < 1440 ? len_two - header - from : 1440;
			head = lab_head(&pair, lab_fragment(copy, two, len_two, from, part));
			release_packet(lab->release, &head, copy);
			if (from == 1440) { /* the queue ran empty in the middle of the datagrams */
				release_end(lab->release);
				assert_int_equal(release_begin(lab->release, &pair, &TRANSPORT, &err), 0);
			}
		}
		release_end(lab->release);
		lab_expect_udp(fd, &pair, one, len_one);
		lab_expect_udp(fd, &pair, two, len_two);
		only_esp(lab);
		close(fd);
	}
	assert_int_equal(lab->count.released_sealed, 4);
	assert_int_equal(lab->count.reassembled, 12);
	/* The two datagrams that never became whole go when a fragment comes that is a second younger. */
	assert_int_equal(lab->count.drop_malformed, 0);
	late = lab_pair(true, 1, 2);
	head = lab_head(&late, lab_fragment(copy, one, lab_udp(one, &late, 5000), 0, 800));
	head.time_ns += 2000000000;
	assert_int_equal(release_begin(lab->release, &late, &TRANSPORT, &err), 0);
	release_packet(lab->release, &head, copy);
	release_end(lab->release);
	assert_int_equal(lab->count.drop_malformed, 2);
}

/* ---- sizes the sender chose itself ---- */

/* A connected UDP socket with DF: told, it finds the MTU that fits with one question, and its next datagram arrives. */
static void udp_with_df_converges(void **state)
{
	struct lab *lab = esp_lab(state);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(LAB_PORT) };
	struct hf_pair pair = lab_pair(true, 1, 2);
	int fd = lab_socket(lab, lab->a, AF_INET, SOCK_DGRAM, 0), receiver = lab_receiver(lab, true);
	int want = IP_PMTUDISC_DO, mtu = 0, error = 0, round;
	socklen_t len = sizeof(int);

	inet_pton(AF_INET, "10.99.0.2", &to.sin_addr);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &want, sizeof(want));
	memset(copy, 'x', sizeof(copy));
	assert_int_equal(send(fd, copy, 1472, 0), 1472);
	lab_look(lab, &wire);
	assert_int_equal(wire.clear, 1);
	assert_int_equal(recv(receiver, packet, sizeof(packet), 0), 1472);

	/* What was just sent in clear now counts as held. */
	sa(lab, true, 1, 2, "transport");
	policy(lab, true, 1, 2);
	for (round = 0; round < 5; round++) {
		memcpy(packet, wire.last, wire.last_len);
		assert_int_equal(lab_release(lab, &pair, &TRANSPORT, packet, wire.last_len), 0);
	}
	assert_int_equal(lab->count.drop_too_big, 5);
	assert_int_equal(lab->count.told_sender, 5);
	poll(&(struct pollfd){ .fd = fd }, 1, 5000);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, EMSGSIZE);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len), 0);
	/* 1466 is the best AES-GCM does at 1500; being told five times has not worn the path down. */
	assert_in_range(mtu, 1458, 1466);
	assert_int_equal(send(fd, copy, (size_t)mtu - 28, 0), mtu - 28);
	assert_int_equal(recv(receiver, packet, sizeof(packet), 0), mtu - 28);
	only_esp(lab);
	close(fd);
	close(receiver);
}

static int accept_in_b(struct lab *lab, bool v4, int *client)
{
	int listener = lab_socket(lab, lab->b, v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0), server;
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(LAB_PORT) };
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(LAB_PORT) };
	struct timeval wait = { .tv_sec = 5 };
	int on = 1;

	/* The IPv4 connection before may still be closing. */
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(v4 ? bind(listener, (struct sockaddr *)&at4, sizeof(at4))
			    : bind(listener, (struct sockaddr *)&at6, sizeof(at6)),
			 0);
	assert_int_equal(listen(listener, 1), 0);
	*client = lab_socket(lab, lab->a, v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	at4.sin_port = at6.sin6_port = 0;
	inet_pton(AF_INET, lab_text(true, 1), &at4.sin_addr);
	inet_pton(AF_INET6, lab_text(false, 1), &at6.sin6_addr);
	assert_int_equal(v4 ? bind(*client, (struct sockaddr *)&at4, sizeof(at4))
			    : bind(*client, (struct sockaddr *)&at6, sizeof(at6)),
			 0);
	at4.sin_port = at6.sin6_port = htons(LAB_PORT);
	inet_pton(AF_INET, lab_text(true, 2), &at4.sin_addr);
	inet_pton(AF_INET6, lab_text(false, 2), &at6.sin6_addr);
	assert_int_equal(v4 ? connect(*client, (struct sockaddr *)&at4, sizeof(at4))
			    : connect(*client, (struct sockaddr *)&at6, sizeof(at6)),
			 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	close(listener);
	return server;
}

/* A TCP stream caught in full segments while its path turned to ESP: told, it sends shorter ones. */
static void tcp_converges(void **state)
{
	struct lab *lab = esp_lab(state);
	int v4, client, server;

	for (v4 = 0; v4 <= 1; v4++) {
		struct hf_pair pair = lab_pair(v4, 1, 2);
		struct hf_slot_head head;
		struct err err = ERR_NONE;
		struct tcp_info info;
		socklen_t len = sizeof(info);
		uint64_t told = lab->count.told_sender;
		size_t got = 0;

		server = accept_in_b(lab, v4, &client);
		lab_look(lab, &wire);
		/* The neighbour turns deaf: what is written now is seen on the wire only. */
		lab_run(lab, lab->a, "ip neighbour replace %s lladdr 02:00:00:00:00:09 dev va", lab_text(v4, 2));
		getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &len);
		sa(lab, v4, 1, 2, "transport");
		memset(copy, 'y', 2000);
		assert_int_equal(send(client, copy, 2000, 0), 2000);
		lab_look(lab, &wire);
		assert_true(wire.last_len > 1500);
		policy(lab, v4, 1, 2);
		lab_run(lab, lab->a, "ip neighbour replace %s lladdr 02:00:00:00:00:0b dev va", lab_text(v4, 2));
		lab_look(lab, &(struct lab_wire){ 0 });

		head = lab_head(&pair, wire.last_len);
		head.gso_size = info.tcpi_snd_mss;
		assert_int_equal(release_begin(lab->release, &pair, &TRANSPORT, &err), 0);
		release_packet(lab->release, &head, wire.last);
		release_end(lab->release);
		assert_int_equal(lab->count.told_sender, told + 1);
		while (got < 2000) {
			ssize_t part = recv(server, packet, sizeof(packet), 0);

			assert_true(part > 0);
			got += (size_t)part;
		}
		getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &len);
		assert_in_range(info.tcpi_pmtu, 1458, 1466);
		lab_look(lab, &wire);
		assert_int_equal(wire.clear, 0);
		close(client);
		close(server);
	}
}

#define with_esp(test) cmocka_unit_test_setup_teardown(test, lab_begin, lab_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_esp(arrives_sealed),	 with_esp(no_other_sa_will_do),	 with_esp(changes_pairs),
		with_esp(passes_waiting_esp),	 with_esp(fragments_behind_esp), with_esp(joins_held_fragments),
		with_esp(udp_with_df_converges), with_esp(tcp_converges),
	};

	return cmocka_run_group_tests(tests, lab_open, lab_close);
}
