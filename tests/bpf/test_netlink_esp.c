// SPDX-License-Identifier: Apache-2.0
/*
 * SAs on a kernel with ESP: what is installed, and packets between two network namespaces that only arrive
 * when states and policies fit each other. Everything here skips where the kernel has no ESP.
 */
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include "netlink_world.h"

/* ---- states ---- */

static void test_state_shows(void **state)
{
	struct netlink *nl = *state;
	struct sa out = sa_of(HERE, THERE, 0x1001, false), in = sa_of(THERE, HERE, 0x1002, true);
	struct sa_counters counters;
	struct err err = ERR_NONE;
	const char *text;

	if (world_skips_esp())
		skip();
	in.algorithm = SA_AES_GCM_16_256;
	in.hard_bytes = 1000000;
	in.soft_seconds = 3600;
	done(xfrm_state_add(nl, &out, &err), err);
	done(xfrm_state_add(nl, &in, &err), err);
	text = output_of("ip -s xfrm state");
	assert_in(text, "src 10.9.0.1 dst 10.9.0.2\n\tproto esp spi 0x00001001(4097) reqid "
			"1207959557(0x48000005) mode transport");
	assert_in(text, "src 10.9.0.2 dst 10.9.0.1\n\tproto esp spi 0x00001002(4098)");
	assert_int_equal(count_in(text, "flag esn"), 2);
	assert_in(text, "(288 bits) 128");
	assert_in(text, "(160 bits) 128");
	assert_in(text, "replay_window 128, bitmap-length 4");
	assert_in(text, "limit: soft (INF)(bytes), hard 1000000(bytes)");
	assert_in(text, "expire add: soft 3600(sec), hard 0(sec)");
	done(xfrm_state_counters(nl, &counters, &in.dst, in.spi_be, &err), err);
	assert_int_equal(counters.packets, 0);
	assert_int_equal(counters.used_s, 0);
	assert_int_not_equal(counters.added_s, 0);

	assert_int_equal(xfrm_state_add(nl, &in, &err), -EEXIST);
	assert_in(err.text, "add SA 10.9.0.2 -> 10.9.0.1 spi 0x00001002: the kernel says: File exists");
	done(xfrm_state_del(nl, &in.dst, in.spi_be, &err), err);
	err = ERR_NONE;
	assert_int_equal(xfrm_state_counters(nl, &counters, &in.dst, in.spi_be, &err), -ESRCH);
}

static void test_state_fills_larval(void **state)
{
	struct netlink *nl = *state;
	struct sa in = sa_of(THERE6, HERE6, 0, true);
	struct err err = ERR_NONE;
	struct found found;

	if (world_skips_esp())
		skip();
	in.mode = SA_MODE_TUNNEL;
	done(xfrm_spi_alloc(nl, &in.spi_be, &in.src, &in.dst, REQID, &err), err);
	done(xfrm_state_add(nl, &in, &err), err);
	found = find_all(nl);
	assert_int_equal(found.states, 1);
	assert_int_equal(found.larval, 0);
	assert_in(output_of("ip xfrm state"), "mode tunnel");
	/* XFRM_MSG_UPDSA would report success here and keep the old key. */
	assert_int_equal(xfrm_state_add(nl, &in, &err), -EEXIST);
	read_events(nl);
	assert_int_equal(seen.expiries, 0);
}

static void test_state_limits_of_seconds_expire(void **state)
{
	struct netlink *nl = *state;
	struct sa in = sa_of(THERE, HERE, 0x1002, true);
	struct err err = ERR_NONE;

	if (world_skips_esp())
		skip();
	in.hard_seconds = 1;
	done(xfrm_state_add(nl, &in, &err), err);
	await(nl, &seen.expiries, 1);
	assert_true(seen.hard);
	assert_int_equal(seen.spi_be, in.spi_be);
	assert_int_equal(find_all(nl).states, 0);
}

