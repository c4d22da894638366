// SPDX-License-Identifier: Apache-2.0
/*
 * The octets of XFRM requests, at the offsets that the kernel's ABI has (written as numbers, so that a wrong
 * member does not agree with itself), every buffer that is too small, and the way back from every kind of
 * message cut at every length. x86-64 and arm64, little endian both.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/own.h"
#include "netlink/nl.h"

#define SA_INFO_LEN 224
#define POLICY_INFO_LEN 168
#define HDR 16

/* Offsets in struct xfrm_usersa_info, after the netlink header. */
enum {
	SA_SEL = HDR,
	SA_DADDR = HDR + 56,
	SA_SPI = HDR + 72,
	SA_PROTO = HDR + 76,
	SA_SADDR = HDR + 80,
	SA_LIFETIMES = HDR + 96,
	SA_REQID = HDR + 208,
	SA_FAMILY = HDR + 212,
	SA_MODE = HDR + 214,
	SA_WINDOW = HDR + 215,
	SA_FLAGS = HDR + 216,
};

static struct request {
	_Alignas(8) uint8_t octets[NL_REQUEST_MAX];
} message;

static struct hf_addr addr_of(const char *text)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	return addr;
}

static uint16_t u16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t u32_at(const uint8_t *at)
{
	return u16_at(at) | (uint32_t)u16_at(at + 2) << 16;
}

static uint64_t u64_at(const uint8_t *at)
{
	return u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

static bool is_zero(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i])
			return false;
	}
	return true;
}

/* The payload of attribute `type` behind a header of `header` octets, walked by hand; NULL when absent. */
static const uint8_t *attr_of(uint32_t header, uint16_t type, size_t *len)
{
	uint32_t total = u32_at(message.octets);

	for (uint32_t at = HDR + header; at + 4 <= total; at += (u16_at(message.octets + at) + 3u) & ~3u) {
		*len = u16_at(message.octets + at) - 4u;
		if (u16_at(message.octets + at + 2) == type)
			return message.octets + at + 4;
		assert_true(u16_at(message.octets + at) >= 4);
	}
	return NULL;
}

static struct sa example_sa(void)
{
	struct sa sa = {
		.src = addr_of("10.9.0.1"),
		.dst = addr_of("10.9.0.2"),
		.spi_be = htonl(0xc0000001),
		.reqid = 0x48000005,
		.mode = SA_MODE_TRANSPORT,
		.algorithm = SA_AES_GCM_16_128,
	};

	for (size_t i = 0; i < sizeof(sa.key); i++)
		sa.key[i] = (uint8_t)(0xa0 + i);
	return sa;
}

static void encode(const struct sa *sa)
{
	memset(&message, 0xee, sizeof(message));
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, sa), 0);
}

static void test_state_header(void **state)
{
	struct sa sa = example_sa();
	const uint8_t *m = message.octets;

	(void)state;
	encode(&sa);
	assert_int_equal(u32_at(m), HDR + SA_INFO_LEN + 4 + 72 + 20);
	assert_int_equal(u16_at(m + 4), 0x10);
	assert_true(is_zero(m + SA_SEL, 56));
	assert_memory_equal(m + SA_DADDR, "\x0a\x09\x00\x02", 4);
	assert_true(is_zero(m + SA_DADDR + 4, 12));
	assert_memory_equal(m + SA_SPI, "\xc0\x00\x00\x01", 4);
	assert_int_equal(m[SA_PROTO], 50);
	assert_memory_equal(m + SA_SADDR, "\x0a\x09\x00\x01", 4);
	for (int i = 0; i < 4; i++)
		assert_true(u64_at(m + SA_LIFETIMES + 8 * i) == UINT64_MAX);
	assert_true(is_zero(m + SA_LIFETIMES + 32, SA_REQID - SA_LIFETIMES - 32));
	assert_int_equal(u32_at(m + SA_REQID), 0x48000005);
	assert_int_equal(u16_at(m + SA_FAMILY), 2);
	assert_int_equal(m[SA_MODE], 0);
	assert_int_equal(m[SA_WINDOW], 0);
	assert_int_equal(m[SA_FLAGS], 0);
}

