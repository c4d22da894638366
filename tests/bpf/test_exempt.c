// SPDX-License-Identifier: Apache-2.0
/*
 * What leaves whatever the verdict, because without it there is no address, no neighbour and no key exchange. Beside each
 * stands what only nearly is that, and must not leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "egress_fate.h"

static struct run run;

static int open_run(void **state)
{
	(void)state;
	run_open_egress(&run, NULL);
	return 0;
}

static int close_run(void **state)
{
	(void)state;
	run_close(&run);
	return 0;
}

static void block_all(void)
{
	run_rule(&run, "0.0.0.0/0", HF_GROUP_BLOCK);
	run_rule(&run, "::/0", HF_GROUP_BLOCK);
}

static void expect_ports(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
			 enum fate fate, const char *what)
{
	struct packet_bytes packet;

	packet_ip(&packet, src, dst);
	if (proto == IPPROTO_TCP)
		packet_tcp(&packet, sport, dport);
	else
		packet_udp(&packet, sport, dport);
	packet_fill(&packet, 40, 1);
	fate_expect(&run, &packet, fate, what);
}

static void test_esp_always_passes(void **state)
{
	struct hf_pair pair = run_pair(LOCAL6, REMOTE6);
	struct packet_bytes packet;

	(void)state;
	block_all();
	packet_ip(&packet, LOCAL4, REMOTE4);
	packet_esp(&packet, 0x1000);
	fate_expect(&run, &packet, FATE_ESP, "ESP");
	packet_ip(&packet, LOCAL6, REMOTE6);
	packet_extension(&packet, 60);
	packet_esp(&packet, 0x1000);
	fate_expect(&run, &packet, FATE_ESP, "ESP behind destination options");
	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_SECURE });
	fate_expect(&run, &packet, FATE_ESP, "ESP of a secure pair");
	packet_ip(&packet, LOCAL4, REMOTE4);
	packet_proto(&packet, IPPROTO_AH);
	packet_fill(&packet, 40, 1);
	fate_expect(&run, &packet, FATE_BLOCKED, "AH is not ESP: it does not hide anything");
}

/* One packet shaped like IKE from `port`. */
static void expect_ike(uint16_t port, int marker, uint8_t version, int32_t length_off, enum fate fate, const char *what)
{
	struct packet_bytes packet;

	for (int v4 = 0; v4 < 2; v4++) {
		packet_ip(&packet, v4 ? LOCAL4 : LOCAL6, v4 ? REMOTE4 : REMOTE6);
		packet_udp(&packet, port, 30000);
		if (marker)
			packet_data(&packet, &(uint32_t){ htonl((uint32_t)marker - 1) }, 4);
		packet_ike(&packet, version, (uint32_t)(28 + 50 + length_off));
		packet_fill(&packet, 50, 3);
		fate_expect(&run, &packet, fate, what);
	}
}

static void test_ike(void **state)
{
	(void)state;
	block_all();
	expect_ike(500, 0, 0x20, 0, FATE_EXEMPT, "IKEv2 from 500");
	expect_ike(500, 0, 0x10, 0, FATE_EXEMPT, "IKEv1 from 500");
	expect_ike(4500, 1, 0x20, 0, FATE_EXEMPT, "IKEv2 from 4500 behind the marker");
	expect_ike(501, 0, 0x20, 0, FATE_BLOCKED, "IKE's shape from another port");
	expect_ike(500, 0, 0x30, 0, FATE_BLOCKED, "version 3");
	expect_ike(500, 0, 0x00, 0, FATE_BLOCKED, "version 0");
	expect_ike(500, 0, 0x20, 1, FATE_BLOCKED, "one octet missing");
	expect_ike(500, 0, 0x20, -1, FATE_BLOCKED, "one octet too many");
	expect_ike(500, 0, 0x20, -78, FATE_BLOCKED, "length 0");
	expect_ike(500, 1, 0x20, 0, FATE_BLOCKED, "a marker on port 500");
	expect_ike(4500, 0, 0x20, 0, FATE_BLOCKED, "no marker on port 4500");
	expect_ike(4500, 2, 0x20, 0, FATE_BLOCKED, "a marker that is not 0");
	expect_ports(IPPROTO_TCP, LOCAL4, 500, REMOTE4, 500, FATE_BLOCKED, "TCP from 500");
	expect_ports(IPPROTO_UDP, LOCAL4, 30000, REMOTE4, 500, FATE_BLOCKED, "to 500, from elsewhere");
}