/* Others' SAs of the same kind stay. */
static void test_state_of_others_stays(void **state)
{
	struct netlink *nl = *state;
	struct sa in = sa_of(THERE, HERE, 0x1002, true);
	struct err err = ERR_NONE;
	unsigned int states;

	if (world_skips_esp())
		skip();
	done(xfrm_state_add(nl, &in, &err), err);
	assert_int_equal(run("ip xfrm state add src %s dst %s proto esp spi 0x2000 reqid 7 "
			     "mode transport aead 'rfc4106(gcm(aes))' "
			     "0x000102030405060708090a0b0c0d0e0f10111213 128",
			     THERE, HERE),
			 0);
	assert_int_equal(xfrm_state_del(nl, &in.dst, htonl(0x2000), &err), -EPERM);
	err = ERR_NONE;
	done(xfrm_remove_ours(nl, &states, NULL, &err), err);
	assert_int_equal(states, 1);
	assert_int_equal(count_in(output_of("ip xfrm state"), "proto esp"), 1);
	assert_in(output_of("ip xfrm state"), "spi 0x00002000 reqid 7");
}

/* ---- packets: two namespaces and a veth pair between them ---- */

#define PORT 7777

static struct side {
	int ns;
	struct netlink *nl;
	const char *v4, *v6;
	int udp4, udp6;
} left, right;

static void enter(const struct side *side)
{
	assert_int_equal(setns(side->ns, CLONE_NEWNET), 0);
}

static int open_udp(const char *address, uint16_t port)
{
	struct hf_addr addr = addr_of(address);
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(addr_family(&addr), SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	assert_true(fd >= 0);
	if (addr_is_v4(&addr)) {
		in4.sin_addr.s_addr = addr_v4(&addr);
		rc = bind(fd, (struct sockaddr *)&in4, sizeof(in4));
	} else {
		memcpy(&in6.sin6_addr, addr.octet, 16);
		rc = bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	}
	assert_int_equal(rc, 0);
	return fd;
}

static void open_side(struct side *side, const char *v4, const char *v6)
{
	struct err err = ERR_NONE;

	*side = (struct side){ .ns = world_enter_new(), .v4 = v4, .v6 = v6 };
	done(netlink_open(&side->nl, &events, &seen, &err), err);
}

static void start_side(struct side *side)
{
	enter(side);
	assert_int_equal(run("ip addr add %s/24 dev v && ip addr add %s/64 dev v nodad && "
			     "ip link set v up",
			     side->v4, side->v6),
			 0);
	side->udp4 = open_udp(side->v4, PORT);
	side->udp6 = open_udp(side->v6, PORT);
}

static int enter_sides(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	open_side(&left, HERE, HERE6);
	open_side(&right, THERE, THERE6);
	assert_int_equal(run("ip link add v type veth peer name v netns /proc/self/fd/%d", left.ns), 0);
	start_side(&left);
	start_side(&right);
	return 0;
}

static void close_side(struct side *side)
{
	netlink_close(side->nl);
	close(side->udp4);
	close(side->udp6);
	close(side->ns);
}

static int leave_sides(void **state)
{
	(void)state;
	close_side(&left);
	close_side(&right);
	return 0;
}

/* Sends one datagram and says whether it arrived within `wait_ms`. */
static bool deliver(struct side *from, struct side *to, bool v6, int wait_ms)
{
	static char mark;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct pollfd ready = { .fd = v6 ? to->udp6 : to->udp4, .events = POLLIN };
	char got[8];

	mark++;
	assert_int_equal(getsockname(ready.fd, (struct sockaddr *)&name, &len), 0);
	(void)sendto(v6 ? from->udp6 : from->udp4, &mark, 1, 0, (struct sockaddr *)&name, len);
	while (poll(&ready, 1, wait_ms) > 0) {
		if (recv(ready.fd, got, sizeof(got), 0) == 1 && got[0] == mark)
			return true;
	}
	return false;
}

/* A first neighbour solicitation may be lost while the link comes up; the next one follows after 1 s. */
static bool arrives(struct side *from, struct side *to, bool v6)
{
	return deliver(from, to, v6, 5000);
}

static bool is_dropped(struct side *from, struct side *to, bool v6)
{
	return !deliver(from, to, v6, 300);
}

static struct hf_pair pair_seen_by(const struct side *side, bool v6)
{
	const struct side *other = side == &left ? &right : &left;

	return v6 ? pair_of(side->v6, other->v6) : pair_of(side->v4, other->v4);
}

/* Puts the SA from -> to into both kernels. */
static void add_sa(struct side *from, struct side *to, const struct sa *like, uint32_t spi)
{
	struct hf_pair pair = pair_seen_by(from, !addr_is_v4(&like->dst));
	struct err err = ERR_NONE;
	struct sa sa = *like;

	sa.src = pair.local;
	sa.dst = pair.remote;
	sa.spi_be = htonl(spi);
	sa.inbound = false;
	done(xfrm_state_add(from->nl, &sa, &err), err);
	sa.inbound = true;
	done(xfrm_state_add(to->nl, &sa, &err), err);
}

static void set_policy(struct side *side, enum policy_dir dir, bool v6, enum sa_mode mode, bool optional)
{
	struct hf_pair pair = pair_seen_by(side, v6);
	struct err err = ERR_NONE;

	done(xfrm_policy_set(side->nl, dir, &pair, mode, REQID, optional, &err), err);
}

static void assert_counted(struct side *side, struct side *to, bool v6, uint32_t spi, uint64_t packets)
{
	struct hf_pair pair = pair_seen_by(to, v6);
	struct sa_counters counters;
	struct err err = ERR_NONE;

	done(xfrm_state_counters(side->nl, &counters, &pair.local, htonl(spi), &err), err);
	assert_int_equal(counters.packets, packets);
	assert_int_equal(counters.integrity_failed + counters.replay_dropped, 0);
	assert_true(counters.bytes > 0 && counters.used_s > 0);
}

/* A socket that the kernel decapsulates at, bound to port 4500 of the side. */
static int open_encap(struct side *side)
{
	int fd, type = UDP_ENCAP_ESPINUDP;

	enter(side);
	fd = open_udp(side->v4, 4500);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)), 0);
	return fd;
}

