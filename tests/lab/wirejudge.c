// SPDX-License-Identifier: Apache-2.0
/*
 * wirejudge: read a capture and say, by pair of addresses, what was clear, what was sealed, and
 * whether the payload marker can be found anywhere. Ethernet, VLAN, cooked and raw captures; IPv4 and
 * IPv6 with extension headers and fragments. It decrypts nothing and trusts nothing but the bytes.
 * --expect turns it into a judge: exit 1 and one line per condition that does not hold.
 */
#include "wireparse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counts {
	uint64_t kind[KIND_MAX];
	uint64_t marker;     /* packets with the marker, of any kind */
	uint64_t plain;	     /* clear packets without it */
	uint64_t espdup;     /* ESP packets whose SPI and sequence number were seen before */
	uint64_t truncated;  /* too short for their own headers */
	uint64_t proto[256]; /* clear packets by protocol */
	int64_t first_clear_ns, first_sealed_ns, last_clear_ns, last_sealed_ns;
};

struct pair {
	uint8_t src[16], dst[16];
	struct counts n;
};

struct judge {
	const char *marker;
	bool json, list, one_pair;
	uint8_t a[16], b[16];
	int64_t after_ns, mono_minus_real_ns;
	uint64_t packets, dropped;
	struct counts total;
	struct pair *pairs;
	size_t pair_count, pair_room;
	uint32_t *slots; /* hash of pairs: index + 1 */
	size_t slot_count;
	uint64_t *esp_seen; /* open-addressed set */
	size_t esp_count, esp_room;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "wirejudge: %s: %s\n", what, why);
	exit(2);
}

static void *must(void *p)
{
	if (!p)
		die("memory", strerror(errno));
	return p;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x7fb5d329728ea185u;
	x = (x ^ x >> 27) * 0x81dadef4bc2dd44du;
	return x ^ x >> 33;
}

static uint64_t hash16(const uint8_t *p, uint64_t seed)
{
	uint64_t lo, hi;

	memcpy(&lo, p, 8);
	memcpy(&hi, p + 8, 8);
	return mix(mix(lo ^ seed) ^ hi);
}

/* True when this key, a hash of destination, SPI and sequence number, was there before. */
static bool esp_note(struct judge *j, uint64_t key)
{
	if (j->esp_count * 2 >= j->esp_room) {
		uint64_t *old = j->esp_seen;
		size_t old_room = j->esp_room;

		j->esp_room = old_room ? old_room * 4 : 4096;
		j->esp_seen = must(calloc(j->esp_room, sizeof(key)));
		j->esp_count = 0;
		for (size_t i = 0; i < old_room; i++)
			if (old[i])
				esp_note(j, old[i]);
		free(old);
	}
	for (size_t i = mix(key) & (j->esp_room - 1);; i = (i + 1) & (j->esp_room - 1)) {
		if (j->esp_seen[i] == key)
			return true;
		if (!j->esp_seen[i]) {
			j->esp_seen[i] = key;
			j->esp_count++;
			return false;
		}
	}
}

static void slots_rebuild(struct judge *j)
{
	free(j->slots);
	j->slot_count = j->slot_count ? j->slot_count * 4 : 4096;
	j->slots = must(calloc(j->slot_count, sizeof(j->slots[0])));
	for (size_t p = 0; p < j->pair_count; p++) {
		size_t i = hash16(j->pairs[p].dst, hash16(j->pairs[p].src, 1)) & (j->slot_count - 1);

		while (j->slots[i])
			i = (i + 1) & (j->slot_count - 1);
		j->slots[i] = (uint32_t)p + 1;
	}
}

static struct counts *pair_get(struct judge *j, const uint8_t src[16], const uint8_t dst[16])
{
	struct pair *p;
	size_t i;

	if (j->pair_count * 2 >= j->slot_count)
		slots_rebuild(j);
	for (i = hash16(dst, hash16(src, 1)) & (j->slot_count - 1); j->slots[i]; i = (i + 1) & (j->slot_count - 1)) {
		p = &j->pairs[j->slots[i] - 1];
		if (!memcmp(p->src, src, 16) && !memcmp(p->dst, dst, 16))
			return &p->n;
	}
	if (j->pair_count == j->pair_room) {
		j->pair_room = j->pair_room ? j->pair_room * 2 : 64;
		j->pairs = must(realloc(j->pairs, j->pair_room * sizeof(j->pairs[0])));
	}
	p = &j->pairs[j->pair_count++];
	memset(p, 0, sizeof(*p));
	memcpy(p->src, src, 16);
	memcpy(p->dst, dst, 16);
	j->slots[i] = (uint32_t)j->pair_count;
	return &p->n;
}

