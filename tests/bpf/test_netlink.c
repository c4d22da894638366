// SPDX-License-Identifier: Apache-2.0
/*
 * The netlink room against the running kernel, each test in a network namespace of its own: what it
 * installs is what `ip` shows, what belongs to others stays, and refusals say what to do. Needs no ESP.
 */
#include <sys/wait.h>

#include "netlink_world.h"

/* ---- policies ---- */

static void test_policy_shows(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE), pair6 = pair_of(HERE6, THERE6);
	struct err err = ERR_NONE;
	struct found found;
	const char *text;

	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	found = find_all(nl);
	assert_int_equal(found.policies, 3);
	assert_true(pair_equal(&found.pair, &pair));
	done(xfrm_policy_set(nl, POLICY_IN, &pair6, SA_MODE_TUNNEL, REQID, true, &err), err);
	text = output_of("ip xfrm policy");
	assert_in(text, "src 10.9.0.1/32 dst 10.9.0.2/32 \n\tdir out priority 2000");
	assert_in(text, "src 10.9.0.2/32 dst 10.9.0.1/32 \n\tdir in priority 2000");
	assert_in(text, "src 10.9.0.2/32 dst 10.9.0.1/32 \n\tdir fwd priority 2000");
	assert_in(text, "tmpl src 10.9.0.1 dst 10.9.0.2\n\t\tproto esp reqid 1207959557 mode transport");
	assert_in(text, "src 2001:db8::2/128 dst 2001:db8::1/128 \n\tdir in priority 2000");
	assert_in(text, "proto esp reqid 1207959557 mode tunnel\n\t\tlevel use");
	assert_int_equal(count_in(text, "level use"), 1);
	assert_int_equal(find_all(nl).policies, 4);
}

static void test_policy_is_replaced_and_removed(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;

	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	set_policies(nl, &pair, SA_MODE_TUNNEL);
	assert_int_equal(find_all(nl).policies, 3);
	assert_int_equal(count_in(output_of("ip xfrm policy"), "mode tunnel"), 3);
	for (size_t i = 0; i < 3; i++)
		done(xfrm_policy_del(nl, all_dirs[i], &pair, &err), err);
	assert_string_equal(output_of("ip xfrm policy"), "");
	assert_int_equal(xfrm_policy_del(nl, POLICY_OUT, &pair, &err), -ESRCH);
	assert_in(err.text, "remove policy out 10.9.0.1 -> 10.9.0.2: the kernel says: ");
}

static void test_policy_of_others_stays(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err set = ERR_NONE, del = ERR_NONE;

	assert_int_equal(run("ip xfrm policy add src %s dst %s dir out priority 77 "
			     "tmpl proto esp reqid 7 mode transport",
			     HERE, THERE),
			 0);
	assert_int_equal(xfrm_policy_set(nl, POLICY_OUT, &pair, SA_MODE_TRANSPORT, REQID, false, &set), -EEXIST);
	assert_in(set.text, "somebody else stands for the same traffic (reqid 0x7, priority 77)");
	assert_int_equal(xfrm_policy_del(nl, POLICY_OUT, &pair, &del), -EPERM);
	assert_in(output_of("ip xfrm policy"), "dir out priority 77");
	assert_int_equal(find_all(nl).policies, 0);
}

static void test_nd_allowance(void **state)
{
	struct netlink *nl = *state;
	struct err err = ERR_NONE;
	unsigned int policies;
	const char *text;

	done(xfrm_policy_nd_allow(nl, &err), err);
	done(xfrm_policy_nd_allow(nl, &err), err);
	text = output_of("ip xfrm policy");
	assert_int_equal(count_in(text, "src ::/0 dst ::/0 proto ipv6-icmp type 1"), 10);
	assert_in(text, "type 133");
	assert_in(text, "type 137");
	assert_int_equal(count_in(text, "dir in priority 1000"), 5);
	assert_int_equal(count_in(text, "dir out priority 1000"), 5);
	assert_int_equal(count_in(text, "tmpl"), 0);
	done(xfrm_remove_ours(nl, NULL, &policies, &err), err);
	assert_int_equal(policies, 10);
	assert_string_equal(output_of("ip xfrm policy"), "");
}