/* The sender's port is not the one that the receiver's SA names: told, with packets going on; after the move it is not. */
static void test_mapping_moves(void **state)
{
	struct sa sa = sa_of(HERE, THERE, 0x1000, false), plain = sa_of(HERE, THERE, 0x3000, true), larval;
	struct err err = ERR_NONE;
	int fds[2];

	(void)state;
	if (world_skips_esp())
		skip();
	fds[0] = open_encap(&left);
	fds[1] = open_encap(&right);
	sa.encap_sport_be = sa.encap_dport_be = htons(4500);
	add_sa(&left, &right, &sa, 0x1000);
	set_policy(&left, POLICY_OUT, false, SA_MODE_TRANSPORT, false);
	assert_true(arrives(&left, &right, false));
	read_events(right.nl);
	assert_int_equal(seen.moves, 0);

	sa.encap_sport_be = htons(4501);
	done(xfrm_state_move(left.nl, &sa, &err), err);
	assert_true(arrives(&left, &right, false));
	read_events(right.nl);
	assert_int_equal(seen.moves, 1);
	assert_int_equal(seen.port, 4501);
	assert_int_equal(seen.spi_be, sa.spi_be);
	assert_int_equal(seen.reqid, REQID);
	assert_true(addr_equal(&seen.addr, &sa.src) && addr_equal(&seen.dst, &sa.dst));
	assert_true(arrives(&left, &right, false)); /* once a second is enough */
	sa.inbound = true;
	memset(sa.key, 0, sizeof(sa.key)); /* not looked at */
	done(xfrm_state_move(right.nl, &sa, &err), err);
	usleep(1100000);
	assert_true(arrives(&left, &right, false));
	read_events(right.nl);
	assert_int_equal(seen.moves, 1);
	assert_counted(&left, &right, false, 0x1000, 4);
	assert_counted(&right, &right, false, 0x1000, 4);

	/* What cannot be moved: nothing, what is only reserved, what has no ports. */
	sa.spi_be = htonl(0x5555);
	assert_int_equal(xfrm_state_move(right.nl, &sa, &err), -ESRCH);
	larval = sa;
	err = ERR_NONE;
	done(xfrm_spi_alloc(right.nl, &larval.spi_be, &larval.src, &larval.dst, REQID, &err), err);
	assert_int_equal(xfrm_state_move(right.nl, &larval, &err), -ESRCH);
	err = ERR_NONE;
	done(xfrm_state_add(right.nl, &plain, &err), err);
	sa.spi_be = plain.spi_be;
	assert_int_equal(xfrm_state_move(right.nl, &sa, &err), -EINVAL);
	close(fds[0]);
	close(fds[1]);
}