static void test_state_ipv6_tunnel_limits(void **state)
{
	struct sa sa = example_sa();
	const uint8_t *m = message.octets;

	(void)state;
	sa.src = addr_of("2001:db8::1");
	sa.dst = addr_of("2001:db8::2");
	sa.mode = SA_MODE_TUNNEL;
	sa.soft_bytes = 1, sa.hard_bytes = 2, sa.soft_packets = 3, sa.hard_packets = 4;
	sa.soft_seconds = 5, sa.hard_seconds = 6;
	encode(&sa);
	assert_memory_equal(m + SA_DADDR, sa.dst.octet, 16);
	assert_memory_equal(m + SA_SADDR, sa.src.octet, 16);
	assert_int_equal(u16_at(m + SA_FAMILY), 10);
	assert_int_equal(m[SA_MODE], 1);
	for (uint64_t i = 0; i < 6; i++)
		assert_true(u64_at(m + SA_LIFETIMES + 8 * i) == i + 1);
}

static void test_state_algorithms(void **state)
{
	static const struct {
		enum sa_algorithm algorithm;
		const char *name;
		size_t key_len;
	} expected[] = {
		{ SA_AES_GCM_16_128, "rfc4106(gcm(aes))", 20 },
		{ SA_AES_GCM_16_256, "rfc4106(gcm(aes))", 36 },
		{ SA_CHACHA20_POLY1305, "rfc7539esp(chacha20,poly1305)", 36 },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sa sa = example_sa();
		const uint8_t *aead;
		size_t len;

		sa.algorithm = expected[i].algorithm;
		encode(&sa);
		aead = attr_of(SA_INFO_LEN, 18, &len);
		assert_non_null(aead);
		assert_int_equal(len, 72 + expected[i].key_len);
		assert_string_equal((const char *)aead, expected[i].name);
		assert_int_equal(u32_at(aead + 64), expected[i].key_len * 8);
		assert_int_equal(u32_at(aead + 68), 128);
		assert_memory_equal(aead + 72, sa.key, expected[i].key_len);
		assert_int_equal(encode_key_len(sa.algorithm), expected[i].key_len);
	}
}