static void test_requests_outside_our_range(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct sa sa = sa_of(HERE, THERE, 0x1001, false);
	struct err policy = ERR_NONE, add = ERR_NONE, spi = ERR_NONE, mixed = ERR_NONE;
	struct hf_addr v6 = addr_of(HERE6);

	sa.reqid = NETLINK_REQID_BASE + NETLINK_REQID_COUNT;
	assert_int_equal(xfrm_policy_set(nl, POLICY_OUT, &pair, SA_MODE_TRANSPORT, sa.reqid, false, &policy), -EINVAL);
	assert_in(policy.text, "reqid 0x48100000 is not in our range");
	assert_int_equal(xfrm_state_add(nl, &sa, &add), -EINVAL);
	assert_in(add.text, "add SA 10.9.0.1 -> 10.9.0.2 spi 0x00001001: reqid");
	sa = sa_of(HERE, THERE, 255, false);
	assert_int_equal(xfrm_state_add(nl, &sa, &spi), -EINVAL);
	assert_in(spi.text, "reserved");
	pair.local = v6;
	assert_int_equal(xfrm_policy_set(nl, POLICY_OUT, &pair, SA_MODE_TRANSPORT, REQID, false, &mixed), -EINVAL);
	assert_in(mixed.text, "different families");
}

/* ---- SPIs and what is ours ---- */

static void test_spi_alloc(void **state)
{
	struct netlink *nl = *state;
	struct hf_addr here = addr_of(HERE), there = addr_of(THERE);
	struct err err = ERR_NONE;
	uint32_t first, second;
	struct found found;

	done(xfrm_spi_alloc(nl, &first, &there, &here, REQID, &err), err);
	done(xfrm_spi_alloc(nl, &second, &there, &here, REQID, &err), err);
	assert_true(ntohl(first) >> 28 == 0xc && ntohl(second) >> 28 == 0xc);
	assert_int_not_equal(first, second);
	found = find_all(nl);
	assert_int_equal(found.states, 2);
	assert_int_equal(found.larval, 2);
	done(xfrm_state_del(nl, &here, first, &err), err);
	assert_int_equal(find_all(nl).states, 1);
	assert_int_equal(xfrm_state_del(nl, &here, first, &err), -ESRCH);
	assert_in(err.text, "remove SA to 10.9.0.1 spi 0xc");
}

static void test_ours_are_removed_and_only_ours(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE), pair6 = pair_of(HERE6, THERE6);
	struct hf_addr here = addr_of(HERE), here6 = addr_of(HERE6);
	struct err err = ERR_NONE, refused = ERR_NONE;
	unsigned int states, policies;
	uint32_t spi;

	assert_int_equal(run("ip xfrm state allocspi src %s dst %s proto esp reqid 7 min 300 max 300 "
			     ">/dev/null",
			     THERE, HERE),
			 0);
	assert_int_equal(run("ip xfrm policy add src %s dst 10.9.0.3 dir out priority 2000 "
			     "tmpl proto esp reqid 7 mode transport",
			     HERE),
			 0);
	assert_int_equal(run("ip xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type 133 dir in "
			     "priority 999"),
			 0);
	/* Our reqid on a net: not the shape of ours, so somebody else chose the same number. */
	assert_int_equal(run("ip xfrm policy add src 10.8.0.0/24 dst %s dir out "
			     "tmpl proto esp reqid %u mode transport",
			     THERE, REQID),
			 0);
	set_policies(nl, &pair, SA_MODE_TRANSPORT);
	set_policies(nl, &pair6, SA_MODE_TUNNEL);
	done(xfrm_spi_alloc(nl, &spi, &pair.remote, &pair.local, REQID, &err), err);
	done(xfrm_spi_alloc(nl, &spi, &pair6.remote, &here6, REQID, &err), err);
	assert_int_equal(xfrm_state_del(nl, &here, htonl(300), &refused), -EPERM);
	assert_in(refused.text, "belongs to somebody else (reqid 0x7)");

	done(xfrm_remove_ours(nl, &states, &policies, &err), err);
	assert_int_equal(states, 2);
	assert_int_equal(policies, 6);
	assert_int_equal(count_in(output_of("ip xfrm policy"), "priority"), 3);
	assert_in(output_of("ip xfrm state"), "spi 0x0000012c reqid 7");
	done(xfrm_remove_ours(nl, &states, &policies, &err), err);
	assert_int_equal(states + policies, 0);
}