static void count(struct counts *n, const struct packet *k)
{
	bool sealed = k->kind == KIND_ESP || k->kind == KIND_UDPESP;

	n->kind[k->kind]++;
	n->marker += k->marker;
	n->espdup += k->espdup;
	n->truncated += k->truncated;
	if (k->kind == KIND_CLEAR) {
		n->proto[k->proto]++;
		n->plain += !k->marker;
		n->first_clear_ns = n->first_clear_ns ? n->first_clear_ns : k->mono_ns;
		n->last_clear_ns = k->mono_ns;
	}
	if (sealed) {
		n->first_sealed_ns = n->first_sealed_ns ? n->first_sealed_ns : k->mono_ns;
		n->last_sealed_ns = k->mono_ns;
	}
}

static const char *address(const uint8_t a[16], char text[INET6_ADDRSTRLEN])
{
	struct in6_addr in;

	memcpy(&in, a, 16);
	if (IN6_IS_ADDR_V4MAPPED(&in))
		inet_ntop(AF_INET, a + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a, text, INET6_ADDRSTRLEN);
	return text;
}

static void list_packet(const struct packet *k)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	printf("%lld %s %s %s%s proto=%u len=%u sport=%u dport=%u spi=0x%x seq=%u\n", (long long)k->mono_ns,
	       address(k->src, src), address(k->dst, dst), kind_names[k->kind], k->marker ? "+marker" : "", k->proto,
	       k->len, k->sport, k->dport, k->spi, k->seq);
}

static bool wanted(const struct judge *j, const struct packet *k)
{
	if (k->mono_ns < j->after_ns)
		return false;
	return !j->one_pair || (!memcmp(k->src, j->a, 16) && !memcmp(k->dst, j->b, 16)) ||
	       (!memcmp(k->src, j->b, 16) && !memcmp(k->dst, j->a, 16));
}

static void packet_judge(struct judge *j, int link, const struct pcap_pkthdr *h, const uint8_t *p)
{
	struct packet k = { .len = h->len };

	/* Opened with nanosecond precision: tv_usec holds nanoseconds. */
	k.mono_ns = (int64_t)h->ts.tv_sec * 1000000000 + h->ts.tv_usec + j->mono_minus_real_ns;
	if (!packet_parse(&k, link, p, h->caplen))
		die("link type", pcap_datalink_val_to_name(link));
	k.marker = memmem(p, h->caplen, j->marker, strlen(j->marker)) != NULL;
	if (!wanted(j, &k))
		return;
	if (k.spi)
		k.espdup = esp_note(j, hash16(k.dst, (uint64_t)k.spi << 32 | k.seq));
	j->packets++;
	count(&j->total, &k);
	if (k.kind != KIND_ARP && k.kind != KIND_OTHER)
		count(pair_get(j, k.src, k.dst), &k);
	if (j->list)
		list_packet(&k);
}

/* FILE.stats, written by hfcap; a capture of another program has none. */
static void stats_read(struct judge *j, const char *file)
{
	char path[4096], key[64];
	long long value;
	FILE *f;

	snprintf(path, sizeof(path), "%s.stats", file);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fscanf(f, "%63s %lld", key, &value) == 2) {
		if (!strcmp(key, "dropped"))
			j->dropped = (uint64_t)value;
		else if (!strcmp(key, "mono_minus_real_ns"))
			j->mono_minus_real_ns = value;
	}
	fclose(f);
}

static void file_judge(struct judge *j, const char *file)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *in = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *h;
	const uint8_t *p;
	int r;

	if (!in)
		die(file, why);
	while ((r = pcap_next_ex(in, &h, &p)) == 1)
		packet_judge(j, pcap_datalink(in), h, p);
	if (r == PCAP_ERROR)
		die(file, pcap_geterr(in));
	pcap_close(in);
}

static void print_counts(const struct counts *n, bool json)
{
	const char *form = json ? ",\"%s\":%llu" : " %s=%llu";
	bool any = false;

	printf(json ? "\"marker\":%llu" : "marker=%llu", (unsigned long long)n->marker);
	printf(form, "plain", (unsigned long long)n->plain);
	for (int i = 0; i < KIND_MAX; i++)
		printf(form, kind_names[i], (unsigned long long)n->kind[i]);
	printf(form, "sealed", (unsigned long long)(n->kind[KIND_ESP] + n->kind[KIND_UDPESP]));
	printf(form, "espdup", (unsigned long long)n->espdup);
	printf(form, "truncated", (unsigned long long)n->truncated);
	if (json)
		printf(",\"first_clear_ns\":%lld,\"last_clear_ns\":%lld,\"first_sealed_ns\":%lld,"
		       "\"last_sealed_ns\":%lld,\"clear_by_proto\":{",
		       (long long)n->first_clear_ns, (long long)n->last_clear_ns, (long long)n->first_sealed_ns,
		       (long long)n->last_sealed_ns);
	else
		printf(" clear-by-protocol=");
	for (int i = 0; i < 256; i++) {
		if (!n->proto[i])
			continue;
		printf(json ? "%s\"%d\":%llu" : "%s%d:%llu", any ? "," : "", i, (unsigned long long)n->proto[i]);
		any = true;
	}
	printf(json ? "}" : any ? "" : "-");
}