static void test_state_replay(void **state)
{
	static const struct {
		bool inbound, esn;
		uint32_t window;
		uint8_t in_header;
		uint32_t in_bitmap, words; /* 0 = no attribute */
	} expected[] = {
		{ false, false, 0, 0, 0, 0 },	    { false, false, 128, 0, 0, 0 }, /* a sender needs no window */
		{ false, true, 0, 0, 1, 1 }, /* ESN with a window of 0 is refused by the kernel */
		{ false, true, 128, 0, 1, 1 },	    { true, false, 32, 32, 0, 0 },  { true, false, 33, 0, 33, 2 },
		{ true, true, 1, 0, 1, 1 },	    { true, true, 32, 0, 32, 1 },   { true, true, 128, 0, 128, 4 },
		{ true, true, 4096, 0, 4096, 128 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct sa sa = example_sa();
		const uint8_t *replay;
		size_t len;

		sa.inbound = expected[i].inbound;
		sa.esn = expected[i].esn;
		sa.replay_window = expected[i].window;
		encode(&sa);
		assert_int_equal(message.octets[SA_WINDOW], expected[i].in_header);
		assert_int_equal(message.octets[SA_FLAGS], sa.esn ? 0x80 : 0);
		replay = attr_of(SA_INFO_LEN, 23, &len);
		assert_int_equal(replay != NULL, expected[i].words != 0);
		if (!replay)
			continue;
		assert_int_equal(len, 24 + 4 * expected[i].words);
		assert_int_equal(u32_at(replay), expected[i].words);
		assert_int_equal(u32_at(replay + 20), expected[i].in_bitmap);
		assert_true(is_zero(replay + 4, 16) && is_zero(replay + 24, len - 24));
	}
}

static void test_state_encap(void **state)
{
	struct sa sa = example_sa();
	const uint8_t *encap;
	size_t len;

	(void)state;
	encode(&sa);
	assert_null(attr_of(SA_INFO_LEN, 4, &len));
	sa.encap_sport_be = htons(4500);
	sa.encap_dport_be = htons(61234);
	encode(&sa);
	encap = attr_of(SA_INFO_LEN, 4, &len);
	assert_non_null(encap);
	assert_int_equal(len, 24);
	assert_memory_equal(encap, "\x02\x00\x11\x94\xef\x32", 6);
	assert_true(is_zero(encap + 8, 16));
	/* A peer's new port is told once a second, where it is seen. */
	assert_null(attr_of(SA_INFO_LEN, XFRMA_MTIMER_THRESH, &len));
	sa.inbound = true;
	sa.replay_window = 32;
	encode(&sa);
	encap = attr_of(SA_INFO_LEN, XFRMA_MTIMER_THRESH, &len);
	assert_non_null(encap);
	assert_int_equal(u32_at(encap), 1);
}

/* Inbound, in transport mode, an SA is for its peer's own packets only. */
static void test_state_selector(void **state)
{
	const struct xfrm_usersa_info *info;
	struct sa sa = example_sa();

	(void)state;
	encode(&sa);
	info = (const void *)(message.octets + HDR);
	assert_true(is_zero((const uint8_t *)&info->sel, sizeof(info->sel)));
	sa.inbound = true;
	sa.replay_window = 32;
	sa.mode = SA_MODE_TRANSPORT;
	encode(&sa);
	assert_int_equal(info->sel.family, info->family);
	assert_memory_equal(&info->sel.saddr, &info->saddr, sizeof(info->saddr));
	assert_memory_equal(&info->sel.daddr, &info->id.daddr, sizeof(info->id.daddr));
	assert_int_equal(info->sel.prefixlen_s, info->family == AF_INET ? 32 : 128);
	assert_int_equal(info->sel.prefixlen_d, info->sel.prefixlen_s);
	sa.mode = SA_MODE_TUNNEL;
	encode(&sa);
	assert_true(is_zero((const uint8_t *)&info->sel, sizeof(info->sel)));
	/* A gateway's tunnel is for the one host behind it. */
	sa.behind = addr_of("10.9.7.2");
	encode(&sa);
	assert_memory_equal(&info->sel.saddr, "\x0a\x09\x07\x02", 4);
	assert_memory_equal(&info->sel.daddr, &info->id.daddr, sizeof(info->id.daddr));
	assert_int_equal(info->sel.prefixlen_s, 32);
	sa.inbound = false;
	encode(&sa);
	assert_true(is_zero((const uint8_t *)&info->sel, sizeof(info->sel)));
}

static void test_state_without_encoding(void **state)
{
	struct sa mixed = example_sa(), window = example_sa(), none = example_sa(), port = example_sa(),
		  algorithm = example_sa();

	(void)state;
	mixed.dst = addr_of("2001:db8::2");
	window.inbound = none.inbound = true;
	window.replay_window = 4097;
	port.encap_sport_be = htons(4500);
	algorithm.algorithm = (enum sa_algorithm)3;
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, &mixed), -EINVAL);
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, &window), -EINVAL);
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, &none), -EINVAL);
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, &port), -EINVAL);
	assert_int_equal(encode_state(&message, sizeof(message), XFRM_MSG_NEWSA, &algorithm), -EINVAL);
}