static void test_packets_through_each_kind(void **state)
{
	static const struct {
		bool v6, esn;
		enum sa_mode mode;
		enum sa_algorithm algorithm;
		uint32_t window;
	} kinds[] = {
		{ false, true, SA_MODE_TRANSPORT, SA_AES_GCM_16_128, 128 },
		{ false, false, SA_MODE_TUNNEL, SA_AES_GCM_16_256, 32 },
		{ false, false, SA_MODE_TRANSPORT, SA_CHACHA20_POLY1305, 64 },
		{ true, true, SA_MODE_TRANSPORT, SA_AES_GCM_16_256, 128 },
		{ true, true, SA_MODE_TUNNEL, SA_CHACHA20_POLY1305, 4096 },
		{ true, false, SA_MODE_TRANSPORT, SA_AES_GCM_16_128, 33 },
	};
	struct err err = ERR_NONE;

	(void)state;
	if (world_skips_esp())
		skip();
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool v6 = kinds[i].v6;
		struct sa sa = sa_of(v6 ? HERE6 : HERE, v6 ? THERE6 : THERE, 0x1000, false);
		struct side *sides[] = { &left, &right };

		sa.esn = kinds[i].esn;
		sa.mode = kinds[i].mode;
		sa.algorithm = kinds[i].algorithm;
		sa.replay_window = kinds[i].window;
		add_sa(&left, &right, &sa, 0x1000 + i);
		add_sa(&right, &left, &sa, 0x2000 + i);
		for (size_t s = 0; s < 2; s++) {
			done(xfrm_policy_nd_allow(sides[s]->nl, &err), err);
			set_policy(sides[s], POLICY_OUT, v6, sa.mode, false);
			set_policy(sides[s], POLICY_FWD, v6, sa.mode, false);
			set_policy(sides[s], POLICY_IN, v6, sa.mode, false);
		}
		for (int n = 0; n < 3; n++) {
			assert_true(arrives(&left, &right, v6));
			assert_true(arrives(&right, &left, v6));
		}
		for (size_t s = 0; s < 2; s++) {
			assert_counted(sides[s], &right, v6, 0x1000 + i, 3);
			assert_counted(sides[s], &left, v6, 0x2000 + i, 3);
			done(xfrm_remove_ours(sides[s]->nl, NULL, NULL, &err), err);
		}
	}
	assert_int_equal(netlink_ready(left.nl, netlink_xfrm_fd(left.nl)), 0);
	assert_int_equal(seen.acquires + seen.expiries + seen.gone, 0);
}

/* KERNEL.md's order: SAs, then out, then in; clear is accepted until the in-policy is required. */
static void test_packets_and_policy_levels(void **state)
{
	struct sa sa = sa_of(HERE, THERE, 0x1000, false);

	(void)state;
	if (world_skips_esp())
		skip();
	add_sa(&left, &right, &sa, 0x1000);
	set_policy(&right, POLICY_IN, false, SA_MODE_TRANSPORT, true);
	assert_true(arrives(&left, &right, false));
	set_policy(&left, POLICY_OUT, false, SA_MODE_TRANSPORT, false);
	assert_true(arrives(&left, &right, false));
	assert_counted(&right, &right, false, 0x1000, 1);
	set_policy(&right, POLICY_IN, false, SA_MODE_TRANSPORT, false);
	assert_true(arrives(&left, &right, false));
	assert_counted(&right, &right, false, 0x1000, 2);
	assert_int_equal(run("ip xfrm policy flush"), 0); /* in the right one's namespace */
	enter(&left);
	assert_int_equal(run("ip xfrm policy flush"), 0);
	set_policy(&right, POLICY_IN, false, SA_MODE_TRANSPORT, false);
	assert_true(is_dropped(&left, &right, false));
}

/* The SA takes the place of the placeholder that the acquire left, and the policy uses it at once. */
static void test_packets_after_acquire(void **state)
{
	struct sa sa = sa_of(HERE, THERE, 0x1000, false);
	struct hf_pair pair = pair_of(HERE, THERE);

	(void)state;
	if (world_skips_esp())
		skip();
	set_policy(&left, POLICY_OUT, false, SA_MODE_TRANSPORT, false);
	assert_true(is_dropped(&left, &right, false));
	await(left.nl, &seen.acquires, 1);
	assert_true(pair_equal(&seen.pair, &pair));
	add_sa(&left, &right, &sa, 0x1000);
	assert_true(arrives(&left, &right, false));
	enter(&left);
	assert_int_equal(count_in(output_of("ip xfrm state"), "proto esp"), 1);
}

