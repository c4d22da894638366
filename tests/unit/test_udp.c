// SPDX-License-Identifier: Apache-2.0
/*
 * The IKE sockets on the loopback of a network namespace of this program's own: addresses of both families kept, what the
 * kernel takes out on the encapsulation port, the bound of a turn, and the way past the host's XFRM policies.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/own.h"
#include "net/udp.h"
#include "netlink/netlink.h"

#define TAKEN_MAX 300

struct taken {
	struct ike_path path;
	size_t len;
	uint8_t head[8];
};

static struct lab {
	struct udp *udp;
	unsigned int count;
	struct taken taken[TAKEN_MAX];
	bool answer;
} lab;

static void on_datagram(void *arg, const struct ike_path *path, struct view datagram)
{
	struct lab *own = arg;
	struct taken *taken = &own->taken[own->count++];

	assert_true(own->count <= TAKEN_MAX);
	taken->path = *path;
	taken->len = datagram.len;
	memcpy(taken->head, datagram.at, datagram.len < sizeof(taken->head) ? datagram.len : sizeof(taken->head));
	if (own->answer)
		assert_int_equal(udp_send(own->udp, path, datagram), 0);
}

static struct hf_addr address(const char *text)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	return addr;
}

static struct ike_path path_of(const char *local, uint16_t local_port, const char *remote, uint16_t remote_port)
{
	return (struct ike_path){ address(local), address(remote), local_port, remote_port };
}

/* Reads until `count` datagrams are there or nothing comes any more. */
static void take(unsigned int count)
{
	struct pollfd fds[UDP_SOCKETS];

	while (lab.count < count) {
		for (unsigned int i = 0; i < UDP_SOCKETS; i++)
			fds[i] = (struct pollfd){ .fd = udp_fd(lab.udp, i), .events = POLLIN };
		if (poll(fds, UDP_SOCKETS, 300) <= 0)
			break;
		for (unsigned int i = 0; i < UDP_SOCKETS; i++)
			if (fds[i].revents)
				udp_ready(lab.udp, fds[i].fd);
	}
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	OWN_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static int setup(void **state)
{
	static const struct udp_options options;
	struct err err = ERR_NONE;

	(void)state;
	memset(&lab, 0, sizeof(lab));
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skip: no network namespace of our own: %s\n", strerror(errno));
		return 0;
	}
	loopback_up();
	if (udp_open(&lab.udp, &options, on_datagram, &lab, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	udp_close(lab.udp);
	return 0;
}

#define NEED_LAB()    \
	if (!lab.udp) \
	skip()

/* A socket of somebody else, to see and to send what the room would not. */
static int stranger(const char *local, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, local, &name.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static ssize_t send_to(int fd, const char *remote, uint16_t port, const void *octets, size_t len)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, remote, &name.sin_addr);
	return sendto(fd, octets, len, 0, (struct sockaddr *)&name, sizeof(name));
}

static void check_path(const struct ike_path *have, struct ike_path want)
{
	assert_true(addr_equal(&have->local, &want.local));
	assert_true(addr_equal(&have->remote, &want.remote));
	assert_int_equal(have->local_port, want.local_port);
	assert_int_equal(have->remote_port, want.remote_port);
}

static void test_paths(void **state)
{
	static const struct {
		const char *local, *remote;
		uint16_t local_port, remote_port;
	} cases[] = {
		{ "127.0.0.2", "127.0.0.3", 500, 500 },
		{ "127.1.2.3", "127.3.2.1", 4500, 4500 },
		{ "127.0.0.2", "127.0.0.3", 500, 4500 },
		{ "127.0.0.3", "127.0.0.2", 4500, 500 },
		{ "::1", "::1", 500, 4500 },
		{ "::1", "::1", 4500, 500 },
	};

	(void)state;
	NEED_LAB();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ike_path path =
			path_of(cases[i].local, cases[i].local_port, cases[i].remote, cases[i].remote_port);

		/* The marker of RFC 7296 2.23 is the engine's matter, on both ports. */
		assert_int_equal(udp_send(lab.udp, &path, view_of("\0\0\0\0abcd", 8)), 0);
		take((unsigned int)i + 1);
		assert_int_equal(lab.count, i + 1);
		check_path(&lab.taken[i].path,
			   path_of(cases[i].remote, cases[i].remote_port, cases[i].local, cases[i].local_port));
		assert_int_equal(lab.taken[i].len, 8);
		assert_memory_equal(lab.taken[i].head, "\0\0\0\0abcd", 8);
	}
}