static void test_spi_and_id(void **state)
{
	struct hf_addr src = addr_of("10.9.0.2"), dst = addr_of("10.9.0.1");
	const uint8_t *m = message.octets;

	(void)state;
	assert_int_equal(encode_spi_alloc(&message, sizeof(message), &src, &dst, 0x48000005), 0);
	assert_int_equal(u32_at(m), HDR + SA_INFO_LEN + 8);
	assert_int_equal(u16_at(m + 4), 0x16);
	assert_memory_equal(m + SA_DADDR, "\x0a\x09\x00\x01", 4);
	assert_true(is_zero(m + SA_SPI, 4));
	assert_int_equal(m[SA_PROTO], 50);
	/* The bounds, unlike an SPI, are in host order. */
	assert_int_equal(u32_at(m + HDR + SA_INFO_LEN), 0xc0000000);
	assert_int_equal(u32_at(m + HDR + SA_INFO_LEN + 4), 0xcfffffff);

	assert_int_equal(encode_state_id(&message, sizeof(message), XFRM_MSG_DELSA, &dst, htonl(0xc0000001)), 0);
	assert_int_equal(u32_at(m), HDR + 24);
	assert_int_equal(u16_at(m + 4), 0x11);
	assert_memory_equal(m + HDR, "\x0a\x09\x00\x01", 4);
	assert_memory_equal(m + HDR + 16, "\xc0\x00\x00\x01\x02\x00\x32", 7);
}