static void test_nd_of_others_is_an_error(void **state)
{
	struct err err = ERR_NONE;

	assert_int_equal(run("ip xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type 135 dir in "
			     "priority 5 action block"),
			 0);
	assert_int_equal(xfrm_policy_nd_allow(*state, &err), -EEXIST);
	assert_in(err.text, "allow ICMPv6 type 135 in");
}

/* More than one piece of a dump, and removal while the dump goes on. */
static void test_many(void **state)
{
	struct netlink *nl = *state;
	struct hf_pair pair = pair_of(HERE, THERE);
	struct err err = ERR_NONE;
	unsigned int states, policies;
	uint32_t spi;

	for (int i = 0; i < 1000; i++) {
		pair.remote.octet[14] = (uint8_t)(i >> 8);
		pair.remote.octet[15] = (uint8_t)i;
		done(xfrm_policy_set(nl, POLICY_OUT, &pair, SA_MODE_TRANSPORT, REQID, false, &err), err);
		done(xfrm_spi_alloc(nl, &spi, &pair.remote, &pair.local, REQID, &err), err);
	}
	assert_int_equal(find_all(nl).states, 1000);
	done(xfrm_remove_ours(nl, &states, &policies, &err), err);
	assert_int_equal(states, 1000);
	assert_int_equal(policies, 1000);
	read_events(nl);
	assert_int_equal(seen.gone + seen.expiries + seen.lost, 0);
}

/* ---- what the kernel can do ---- */

static void test_state_without_esp_says_so(void **state)
{
	struct sa in = sa_of(THERE, HERE, 0x1002, true);
	struct err err = ERR_NONE;
	struct netlink_probe probe;

	done(netlink_probe(&probe, &err), err);
	if (probe.esp4 == 0) {
		print_message("skipped: this kernel has ESP\n");
		skip();
	}
	assert_int_equal(xfrm_state_add(*state, &in, &err), -ENOSYS);
	assert_in(err.text, "add SA 10.9.0.2 -> 10.9.0.1 spi 0x00001002: the kernel says: ");
	assert_in(err.text, "; this kernel ");
	assert_in(err.text, "CONFIG_");
}

static void test_probe(void **state)
{
	struct netlink_probe probe;
	struct err err = ERR_NONE;

	done(netlink_probe(&probe, &err), err);
	print_message("%s: xfrm %d esp4 %d esp6 %d aes_gcm %d chacha20 %d esn %d udp_encap %d\n", probe.release,
		      probe.xfrm, probe.esp4, probe.esp6, probe.aes_gcm, probe.chacha20, probe.esn, probe.udp_encap);
	assert_int_equal(probe.xfrm, 0);
	assert_true(probe.release[0] != '\0');
	assert_int_equal(probe.esn, probe.esp4 ? probe.esn : 0);
	assert_string_equal(output_of("ip xfrm state"), "");
	assert_int_equal(find_all(*state).states, 0);
}

static void test_open_without_permission(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct netlink *nl;
		struct err err = ERR_NONE;
		int rc = setuid(65534) ? 0 : netlink_open(&nl, NULL, NULL, &err);

		_exit(rc == -EPERM && strstr(err.text, "CAP_NET_ADMIN") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(test_policy_shows),
		in_world(test_policy_is_replaced_and_removed),
		in_world(test_policy_of_others_stays),
		in_world(test_nd_allowance),
		in_world(test_requests_outside_our_range),
		in_world(test_spi_alloc),
		in_world(test_ours_are_removed_and_only_ours),
		in_world(test_nd_of_others_is_an_error),
		in_world(test_many),
		in_world(test_state_without_esp_says_so),
		in_world(test_probe),
		in_world(test_open_without_permission),
	};

	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