static void print(const struct judge *j)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	if (j->json) {
		printf("{\"packets\":%llu,\"dropped\":%llu,\"total\":{", (unsigned long long)j->packets,
		       (unsigned long long)j->dropped);
		print_counts(&j->total, true);
		printf("},\"pairs\":[");
	}
	for (size_t i = 0; i < j->pair_count; i++) {
		const struct pair *p = &j->pairs[i];

		if (!j->json && i == 40) {
			printf("... %zu more pairs\n", j->pair_count - i);
			break;
		}
		printf(j->json ? "%s\n{\"src\":\"%s\",\"dst\":\"%s\"," : "%s%s > %s: ", j->json && i ? "," : "",
		       address(p->src, src), address(p->dst, dst));
		print_counts(&p->n, j->json);
		printf(j->json ? "}" : "\n");
	}
	if (j->json) {
		printf("]}\n");
		return;
	}
	printf("total: packets=%llu dropped=%llu ", (unsigned long long)j->packets, (unsigned long long)j->dropped);
	print_counts(&j->total, false);
	printf("\n");
}

static uint64_t value_of(const struct judge *j, const char *key)
{
	const struct counts *n = &j->total;

	for (int i = 0; i < KIND_MAX; i++)
		if (!strcmp(key, kind_names[i]))
			return n->kind[i];
	if (!strcmp(key, "marker"))
		return n->marker;
	if (!strcmp(key, "plain"))
		return n->plain;
	if (!strcmp(key, "sealed"))
		return n->kind[KIND_ESP] + n->kind[KIND_UDPESP];
	if (!strcmp(key, "espdup"))
		return n->espdup;
	if (!strcmp(key, "truncated"))
		return n->truncated;
	if (!strcmp(key, "packets"))
		return j->packets;
	die(key, "no such count");
	return 0;
}

static bool holds(uint64_t have, const char *op, uint64_t want)
{
	if (!strcmp(op, "="))
		return have == want;
	if (!strcmp(op, ">"))
		return have > want;
	if (!strcmp(op, "<"))
		return have < want;
	if (!strcmp(op, ">="))
		return have >= want;
	if (!strcmp(op, "<="))
		return have <= want;
	die(op, "no such comparison");
	return false;
}

/* "clear=0,esp>0": one line for each that does not hold, and their number. */
static unsigned int expect(const struct judge *j, char *conditions)
{
	unsigned int broken = 0;
	char *next = NULL;

	for (char *c = strtok_r(conditions, ",", &next); c; c = strtok_r(NULL, ",", &next)) {
		char key[32], op[3];
		unsigned long long want;
		int end = 0;

		if (sscanf(c, "%31[a-z]%2[<>=]%llu%n", key, op, &want, &end) != 3 || c[end])
			die(c, "not a condition like clear=0");
		if (holds(value_of(j, key), op, want))
			continue;
		printf("EXPECTED %s, but %s is %llu\n", c, key, (unsigned long long)value_of(j, key));
		broken++;
	}
	if (j->dropped) {
		printf("EXPECTED a whole capture, but %llu packets were dropped by it\n",
		       (unsigned long long)j->dropped);
		broken++;
	}
	return broken;
}

static void address_parse(uint8_t to[16], const char *text)
{
	memset(to, 0, 16);
	if (inet_pton(AF_INET6, text, to) == 1)
		return;
	if (inet_pton(AF_INET, text, to + 12) != 1)
		die(text, "not an address");
	to[10] = to[11] = 0xff;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "marker", required_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },
		{ "pair", required_argument, NULL, 'p' },
		{ "expect", required_argument, NULL, 'e' },
		{ "after", required_argument, NULL, 'a' },
		{ "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct judge j = { .marker = "HOLDFAST-MARKER" };
	char *conditions = NULL;
	int id;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (id) {
		case 'm':
			j.marker = optarg;
			break;
		case 'j':
			j.json = true;
			break;
		case 'l':
			j.list = true;
			break;
		case 'e':
			conditions = optarg;
			break;
		case 'a':
			j.after_ns = strtoll(optarg, NULL, 10);
			break;
		case 'p':
			if (optind >= argc)
				die("--pair", "takes two addresses");
			address_parse(j.a, optarg);
			address_parse(j.b, argv[optind++]);
			j.one_pair = true;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 1 || !*j.marker) {
		fprintf(stderr, "usage: wirejudge [--marker M] [--pair A B] [--after MONOTONIC_NS] [--json] "
				"[--list] [--expect clear=0,esp>0] FILE.pcap\n");
		return 2;
	}
	stats_read(&j, argv[optind]);
	file_judge(&j, argv[optind]);
	if (!j.list)
		print(&j);
	return conditions && expect(&j, conditions);
}