static void test_policy(void **state)
{
	struct hf_pair pair = { addr_of("10.9.0.1"), addr_of("10.9.0.2") };
	struct hf_pair through = { pair.local, addr_of("10.9.0.3") };
	const uint8_t *m = message.octets, *tmpl;
	size_t len;

	(void)state;
	for (int dir = POLICY_IN; dir <= POLICY_FWD; dir++) {
		bool out = dir == POLICY_OUT;

		memset(&message, 0xee, sizeof(message));
		assert_int_equal(encode_policy(&message, sizeof(message), XFRM_MSG_NEWPOLICY, (enum policy_dir)dir,
					       &pair, &pair, SA_MODE_TUNNEL, 0x48000005, dir == POLICY_IN),
				 0);
		assert_int_equal(u32_at(m), HDR + POLICY_INFO_LEN + 4 + 64);
		assert_int_equal(u16_at(m + 4), 0x13);
		assert_memory_equal(m + HDR, out ? "\x0a\x09\x00\x02" : "\x0a\x09\x00\x01", 4);
		assert_memory_equal(m + HDR + 16, out ? "\x0a\x09\x00\x01" : "\x0a\x09\x00\x02", 4);
		assert_true(is_zero(m + HDR + 32, 8)); /* ports and masks */
		assert_memory_equal(m + HDR + 40, "\x02\x00\x20\x20\x00", 5);
		assert_true(is_zero(m + HDR + 45, 11)); /* padding too: the kernel compares it */
		assert_int_equal(u32_at(m + HDR + 152), 2000);
		assert_int_equal(u32_at(m + HDR + 156), 0);
		assert_int_equal(m[HDR + 160], dir == POLICY_IN ? 0 : out ? 1 : 2);
		assert_int_equal(m[HDR + 161], 0);
		tmpl = attr_of(POLICY_INFO_LEN, 5, &len);
		assert_non_null(tmpl);
		assert_int_equal(len, 64);
		assert_memory_equal(tmpl, m + HDR, 16);
		assert_memory_equal(tmpl + 28, m + HDR + 16, 16);
		assert_int_equal(u32_at(tmpl + 16), 0);
		assert_int_equal(tmpl[20], 50);
		assert_int_equal(u16_at(tmpl + 24), 2);
		assert_int_equal(u32_at(tmpl + 44), 0x48000005);
		assert_int_equal(tmpl[48], 1);
		assert_int_equal(tmpl[50], dir == POLICY_IN);
		assert_memory_equal(tmpl + 52, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	}
	/* A tunnel to a gateway: the selector is the pair's, the template's ends are not. */
	for (int dir = POLICY_IN; dir <= POLICY_OUT; dir++) {
		struct policy_seen seen;

		assert_int_equal(encode_policy(&message, sizeof(message), XFRM_MSG_NEWPOLICY, (enum policy_dir)dir,
					       &pair, &through, SA_MODE_TUNNEL, 0x48000005, false),
				 0);
		assert_true(decode_policy(&seen, (const struct nlmsghdr *)(const void *)&message));
		assert_true(pair_equal(&seen.pair, &pair));
		assert_true(pair_equal(&seen.outer, &through));
		assert_true(seen.pair_shaped);
	}
	through.remote = addr_of("2001:db8::1");
	assert_int_equal(encode_policy(&message, sizeof(message), XFRM_MSG_NEWPOLICY, POLICY_OUT, &pair, &through,
				       SA_MODE_TUNNEL, 0x48000005, false),
			 -EINVAL);
	pair.local = addr_of("2001:db8::1");
	assert_int_equal(encode_policy(&message, sizeof(message), XFRM_MSG_NEWPOLICY, POLICY_OUT, &pair, &pair,
				       SA_MODE_TUNNEL, 0x48000005, false),
			 -EINVAL);
}

static void test_policy_nd(void **state)
{
	const uint8_t *m = message.octets;

	(void)state;
	assert_int_equal(encode_policy_nd(&message, sizeof(message), XFRM_MSG_NEWPOLICY, POLICY_OUT, 135), 0);
	assert_int_equal(u32_at(m), HDR + POLICY_INFO_LEN);
	assert_true(is_zero(m + HDR, 32 + 4));
	assert_memory_equal(m + HDR + 36, "\x00\x87\xff\xff", 4);
	assert_memory_equal(m + HDR + 40, "\x0a\x00\x00\x00\x3a", 5);
	assert_int_equal(u32_at(m + HDR + 152), 1000);
	assert_int_equal(m[HDR + 160], 1);
}

/* ---- bounds ---- */

typedef int encoder(void *buf, size_t size);

static int big_state(void *buf, size_t size)
{
	struct sa sa = example_sa();

	sa.inbound = sa.esn = true;
	sa.replay_window = 4096;
	sa.algorithm = SA_CHACHA20_POLY1305;
	sa.encap_sport_be = sa.encap_dport_be = htons(4500);
	return encode_state(buf, size, XFRM_MSG_UPDSA, &sa);
}

static int some_policy(void *buf, size_t size)
{
	struct hf_pair pair = { addr_of("2001:db8::1"), addr_of("2001:db8::2") };

	return encode_policy(buf, size, XFRM_MSG_NEWPOLICY, POLICY_OUT, &pair, &pair, SA_MODE_TRANSPORT, 0x48000005,
			     false);
}

static int some_nd(void *buf, size_t size)
{
	return encode_policy_nd(buf, size, XFRM_MSG_NEWPOLICY, POLICY_IN, 136);
}

static int some_id(void *buf, size_t size)
{
	struct hf_addr dst = addr_of("10.9.0.1");

	return encode_state_id(buf, size, XFRM_MSG_GETSA, &dst, 1);
}

static void test_small_buffers(void **state)
{
	encoder *const encoders[] = { big_state, some_policy, some_nd, some_id };

	(void)state;
	for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
		size_t need;

		assert_int_equal(encoders[i](&message, sizeof(message)), 0);
		need = u32_at(message.octets);
		for (size_t size = 0; size <= need; size++) {
			OWN_FREE uint8_t *buf = malloc(size + 64);

			assert_non_null(buf);
			memset(buf, 0xee, size + 64);
			assert_int_equal(encoders[i](buf, size), size < need ? -EMSGSIZE : 0);
			for (size_t guard = 0; guard < 64; guard++)
				assert_int_equal(buf[size + guard], 0xee);
		}
	}
}

/* ---- and back ---- */

/* The message as the kernel would send it, in an allocation of exactly its length, so that ASan sees more. */
static uint8_t *exact(size_t len)
{
	uint8_t *copy = malloc(len);
	uint32_t length = (uint32_t)len;

	assert_non_null(copy);
	memcpy(copy, &message, len);
	memcpy(copy, &length, sizeof(length));
	return copy;
}