/* An answer from within the receiver comes from the address that was asked. */
static void test_answer(void **state)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	uint8_t octets[2000];
	OWN_FD int fd = -1;

	(void)state;
	NEED_LAB();
	fd = stranger("127.0.0.9", 7777);
	lab.answer = true;
	assert_int_equal(send_to(fd, "127.9.9.9", 500, "question", 8), 8);
	take(1);
	assert_int_equal(recvfrom(fd, octets, sizeof(octets), MSG_DONTWAIT, (struct sockaddr *)&name, &len), 8);
	assert_int_equal(ntohl(name.sin_addr.s_addr), 0x7f090909);
	assert_int_equal(ntohs(name.sin_port), 500);
}

/* The kernel takes keepalives and ESP on the encapsulation port; on the other all octets are IKE's. */
static void test_encap(void **state)
{
	static const uint8_t esp[64] = { 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1 };
	OWN_FD int fd = -1;

	(void)state;
	NEED_LAB();
	fd = stranger("127.0.0.9", 7777);
	assert_int_equal(send_to(fd, "127.0.0.1", 4500, "\xff", 1), 1);
	assert_int_equal(send_to(fd, "127.0.0.1", 4500, esp, sizeof(esp)), sizeof(esp));
	assert_int_equal(send_to(fd, "127.0.0.1", 4500, "\0\0\0\0ike", 7), 7);
	take(2);
	assert_int_equal(lab.count, 1);
	assert_int_equal(lab.taken[0].len, 7);
	assert_int_equal(send_to(fd, "127.0.0.1", 500, esp, sizeof(esp)), sizeof(esp));
	assert_int_equal(send_to(fd, "127.0.0.1", 500, "", 0), 0);
	take(3);
	assert_int_equal(lab.count, 3);
	assert_int_equal(lab.taken[1].len, sizeof(esp));
	assert_int_equal(lab.taken[2].len, 0);
}

static void test_sizes(void **state)
{
	static uint8_t octets[65507];
	struct ike_path path;
	struct udp_counts counts;

	(void)state;
	NEED_LAB();
	path = path_of("127.0.0.2", 500, "127.0.0.3", 500);
	assert_int_equal(udp_send(lab.udp, &path, view_of(octets, sizeof(octets))), 0);
	take(1);
	assert_int_equal(lab.taken[0].len, sizeof(octets));
	assert_int_equal(udp_send(lab.udp, &path, view_of(octets, sizeof(octets) + 1)), -EMSGSIZE);
	udp_count(lab.udp, &counts);
	assert_int_equal(counts.sent, 1);
	assert_int_equal(counts.send_failed, 1);
	assert_int_equal(counts.received, 1);
}

static void test_turn(void **state)
{
	struct ike_path path;

	(void)state;
	NEED_LAB();
	path = path_of("127.0.0.2", 500, "127.0.0.3", 500);
	for (unsigned int i = 0; i < UDP_TURN_MAX + 40; i++)
		assert_int_equal(udp_send(lab.udp, &path, view_of(&i, sizeof(i))), 0);
	udp_ready(lab.udp, udp_fd(lab.udp, 0));
	assert_int_equal(lab.count, UDP_TURN_MAX);
	take(UDP_TURN_MAX + 41);
	assert_int_equal(lab.count, UDP_TURN_MAX + 40);
	for (uint32_t i = 0; i < lab.count; i++)
		assert_memory_equal(lab.taken[i].head, &i, sizeof(i));
}

