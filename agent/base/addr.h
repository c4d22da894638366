// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes and pairs in the form the maps use (holdfast/abi.h): 16 octets, IPv4 as v4-mapped
 * IPv6. Parsing and printing for people; no name lookups.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "holdfast/abi.h"

#define ADDR_TEXT_MAX 46   /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX 50 /* address, '/', three digits */
#define PAIR_TEXT_MAX 100  /* "local -> remote" */

/* addr_from_v4 makes the v4-mapped form of an IPv4 address given in network byte order. */
struct hf_addr addr_from_v4(uint32_t v4_be);

/* addr_from_octets takes 4 (IPv4) or 16 (IPv6) octets in network order. Any other length gives ::. */
struct hf_addr addr_from_octets(const void *octets, size_t len);

/* addr_is_v4 is true for ::ffff:0:0/96. */
bool addr_is_v4(const struct hf_addr *addr);

/* addr_v4 is the IPv4 address in network byte order; only meaningful when addr_is_v4. */
uint32_t addr_v4(const struct hf_addr *addr);

/* addr_octets points at the 4 or 16 octets a packet would carry and sets *len to their number. */
const uint8_t *addr_octets(const struct hf_addr *addr, size_t *len);

/* addr_family is AF_INET or AF_INET6. */
int addr_family(const struct hf_addr *addr);

bool addr_equal(const struct hf_addr *a, const struct hf_addr *b);

/* addr_is_none: all zero, which stands for no address. */
bool addr_is_none(const struct hf_addr *addr);

/* addr_is_host: it can be one host's, reachable from others: no multicast, broadcast, loopback, link-local or unspecified address. */
bool addr_is_host(const struct hf_addr *addr);

/* addr_compare orders octet-wise, like memcmp. */
int addr_compare(const struct hf_addr *a, const struct hf_addr *b);

/* addr_parse reads "192.0.2.1" or "2001:db8::1". -EINVAL with a reason in err. */
int addr_parse(struct hf_addr *out, const char *text, struct err *err);

/* addr_format writes the usual text form and returns `out`. */
const char *addr_format(char out[ADDR_TEXT_MAX], const struct hf_addr *addr);

/*
 * prefix_parse reads "192.0.2.0/24", "2001:db8::/32", or an address alone (/32, /128). Host bits that
 * are set are an error: the operator meant something else than what would be enforced. -EINVAL with a
 * reason in err.
 */
int prefix_parse(struct hf_prefix *out, const char *text, struct err *err);

/* prefix_format writes "192.0.2.0/24" or "2001:db8::/32" and returns `out`. */
const char *prefix_format(char out[PREFIX_TEXT_MAX], const struct hf_prefix *prefix);

bool prefix_contains(const struct hf_prefix *prefix, const struct hf_addr *addr);
bool prefix_equal(const struct hf_prefix *a, const struct hf_prefix *b);

/* prefix_compare orders tables: longer prefixes first, then by octets. */
int prefix_compare(const struct hf_prefix *a, const struct hf_prefix *b);

/*
 * prefix_search finds the longest prefix that contains `addr` in a table of `count` elements of `size` octets, each with
 * its struct hf_prefix first, sorted by prefix_compare. NULL when there is none.
 */
const void *prefix_search(const void *table, size_t count, size_t size, const struct hf_addr *addr);

bool pair_equal(const struct hf_pair *a, const struct hf_pair *b);

/* pair_format writes "192.0.2.1 -> 192.0.2.2" and returns `out`. */
const char *pair_format(char out[PAIR_TEXT_MAX], const struct hf_pair *pair);

/* group_name is the name of policy files: "private-or-clear". "?" for a value that is none. */
const char *group_name(enum hf_group group);

/* group_parse is the inverse. -EINVAL for an unknown name. */
int group_parse(enum hf_group *out, const char *name);

/* verdict_name: "hold", "clear", "secure", "block"; "none" for 0. */
const char *verdict_name(enum hf_verdict verdict);

#endif