static void test_keepalive(void **state)
{
	static const struct {
		uint16_t port;
		const char *data;
		size_t len;
		enum fate fate;
	} cases[] = {
		{ 4500, "\xff", 1, FATE_EXEMPT },      { 4500, "\xfe", 1, FATE_BLOCKED },
		{ 4500, "\xff\xff", 2, FATE_BLOCKED }, { 4500, "", 0, FATE_BLOCKED },
		{ 500, "\xff", 1, FATE_BLOCKED },
	};
	struct packet_bytes packet;

	(void)state;
	block_all();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		packet_ip(&packet, LOCAL4, REMOTE4);
		packet_udp(&packet, cases[i].port, 4500);
		packet_data(&packet, cases[i].data, cases[i].len);
		fate_expect(&run, &packet, cases[i].fate, "keepalive");
	}
}

static void expect_udp_encap(uint32_t flags, uint16_t port, uint32_t spi, enum fate fate, const char *what)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;

	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_SECURE, .flags = flags });
	packet_ip(&packet, LOCAL4, REMOTE4);
	packet_udp(&packet, port, 4500);
	packet_data(&packet, &(uint32_t){ htonl(spi) }, 4);
	packet_fill(&packet, 60, 1);
	fate_expect(&run, &packet, fate, what);
	fate_drain(&run, &pair);
}

static void test_esp_in_udp(void **state)
{
	(void)state;
	expect_udp_encap(HF_GATE_UDP_ENCAP, 4500, 0x1000, FATE_ESP, "ESP in UDP");
	expect_udp_encap(0, 4500, 0x1000, FATE_STRAY, "ESP in UDP of a pair that has none");
	expect_udp_encap(HF_GATE_UDP_ENCAP, 4501, 0x1000, FATE_STRAY, "from another port");
	expect_udp_encap(HF_GATE_UDP_ENCAP, 4500, 255, FATE_STRAY, "a reserved SPI");
}

static void expect_icmp6(uint8_t type, uint8_t hops, enum fate fate, const char *what)
{
	struct packet_bytes packet;

	packet_ip(&packet, LOCAL6, REMOTE6);
	packet_icmp(&packet, type, 0);
	packet_fill(&packet, 24, 0);
	packet_hops(&packet, hops);
	fate_expect(&run, &packet, fate, what);
}

static void test_neighbour_discovery(void **state)
{
	struct packet_bytes packet;

	(void)state;
	block_all();
	for (uint8_t type = 133; type <= 137; type++)
		expect_icmp6(type, 255, FATE_EXEMPT, "ND");
	expect_icmp6(135, 254, FATE_BLOCKED, "ND that crossed a router");
	expect_icmp6(132, 255, FATE_BLOCKED, "MLD done to a unicast address");
	expect_icmp6(138, 255, FATE_BLOCKED, "router renumbering");
	expect_icmp6(128, 255, FATE_BLOCKED, "echo");
	packet_ip(&packet, LOCAL4, REMOTE4);
	packet_proto(&packet, 58);
	packet_hops(&packet, 255);
	packet_data(&packet, "\x87\0\0\0\0\0\0\0", 8);
	fate_expect(&run, &packet, FATE_BLOCKED, "ICMPv6 in IPv4");
	packet_ip(&packet, LOCAL6, REMOTE6);
	packet_fragment(&packet, 8, 0);
	packet_icmp(&packet, 135, 0);
	packet_hops(&packet, 255);
	fate_expect(&run, &packet, FATE_BLOCKED, "a later fragment that looks like ND");
}

static void test_dhcp(void **state)
{
	(void)state;
	block_all();
	expect_ports(IPPROTO_UDP, LOCAL4, 68, REMOTE4, 67, FATE_EXEMPT, "DHCP request");
	expect_ports(IPPROTO_UDP, LOCAL4, 67, REMOTE4, 68, FATE_EXEMPT, "DHCP answer");
	expect_ports(IPPROTO_UDP, LOCAL4, 67, REMOTE4, 67, FATE_EXEMPT, "DHCP relay");
	expect_ports(IPPROTO_UDP, LOCAL4, 68, REMOTE4, 68, FATE_BLOCKED, "client to client");
	expect_ports(IPPROTO_UDP, LOCAL4, 40000, REMOTE4, 67, FATE_BLOCKED, "from any port to a server");
	expect_ports(IPPROTO_TCP, LOCAL4, 68, REMOTE4, 67, FATE_BLOCKED, "TCP");
	expect_ports(IPPROTO_UDP, LOCAL4, 546, REMOTE4, 547, FATE_BLOCKED, "DHCPv6's ports in IPv4");
	expect_ports(IPPROTO_UDP, LOCAL6, 546, REMOTE6, 547, FATE_EXEMPT, "DHCPv6 request");
	expect_ports(IPPROTO_UDP, LOCAL6, 547, REMOTE6, 546, FATE_EXEMPT, "DHCPv6 answer");
	expect_ports(IPPROTO_UDP, LOCAL6, 68, REMOTE6, 67, FATE_BLOCKED, "DHCP's ports in IPv6");
}