static void test_packets_reach_limits(void **state)
{
	struct sa sa = sa_of(HERE, THERE, 0x1000, false);

	(void)state;
	if (world_skips_esp())
		skip();
	sa.soft_packets = 2;
	sa.hard_packets = 4;
	add_sa(&left, &right, &sa, 0x1000);
	set_policy(&left, POLICY_OUT, false, SA_MODE_TRANSPORT, false);
	/* The kernel looks at a limit before it counts the packet: the third one finds two counted. */
	assert_true(arrives(&left, &right, false));
	assert_true(arrives(&left, &right, false));
	assert_int_equal(netlink_ready(left.nl, netlink_xfrm_fd(left.nl)), 0);
	assert_int_equal(seen.expiries, 0);
	assert_true(arrives(&left, &right, false));
	await(left.nl, &seen.expiries, 1);
	assert_false(seen.hard);
	assert_int_equal(seen.reqid, REQID);
	for (int i = 0; i < 4 && !seen.hard; i++) {
		(void)is_dropped(&left, &right, false);
		assert_int_equal(netlink_ready(left.nl, netlink_xfrm_fd(left.nl)), 0);
	}
	assert_true(seen.hard);
	assert_int_equal(seen.spi_be, htonl(0x1000));
	assert_int_equal(find_all(left.nl).states, 0);
}

static void test_packets_in_udp(void **state)
{
	struct sa sa = sa_of(HERE, THERE, 0x1000, false);
	struct xfrm_userpolicy_info policy = { 0 };
	int fd, type = UDP_ENCAP_ESPINUDP;
	unsigned int policies;
	struct err err = ERR_NONE;

	(void)state;
	if (world_skips_esp())
		skip();
	policy.sel.family = AF_INET;
	policy.dir = XFRM_POLICY_IN;
	policy.action = XFRM_POLICY_ALLOW;
	sa.encap_sport_be = sa.encap_dport_be = htons(4500);
	enter(&right);
	fd = open_udp(THERE, 4500);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)), 0);
	/* UDP asks the policy about the datagram before it opens it: the pair's in-policy would drop it. */
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof(policy)), 0);
	add_sa(&left, &right, &sa, 0x1000);
	set_policy(&left, POLICY_OUT, false, SA_MODE_TRANSPORT, false);
	set_policy(&right, POLICY_IN, false, SA_MODE_TRANSPORT, false);
	assert_true(arrives(&left, &right, false));
	assert_counted(&right, &right, false, 0x1000, 1);
	/* The socket's policy is listed with the others, and is none of ours. */
	assert_int_equal(find_all(right.nl).policies, 1);
	done(xfrm_remove_ours(right.nl, NULL, &policies, &err), err);
	assert_int_equal(policies, 1);
	close(fd);
}

static bool left_knows_right(int tries)
{
	enter(&left);
	for (int i = 0; i < tries; i++) {
		(void)is_dropped(&left, &right, true);
		if (strstr(output_of("ip -6 neigh show to " THERE6), "lladdr"))
			return true;
	}
	return false;
}

/* The right one owes an answer to a neighbour solicitation, and its policy has no SA to seal it with. */
static void test_packets_of_nd_pass(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	set_policy(&left, POLICY_IN, true, SA_MODE_TRANSPORT, false);
	set_policy(&right, POLICY_OUT, true, SA_MODE_TRANSPORT, false);
	assert_false(left_knows_right(1));
	done(xfrm_policy_nd_allow(right.nl, &err), err);
	assert_false(left_knows_right(1));
	done(xfrm_policy_nd_allow(left.nl, &err), err);
	assert_true(left_knows_right(10));
}

#define between_sides(test) cmocka_unit_test_setup_teardown(test, enter_sides, leave_sides)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(test_state_shows),
		in_world(test_state_fills_larval),
		in_world(test_state_limits_of_seconds_expire),
		in_world(test_state_of_others_stays),
		between_sides(test_packets_through_each_kind),
		between_sides(test_packets_and_policy_levels),
		between_sides(test_packets_after_acquire),
		between_sides(test_packets_reach_limits),
		between_sides(test_packets_in_udp),
		between_sides(test_mapping_moves),
		between_sides(test_packets_of_nd_pass),
	};

	return cmocka_run_group_tests_name("netlink_esp", tests, NULL, NULL);
}
