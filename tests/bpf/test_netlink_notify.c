// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel and other programs do is told, what we did ourselves is not; links and addresses are told
 * like the ones that were there before. Needs no ESP.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include "netlink_world.h"

/* ---- notifications ---- */

static void test_own_changes_are_not_told(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;
	uint32_t spi;

	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	set_policies(nl, &pair, SA_MODE_TUNNEL);
	done(xfrm_policy_del(nl, POLICY_IN, &pair, &err), err);
	done(xfrm_spi_alloc(nl, &spi, &pair.remote, &pair.local, REQID, &err), err);
	done(xfrm_state_del(nl, &pair.local, spi, &err), err);
	done(xfrm_remove_ours(nl, NULL, NULL, &err), err);
	read_events(nl);
	assert_int_equal(seen.gone + seen.expiries + seen.lost + seen.acquires, 0);
}

static void test_changes_by_others_are_told(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;
	uint32_t spi;

	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	done(xfrm_spi_alloc(nl, &spi, &pair.remote, &pair.local, REQID, &err), err);
	assert_int_equal(run("ip xfrm policy delete src %s dst %s dir in", THERE, HERE), 0);
	read_events(nl);
	assert_int_equal(seen.gone, 1);
	assert_int_equal(seen.dir, POLICY_IN);
	assert_int_equal(seen.reqid, REQID);

	assert_int_equal(run("ip xfrm state delete src %s dst %s proto esp spi 0x%x", THERE, HERE, ntohl(spi)), 0);
	read_events(nl);
	assert_int_equal(seen.expiries, 1);
	assert_true(seen.hard);
	assert_int_equal(seen.spi_be, spi);
	assert_true(addr_equal(&seen.dst, &pair.local));
	assert_int_equal(seen.lost, 0);

	assert_int_equal(run("ip xfrm policy update src %s dst %s dir out priority 1 "
			     "tmpl proto esp reqid 7 mode transport",
			     HERE, THERE),
			 0);
	read_events(nl);
	assert_int_equal(seen.lost, 1);
	assert_int_equal(run("ip xfrm policy flush"), 0);
	read_events(nl);
	assert_int_equal(seen.lost, 2);
	assert_int_equal(seen.gone, 1);
}

static void test_others_among_themselves_are_not_told(void **state)
{
	assert_int_equal(run("ip xfrm policy add src 10.8.0.0/24 dst %s dir out "
			     "tmpl proto esp reqid 7 mode transport",
			     THERE),
			 0);
	assert_int_equal(run("ip xfrm policy delete src 10.8.0.0/24 dst %s dir out", THERE), 0);
	assert_int_equal(run("ip xfrm state allocspi src %s dst %s proto esp reqid 7 min 300 max 300 "
			     ">/dev/null",
			     THERE, HERE),
			 0);
	assert_int_equal(run("ip xfrm state delete src %s dst %s proto esp spi 300", THERE, HERE), 0);
	read_events(*state);
	assert_int_equal(seen.gone + seen.expiries + seen.lost, 0);
}

static void test_nd_allowance_gone_is_told(void **state)
{
	struct err err = ERR_NONE;

	done(xfrm_policy_nd_allow(*state, &err), err);
	assert_int_equal(run("ip xfrm policy delete src ::/0 dst ::/0 proto ipv6-icmp type 136 dir out"), 0);
	read_events(*state);
	assert_int_equal(seen.gone, 1);
	assert_int_equal(seen.reqid, 0);
	assert_int_equal(seen.dir, POLICY_OUT);
}

/* A packet that meets the out-policy without an SA makes the kernel ask; the placeholder is no SA of ours. */
static void test_acquire(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd;

	assert_int_equal(run("ip link add v0 type veth peer name v1 && ip addr add %s/24 dev v0 && "
			     "ip link set v0 up && ip link set v1 up",
			     HERE),
			 0);
	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	to.sin_addr.s_addr = addr_v4(&pair.remote);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	await(nl, &seen.acquires, 1);
	assert_int_equal(seen.reqid, REQID);
	assert_true(pair_equal(&seen.pair, &pair));
	assert_int_equal(find_all(nl).states, 0);
}

/* Both end by the same timer; a reserved SPI was promised to somebody, a placeholder is only the kernel's. */
static void test_larval_states_end(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;
	uint32_t spi;

	assert_int_equal(run("echo 1 >/proc/sys/net/core/xfrm_acq_expires"), 0);
	test_acquire(state);
	done(xfrm_spi_alloc(nl, &spi, &pair.remote, &pair.local, REQID, &err), err);
	await(nl, &seen.expiries, 1);
	for (int i = 0; i < 100 && output_of("ip xfrm state")[0]; i++)
		usleep(50000);
	assert_string_equal(output_of("ip xfrm state"), "");
	read_events(nl);
	assert_int_equal(seen.expiries, 1);
	assert_true(seen.hard);
	assert_int_equal(seen.spi_be, spi);
}