static void test_refused(void **state)
{
	static const struct udp_options options;
	struct udp *second = NULL;
	struct err err = ERR_NONE;
	struct ike_path path;
	struct udp_counts counts;
	OWN_FD int fd = -1;

	(void)state;
	NEED_LAB();
	assert_int_equal(udp_open(&second, &options, on_datagram, &lab, &err), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(err.text, "another IKE daemon"));
	path = path_of("127.0.0.2", 501, "127.0.0.3", 500);
	assert_int_equal(udp_send(lab.udp, &path, view_of("x", 1)), -EADDRNOTAVAIL);
	path = path_of("::1", 500, "127.0.0.3", 500);
	assert_int_equal(udp_send(lab.udp, &path, view_of("x", 1)), -EADDRNOTAVAIL);
	/* What was sent to all of a subnet has no address to answer from. */
	fd = stranger("127.0.0.9", 7777);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int)), 0);
	assert_int_equal(send_to(fd, "127.255.255.255", 500, "x", 1), 1);
	take(1);
	assert_int_equal(lab.count, 0);
	udp_count(lab.udp, &counts);
	assert_int_equal(counts.unusable, 1);
}

static void test_cookies(void **state)
{
	(void)state;
	NEED_LAB();
	for (unsigned int i = 0; i < UDP_SOCKETS; i++) {
		assert_true(udp_fd(lab.udp, i) >= 0);
		assert_true(udp_cookie(lab.udp, i) != 0);
		for (unsigned int j = 0; j < i; j++)
			assert_true(udp_cookie(lab.udp, i) != udp_cookie(lab.udp, j));
	}
	assert_int_equal(udp_fd(lab.udp, UDP_SOCKETS), -1);
	assert_int_equal(udp_cookie(lab.udp, UDP_SOCKETS), 0);
}

static void allow_xfrm_on_loopback(void)
{
	static const char *const settings[] = { "/proc/sys/net/ipv4/conf/lo/disable_xfrm",
						"/proc/sys/net/ipv4/conf/lo/disable_policy" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		FILE *file = fopen(settings[i], "we");

		assert_non_null(file);
		assert_true(fputs("0", file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
}

/* Policies that ask for an SA where there is none: nobody but these sockets gets anything out or in. */
static void test_bypass(void **state)
{
	static const struct netlink_events events;
	struct netlink *netlink = NULL;
	struct hf_pair out, in;
	struct ike_path path;
	struct err err = ERR_NONE;
	OWN_FD int fd = -1;
	uint8_t octets[8];

	(void)state;
	NEED_LAB();
	allow_xfrm_on_loopback();
	assert_int_equal(netlink_open(&netlink, &events, NULL, &err), 0);
	out = (struct hf_pair){ address("127.0.0.2"), address("127.0.0.3") };
	in = (struct hf_pair){ out.remote, out.local };
	fd = stranger("127.0.0.3", 7777);
	path = path_of("127.0.0.2", 500, "127.0.0.3", 7777);
	assert_int_equal(udp_send(lab.udp, &path, view_of("one", 3)), 0);
	assert_int_equal(recv(fd, octets, sizeof(octets), MSG_DONTWAIT), 3);

	/* Inbound first: loopback packets meet both, and it is the stranger's socket that must not get any. */
	assert_int_equal(xfrm_policy_set(netlink, POLICY_IN, &in, SA_MODE_TRANSPORT, NETLINK_REQID_BASE, false, &err),
			 0);
	assert_int_equal(udp_send(lab.udp, &path, view_of("two", 3)), 0);
	assert_int_equal(recv(fd, octets, sizeof(octets), MSG_DONTWAIT), -1);
	path.remote_port = 4500;
	assert_int_equal(udp_send(lab.udp, &path, view_of("\0\0\0\0x", 5)), 0);
	take(1);
	assert_int_equal(lab.count, 1);

	assert_int_equal(xfrm_policy_set(netlink, POLICY_OUT, &out, SA_MODE_TRANSPORT, NETLINK_REQID_BASE, false, &err),
			 0);
	own_close_fd(&fd);
	fd = stranger("127.0.0.2", 7777);
	(void)send_to(fd, "127.0.0.3", 4500, "\0\0\0\0y", 5);
	take(2);
	assert_int_equal(lab.count, 1);
	assert_int_equal(udp_send(lab.udp, &path, view_of("\0\0\0\0z", 5)), 0);
	take(2);
	assert_int_equal(lab.count, 2);
	assert_int_equal(lab.taken[1].head[4], 'z');
	netlink_close(netlink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cookies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bypass, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
