// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes and pairs, see addr.h. Text conversion is libc's inet_pton and inet_ntop.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct hf_addr addr_from_octets(const void *octets, size_t len)
{
	struct hf_addr addr = { 0 };

	if (len == 16) {
		memcpy(addr.octet, octets, 16);
	} else if (len == 4) {
		memcpy(addr.octet, v4_mapped, sizeof(v4_mapped));
		memcpy(addr.octet + 12, octets, 4);
	}
	return addr;
}

struct hf_addr addr_from_v4(uint32_t v4_be)
{
	return addr_from_octets(&v4_be, sizeof(v4_be));
}

bool addr_is_v4(const struct hf_addr *addr)
{
	return memcmp(addr->octet, v4_mapped, sizeof(v4_mapped)) == 0;
}

uint32_t addr_v4(const struct hf_addr *addr)
{
	uint32_t v4_be;

	memcpy(&v4_be, addr->octet + 12, sizeof(v4_be));
	return v4_be;
}

const uint8_t *addr_octets(const struct hf_addr *addr, size_t *len)
{
	*len = addr_is_v4(addr) ? 4 : 16;
	return addr->octet + 16 - *len;
}

int addr_family(const struct hf_addr *addr)
{
	return addr_is_v4(addr) ? AF_INET : AF_INET6;
}

bool addr_equal(const struct hf_addr *a, const struct hf_addr *b)
{
	return addr_compare(a, b) == 0;
}

bool addr_is_none(const struct hf_addr *addr)
{
	static const struct hf_addr none;

	return addr_equal(addr, &none);
}

bool addr_is_host(const struct hf_addr *addr)
{
	static const struct hf_addr loopback = { .octet[15] = 1 };
	const uint8_t *octet = addr->octet;

	/* 0/8 is this host, 127/8 loopback, 169.254/16 link-local, 224/4 multicast, 240/4 reserved with broadcast at its end. */
	if (addr_is_v4(addr))
		return octet[12] && octet[12] != 127 && octet[12] < 224 && !(octet[12] == 169 && octet[13] == 254);
	return !addr_is_none(addr) && !addr_equal(addr, &loopback) && octet[0] != 0xff &&
	       !(octet[0] == 0xfe && octet[1] >> 6 == 2);
}

int addr_compare(const struct hf_addr *a, const struct hf_addr *b)
{
	return memcmp(a->octet, b->octet, sizeof(a->octet));
}

int addr_parse(struct hf_addr *out, const char *text, struct err *err)
{
	uint8_t octets[16];

	if (inet_pton(AF_INET, text, octets) == 1)
		*out = addr_from_octets(octets, 4);
	else if (inet_pton(AF_INET6, text, octets) == 1)
		*out = addr_from_octets(octets, 16);
	else
		return err_set(err, -EINVAL, "\"%.64s\" is not an IPv4 or IPv6 address", text);
	return 0;
}

const char *addr_format(char out[ADDR_TEXT_MAX], const struct hf_addr *addr)
{
	size_t len;
	const uint8_t *octets = addr_octets(addr, &len);

	if (!inet_ntop(len == 4 ? AF_INET : AF_INET6, octets, out, ADDR_TEXT_MAX))
		out[0] = '\0';
	return out;
}

static bool has_host_bits(const struct hf_prefix *prefix)
{
	for (uint32_t bit = prefix->prefix_len; bit < 128; bit++)
		if (prefix->addr.octet[bit / 8] & (0x80 >> (bit % 8)))
			return true;
	return false;
}

/* Reads the decimal number after the slash; -1 when it is none or above `max`. */
static int parse_length(const char *text, int max)
{
	int value = 0;

	if (!*text || strlen(text) > 3)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value <= max ? value : -1;
}

int prefix_parse(struct hf_prefix *out, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	size_t addr_len = slash ? (size_t)(slash - text) : strlen(text);
	struct hf_prefix prefix;
	char addr_text[ADDR_TEXT_MAX];
	int family_bits, len;

	if (addr_len >= sizeof(addr_text))
		return err_set(err, -EINVAL, "\"%.64s\" is too long for an address", text);
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = '\0';
	if (addr_parse(&prefix.addr, addr_text, err) < 0)
		return -EINVAL;

	/* "::ffff:192.0.2.0/120" would silently be an IPv4 rule: the text decides the family. */
	if (strchr(addr_text, ':') && addr_is_v4(&prefix.addr))
		return err_set(err, -EINVAL, "\"%s\" is a v4-mapped address: write it as IPv4", text);
	family_bits = addr_is_v4(&prefix.addr) ? 32 : 128;
	len = slash ? parse_length(slash + 1, family_bits) : family_bits;
	if (len < 0)
		return err_set(err, -EINVAL, "\"%.64s\": the prefix length must be 0 to %d", text, family_bits);
	prefix.prefix_len = 128 - family_bits + len;
	if (has_host_bits(&prefix))
		return err_set(err, -EINVAL, "\"%s\" has bits set behind its /%d: write the network address", text,
			       len);
	*out = prefix;
	return 0;
}