static void test_resolver(void **state)
{
	(void)state;
	block_all();
	run_exempt(&run, REMOTE4, HF_EXEMPT_RESOLVER);
	run_exempt(&run, REMOTE6, HF_EXEMPT_RESOLVER);
	expect_ports(IPPROTO_UDP, LOCAL4, 40000, REMOTE4, 53, FATE_EXEMPT, "DNS");
	expect_ports(IPPROTO_TCP, LOCAL4, 40000, REMOTE4, 53, FATE_EXEMPT, "DNS over TCP");
	expect_ports(IPPROTO_UDP, LOCAL6, 40000, REMOTE6, 53, FATE_EXEMPT, "DNS, IPv6");
	expect_ports(IPPROTO_UDP, LOCAL4, 40000, REMOTE4, 54, FATE_BLOCKED, "port 54");
	expect_ports(IPPROTO_UDP, LOCAL4, 53, REMOTE4, 40000, FATE_BLOCKED, "from port 53");
	expect_ports(IPPROTO_UDP, LOCAL4, 40000, "198.51.100.3", 53, FATE_BLOCKED, "not a resolver of ours");
}

static void test_scopes(void **state)
{
	static const struct {
		const char *src, *dst;
		enum fate fate;
	} cases[] = {
		{ LOCAL4, "224.0.0.251", FATE_EXEMPT },
		{ LOCAL4, "239.255.255.255", FATE_EXEMPT },
		{ LOCAL4, "223.255.255.255", FATE_BLOCKED },
		{ LOCAL4, "240.0.0.1", FATE_BLOCKED },
		{ LOCAL4, "255.255.255.255", FATE_EXEMPT },
		{ LOCAL4, "255.255.255.254", FATE_BLOCKED },
		{ LOCAL4, "127.0.0.1", FATE_EXEMPT },
		{ LOCAL4, "128.0.0.1", FATE_BLOCKED },
		{ LOCAL4, "192.0.2.255", FATE_EXEMPT },
		{ LOCAL4, "192.0.2.254", FATE_BLOCKED },
		{ LOCAL4, LOCAL4, FATE_EXEMPT },
		{ LOCAL4, "192.0.2.2", FATE_BLOCKED },
		{ LOCAL6, "ff02::1", FATE_EXEMPT },
		{ LOCAL6, "fe80::1", FATE_EXEMPT },
		{ "fe80::2", "febf::1", FATE_EXEMPT },
		{ LOCAL6, "fec0::1", FATE_BLOCKED },
		{ LOCAL6, LOCAL6, FATE_EXEMPT },
		{ LOCAL6, "fd00::1", FATE_BLOCKED },
		{ "fe80::2", REMOTE6, FATE_BLOCKED }, /* any program may bind a link-local source */
	};
	struct packet_bytes packet;

	(void)state;
	block_all();
	run_exempt(&run, "192.0.2.255", HF_EXEMPT_BROADCAST);
	run_exempt(&run, LOCAL4, HF_EXEMPT_OWN);
	run_exempt(&run, LOCAL6, HF_EXEMPT_OWN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		packet_simple(&packet, cases[i].src, cases[i].dst, 10);
		fate_expect(&run, &packet, cases[i].fate, cases[i].dst);
	}
}

/* A fragment without ports is nobody's DNS or IKE. The first fragment has them. */
static void test_fragments(void **state)
{
	struct packet_bytes packet;

	(void)state;
	block_all();
	run_exempt(&run, REMOTE4, HF_EXEMPT_RESOLVER);
	run_exempt(&run, REMOTE6, HF_EXEMPT_RESOLVER);
	for (int v4 = 0; v4 < 2; v4++) {
		for (int later = 0; later < 2; later++) {
			packet_ip(&packet, v4 ? LOCAL4 : LOCAL6, v4 ? REMOTE4 : REMOTE6);
			packet_fragment(&packet, later ? 1200 : 0, !later);
			packet_udp(&packet, 40000, 53);
			packet_fill(&packet, 64, 0);
			fate_expect(&run, &packet, later ? FATE_BLOCKED : FATE_EXEMPT, "a fragment");
		}
	}
}

/* Errors about our ESP may come in, never leave. */
static void test_icmp_is_held(void **state)
{
	struct packet_bytes packet;

	(void)state;
	block_all();
	packet_ip(&packet, LOCAL4, REMOTE4);
	packet_icmp(&packet, 3, 4);
	packet_fill(&packet, 9, 0);
	packet_data(&packet, "\x32", 1);
	packet_fill(&packet, 20, 0);
	fate_expect(&run, &packet, FATE_BLOCKED, "fragmentation needed, leaving");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_run, close_run)
	const struct CMUnitTest tests[] = {
		TEST(test_esp_always_passes),	TEST(test_ike),		 TEST(test_keepalive), TEST(test_esp_in_udp),
		TEST(test_neighbour_discovery), TEST(test_dhcp),	 TEST(test_resolver),  TEST(test_scopes),
		TEST(test_fragments),		TEST(test_icmp_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