static void test_decode_state(void **state)
{
	struct state_seen seen;
	size_t total;

	(void)state;
	assert_int_equal(big_state(&message, sizeof(message)), 0);
	total = u32_at(message.octets);
	message.octets[SA_LIFETIMES + 64] = 77; /* bytes */
	message.octets[SA_LIFETIMES + 72] = 7;	/* packets */
	message.octets[SA_LIFETIMES + 96] = 1;	/* outside of the window, seen before, not authentic */
	message.octets[SA_LIFETIMES + 100] = 2;
	message.octets[SA_LIFETIMES + 104] = 4;
	for (size_t len = HDR; len <= total; len++) {
		OWN_FREE uint8_t *copy = exact(len);
		bool ok = decode_state(&seen, (struct nlmsghdr *)copy);

		assert_int_equal(ok, len >= HDR + SA_INFO_LEN);
	}
	assert_true(addr_is_v4(&seen.dst));
	assert_int_equal(seen.spi_be, htonl(0xc0000001));
	assert_int_equal(seen.reqid, 0x48000005);
	assert_false(seen.larval);
	assert_int_equal(seen.counters.bytes, 77);
	assert_int_equal(seen.counters.packets, 7);
	assert_int_equal(seen.counters.replay_dropped, 3);
	assert_int_equal(seen.counters.integrity_failed, 4);

	message.octets[SA_PROTO] = 51; /* AH */
	assert_false(decode_state(&seen, (struct nlmsghdr *)&message));
}

static void test_decode_policy(void **state)
{
	struct hf_pair pair = { addr_of("2001:db8::1"), addr_of("2001:db8::2") };
	struct policy_seen seen;
	size_t total;

	(void)state;
	assert_int_equal(some_policy(&message, sizeof(message)), 0);
	total = u32_at(message.octets);
	for (size_t len = HDR; len <= total; len++) {
		OWN_FREE uint8_t *copy = exact(len);
		bool ok = decode_policy(&seen, (struct nlmsghdr *)copy);

		assert_int_equal(ok, len >= HDR + POLICY_INFO_LEN);
		assert_int_equal(ok && nl_policy_is_ours(&seen), len == total);
	}
	assert_true(pair_equal(&seen.pair, &pair));
	assert_int_equal(seen.dir, POLICY_OUT);
	message.octets[HDR + 160] = 3; /* a socket's */
	assert_false(decode_policy(&seen, (struct nlmsghdr *)&message));
}

/* One octet beside ours in any place that tells, and it is somebody else's. */
static void test_nd_is_recognised(void **state)
{
	static const size_t differ[] = { 0, 16, 33, 35, 37, 39, 40, 42, 43, 44, 48, 152, 161 };
	struct policy_seen seen;

	(void)state;
	for (uint8_t type = 133; type <= 137; type++) {
		encode_policy_nd(&message, sizeof(message), XFRM_MSG_NEWPOLICY, POLICY_IN, type);
		assert_true(decode_policy(&seen, (struct nlmsghdr *)&message) && seen.nd);
	}
	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		some_nd(&message, sizeof(message));
		message.octets[HDR + differ[i]] ^= 0x10;
		assert_true(decode_policy(&seen, (struct nlmsghdr *)&message));
		assert_false(seen.nd);
		assert_false(nl_policy_is_ours(&seen));
	}
}

static void test_reqid_range(void **state)
{
	(void)state;
	assert_false(nl_reqid_is_ours(0));
	assert_false(nl_reqid_is_ours(0x47ffffff));
	assert_true(nl_reqid_is_ours(0x48000000));
	assert_true(nl_reqid_is_ours(0x480fffff));
	assert_false(nl_reqid_is_ours(0x48100000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_header),
		cmocka_unit_test(test_state_ipv6_tunnel_limits),
		cmocka_unit_test(test_state_algorithms),
		cmocka_unit_test(test_state_replay),
		cmocka_unit_test(test_state_encap),
		cmocka_unit_test(test_state_selector),
		cmocka_unit_test(test_state_without_encoding),
		cmocka_unit_test(test_spi_and_id),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_policy_nd),
		cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_decode_state),
		cmocka_unit_test(test_decode_policy),
		cmocka_unit_test(test_nd_is_recognised),
		cmocka_unit_test(test_reqid_range),
	};

	return cmocka_run_group_tests_name("netlink_encode", tests, NULL, NULL);
}