const char *prefix_format(char out[PREFIX_TEXT_MAX], const struct hf_prefix *prefix)
{
	bool v4 = addr_is_v4(&prefix->addr) && prefix->prefix_len >= 96;
	char addr[ADDR_TEXT_MAX];

	snprintf(out, PREFIX_TEXT_MAX, "%s/%u", addr_format(addr, &prefix->addr), prefix->prefix_len - (v4 ? 96 : 0));
	return out;
}

bool prefix_contains(const struct hf_prefix *prefix, const struct hf_addr *addr)
{
	uint32_t octets = prefix->prefix_len / 8, bits = prefix->prefix_len % 8;

	if (memcmp(prefix->addr.octet, addr->octet, octets) != 0)
		return false;
	return bits == 0 || ((prefix->addr.octet[octets] ^ addr->octet[octets]) >> (8 - bits)) == 0;
}

bool prefix_equal(const struct hf_prefix *a, const struct hf_prefix *b)
{
	return a->prefix_len == b->prefix_len && addr_equal(&a->addr, &b->addr);
}

bool pair_equal(const struct hf_pair *a, const struct hf_pair *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

const char *pair_format(char out[PAIR_TEXT_MAX], const struct hf_pair *pair)
{
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

	snprintf(out, PAIR_TEXT_MAX, "%s -> %s", addr_format(local, &pair->local), addr_format(remote, &pair->remote));
	return out;
}

static const char *const group_names[HF_GROUP_COUNT] = {
	[HF_GROUP_CLEAR] = "clear",
	[HF_GROUP_CLEAR_OR_PRIVATE] = "clear-or-private",
	[HF_GROUP_PRIVATE_OR_CLEAR] = "private-or-clear",
	[HF_GROUP_PRIVATE] = "private",
	[HF_GROUP_BLOCK] = "block",
};

const char *group_name(enum hf_group group)
{
	return (unsigned int)group < HF_GROUP_COUNT ? group_names[group] : "?";
}

int group_parse(enum hf_group *out, const char *name)
{
	for (int i = 0; i < HF_GROUP_COUNT; i++) {
		if (strcmp(name, group_names[i]) == 0) {
			*out = (enum hf_group)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *verdict_name(enum hf_verdict verdict)
{
	switch (verdict) {
	case HF_VERDICT_HOLD:
		return "hold";
	case HF_VERDICT_CLEAR:
		return "clear";
	case HF_VERDICT_SECURE:
		return "secure";
	case HF_VERDICT_BLOCK:
		return "block";
	}
	return "none";
}

int prefix_compare(const struct hf_prefix *a, const struct hf_prefix *b)
{
	if (a->prefix_len != b->prefix_len)
		return a->prefix_len > b->prefix_len ? -1 : 1;
	return addr_compare(&a->addr, &b->addr);
}

/* The address with all bits behind the first `len` zero. */
static struct hf_addr network_of(const struct hf_addr *addr, uint32_t len)
{
	struct hf_addr network = { 0 };

	memcpy(network.octet, addr->octet, len / 8);
	if (len % 8)
		network.octet[len / 8] = (uint8_t)(addr->octet[len / 8] & (0xff00 >> (len % 8)));
	return network;
}

struct prefix_table {
	const uint8_t *octets;
	size_t count, size;
};

static const struct hf_prefix *prefix_at(const struct prefix_table *table, size_t index)
{
	return (const void *)(table->octets + index * table->size);
}

/* Index of the first element that is not before `prefix`. */
static size_t lower_bound(const struct prefix_table *table, const struct hf_prefix *prefix)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (prefix_compare(prefix_at(table, middle), prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const void *prefix_search(const void *table, size_t count, size_t size, const struct hf_addr *addr)
{
	const struct prefix_table all = { table, count, size };
	/* IPv6 prefixes shorter than 96 bits may cover ::ffff:0:0/96, but say nothing about IPv4. */
	uint32_t shortest = addr_is_v4(addr) ? 96 : 0;
	size_t run = 0;

	while (run < count && prefix_at(&all, run)->prefix_len >= shortest) {
		uint32_t len = prefix_at(&all, run)->prefix_len;
		struct hf_prefix wanted = { .prefix_len = len, .addr = network_of(addr, len) };
		size_t at = lower_bound(&all, &wanted);

		if (at < count && prefix_equal(prefix_at(&all, at), &wanted))
			return prefix_at(&all, at);
		if (len == 0)
			break;
		/* The run of the next shorter length starts where ::/(len-1), its first, would be. */
		wanted = (struct hf_prefix){ .prefix_len = len - 1 };
		run = lower_bound(&all, &wanted);
	}
	return NULL;
}