static void test_overflow_is_told(void **state)
{
	struct netlink *nl = *state, *other;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;
	int size = 4096;

	assert_int_equal(setsockopt(netlink_xfrm_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
	done(netlink_open(&other, NULL, NULL, &err), err);
	for (int i = 0; i < 50; i++)
		set_policies(other, &pair, SA_MODE_TRANSPORT);
	read_events(nl);
	assert_int_equal(seen.lost, 1);
	done(xfrm_policy_del(other, POLICY_OUT, &pair, &err), err);
	netlink_close(other);
	seen.gone = 0;
	for (int i = 0; i < 10 && !seen.gone; i++)
		read_events(nl);
	assert_int_equal(seen.gone, 1);
}

/* ---- links ---- */

static void test_links_and_addresses(void **state)
{
	struct netlink *nl = *state;
	struct hf_addr v4 = addr_of(HERE), v6 = addr_of(HERE6), broadcast = addr_of("10.9.0.255");
	struct err err = ERR_NONE;
	int ifindex;

	done(netlink_links_dump(nl, &err), err);
	assert_string_equal(seen.name, "lo");
	assert_true(seen.up && seen.added >= 1);
	memset(&seen, 0, sizeof(seen));

	assert_int_equal(run("ip link add v0 type veth peer name v1"), 0);
	ifindex = (int)if_nametoindex("v0");
	assert_int_equal(run("ip addr add %s/24 broadcast + dev v0", HERE), 0);
	read_events(nl);
	assert_true(seen.links >= 2);
	assert_int_equal(seen.added, 1);
	assert_int_equal(seen.ifindex, ifindex);
	assert_true(addr_equal(&seen.addr, &v4));
	assert_true(addr_equal(&seen.broadcast, &broadcast));
	assert_int_equal(run("ip addr add %s/64 dev v0 nodad", HERE6), 0);
	await(nl, &seen.added, 2);
	assert_true(addr_equal(&seen.addr, &v6));
	assert_false(addr_equal(&seen.broadcast, &broadcast));

	memset(&seen, 0, sizeof(seen));
	done(netlink_links_dump(nl, &err), err);
	assert_true(seen.links >= 3 && seen.added >= 3);
	assert_int_equal(run("ip link set v0 up"), 0);
	read_events(nl);
	assert_true(seen.up);
	assert_int_equal(run("ip link set v0 down; ip link set v0 name w0"), 0);
	read_events(nl);
	assert_string_equal(seen.name, "w0");
	assert_false(seen.up);
	assert_int_equal(run("ip addr del %s/24 dev w0", HERE), 0);
	await(nl, &seen.removed, 1);
	assert_int_equal(run("ip link del w0"), 0);
	await(nl, &seen.links_gone, 2);
}

/* Local is what the routing table delivers here, with or without an interface that has the address. */
static void test_local_is_asked_of_the_routes(void **state)
{
	struct netlink *nl = *state;
	struct hf_addr here = addr_of(HERE), here6 = addr_of(HERE6), there = addr_of(THERE);
	struct hf_addr any = addr_of("10.77.1.2"), any6 = addr_of("2001:db8:77::9");

	assert_int_equal(
		run("ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"),
		0);
	assert_int_equal(run("ip addr add %s/24 dev v0; ip addr add %s/64 dev v0 nodad", HERE, HERE6), 0);
	assert_false(netlink_is_local(nl, &any) || netlink_is_local(nl, &any6));
	assert_int_equal(run("ip route add local 10.77.0.0/16 dev lo; ip -6 route add local 2001:db8:77::/64 dev lo"),
			 0);
	assert_true(netlink_is_local(nl, &here) && netlink_is_local(nl, &here6));
	assert_true(netlink_is_local(nl, &any) && netlink_is_local(nl, &any6));
	assert_false(netlink_is_local(nl, &there));
}

/* Leaving a bridge is told by the kernel as RTM_DELLINK of the family AF_BRIDGE. */
static void test_bridge_port_is_not_gone(void **state)
{
	if (run("ip link add br0 type bridge 2>/dev/null")) {
		print_message("skipped: this kernel has no bridge\n");
		skip();
	}
	assert_int_equal(run("ip link add v0 type veth peer name v1 && ip link set v0 master br0 && "
			     "ip link set v0 nomaster"),
			 0);
	read_events(*state);
	assert_true(seen.links > 0);
	assert_int_equal(seen.links_gone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(test_own_changes_are_not_told),
		in_world(test_changes_by_others_are_told),
		in_world(test_others_among_themselves_are_not_told),
		in_world(test_nd_allowance_gone_is_told),
		in_world(test_acquire),
		in_world(test_larval_states_end),
		in_world(test_overflow_is_told),
		in_world(test_links_and_addresses),
		in_world(test_local_is_asked_of_the_routes),
		in_world(test_bridge_port_is_not_gone),
	};

	return cmocka_run_group_tests_name("netlink_notify", tests, NULL, NULL);
}
