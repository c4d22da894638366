// SPDX-License-Identifier: Apache-2.0
/*
 * `strangers`: IKE_SA_INIT requests in the names of --hosts consecutive sites (IPv4 /24, IPv6 /48, from --src on), each with an SPI
 * and a nonce of its own, as anybody can send them who does not wait for an answer. The offer is a good one: an engine without bounds would
 * remember each. At --rate, until SIGTERM at the latest.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <signal.h>
#include <string.h>

/* RFC 7296 3.1 to 3.9, wire order: HDR, SA, KE, Ni, V. */
struct init {
	uint8_t spi_i[8], spi_r[8];
	uint8_t next, version, exchange, flags;
	uint32_t mid, length;
	uint8_t sa[40], ke_head[8], ke[32], ni_head[4], ni[32], vendor[120];
} __attribute__((packed));

static const struct init request = {
	.next = 33,
	.version = 0x20,
	.exchange = 34,
	.flags = 0x08,
	/* AES-GCM-16 with 256 bits, PRF HMAC-SHA-256, X25519 */
	.sa = { 34,   0,  0, 40, 0, 0, 0, 36, 1, 1, 0, 3, 3, 0, 0, 12, 1, 0, 0, 20,
		0x80, 14, 1, 0,	 3, 0, 0, 8,  2, 0, 0, 5, 0, 0, 0, 8,  4, 0, 0, 31 },
	.ke_head = { 40, 0, 0, 40, 0, 31 },
	.ni_head = { 43, 0, 0, 36 },
	.vendor = { 0, 0, 0, 120 },
};

static volatile sig_atomic_t is_over;

static void on_term(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

static uint32_t sum_of(const void *octets, size_t len, uint32_t sum)
{
	const uint8_t *at = octets;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* The nth message with its UDP header. */
static void write_udp(uint8_t out[sizeof(struct udphdr) + sizeof(struct init)], uint32_t n)
{
	struct udphdr udp = { .source = htons(500), .dest = htons(500) };
	struct init init = request;
	uint64_t word = n + 1;

	for (size_t i = 0; i < sizeof(init.spi_i); i++)
		init.spi_i[i] = (uint8_t)((word *= 6364136223846793005u) >> 56 | 1);
	for (size_t i = 0; i < sizeof(init.ke); i++) {
		init.ke[i] = (uint8_t)((word *= 6364136223846793005u) >> 56);
		init.ni[i] = (uint8_t)(init.ke[i] ^ 0x5a);
	}
	init.length = htonl(sizeof(init));
	udp.len = htons(sizeof(udp) + sizeof(init));
	memcpy(out, &udp, sizeof(udp));
	memcpy(out + sizeof(udp), &init, sizeof(init));
}

static size_t write_v4(uint8_t *out, const struct probe_options *o, uint32_t n)
{
	struct ip ip = { .ip_v = 4, .ip_hl = 5, .ip_ttl = 64, .ip_p = IPPROTO_UDP, .ip_dst = o->to.in.sin_addr };
	size_t len = sizeof(struct udphdr) + sizeof(struct init);

	ip.ip_src.s_addr = htonl(ntohl(o->from.in.sin_addr.s_addr) + (n % o->hosts << 8));
	ip.ip_len = htons((uint16_t)(sizeof(ip) + len));
	memcpy(out, &ip, sizeof(ip)); /* the kernel makes its sum; UDP may have none */
	write_udp(out + sizeof(ip), n);
	return sizeof(ip) + len;
}

static size_t write_v6(uint8_t *out, const struct probe_options *o, uint32_t n)
{
	struct ip6_hdr ip = { .ip6_src = o->from.in6.sin6_addr, .ip6_dst = o->to.in6.sin6_addr };
	size_t len = sizeof(struct udphdr) + sizeof(struct init);
	uint8_t *udp = out + sizeof(ip);
	uint16_t sum;

	ip.ip6_vfc = 0x60;
	ip.ip6_plen = htons((uint16_t)len);
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = 64;
	ip.ip6_src.s6_addr[4] = (uint8_t)(n % o->hosts >> 8);
	ip.ip6_src.s6_addr[5] = (uint8_t)(n % o->hosts);
	memcpy(out, &ip, sizeof(ip));
	write_udp(udp, n);
	sum = folded(sum_of(udp, len, sum_of(&ip.ip6_src, 32, IPPROTO_UDP + (uint32_t)len)));
	memcpy(udp + offsetof(struct udphdr, check), &sum, sizeof(sum));
	return sizeof(ip) + len;
}

/* So many go into one system call, which is as fast as the kernel takes them; at a --rate, those of a millisecond. */
#define BATCH 64
#define TURN_NS 1000000

struct batch {
	struct mmsghdr message[BATCH];
	struct iovec part[BATCH];
	uint8_t packet[BATCH][sizeof(struct ip6_hdr) + sizeof(struct udphdr) + sizeof(struct init)];
};

static void batch_fill(struct batch *batch, struct probe_options *o, uint32_t first, unsigned int count)
{
	bool v4 = o->to.sa.sa_family == AF_INET;

	for (unsigned int i = 0; i < count; i++) {
		uint8_t *at = batch->packet[i];

		batch->part[i].iov_base = at;
		batch->part[i].iov_len = v4 ? write_v4(at, o, first + i) : write_v6(at, o, first + i);
		batch->message[i].msg_hdr = (struct msghdr){ .msg_name = &o->to.sa,
							     .msg_namelen = addr_len(&o->to),
							     .msg_iov = &batch->part[i],
							     .msg_iovlen = 1 };
	}
}

/* How many are due after the first `sent`, at least one and at most a batch. */
static unsigned int wait_due(const struct probe_options *o, uint64_t start, unsigned int sent)
{
	uint64_t next = start + (uint64_t)sent * 1000000000u / o->rate, due;

	if (o->rate > 1000000000u / TURN_NS)
		next += TURN_NS;
	clock_sleep_until(next);
	due = (clock_mono() - start) * o->rate / 1000000000u;
	return due <= sent ? 1 : due - sent < BATCH ? (unsigned int)(due - sent) : BATCH;
}

int strangers_main(int argc, char **argv)
{
	static struct batch batch;
	struct probe_errors errors = { .total = 0 };
	struct probe_options o;
	unsigned int sent = 0;
	uint64_t start;
	int fd;

	if (options_parse(&o, argc, argv, true))
		return 2;
	if (o.from.sa.sa_family != o.to.sa.sa_family) {
		fprintf(stderr, "hfprobe strangers: --src is wanted, of the same family\n");
		return 2;
	}
	addr_set_port(&o.to, 0);
	fd = socket(o.to.sa.sa_family, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0)
		die("raw socket");
	signal(SIGTERM, on_term);
	start = clock_mono();
	for (unsigned int i = 0, count; i < o.count && !is_over; i += count) {
		int taken;

		count = o.rate ? wait_due(&o, start, i) : BATCH;
		count = o.count - i < count ? o.count - i : count;
		batch_fill(&batch, &o, i, count);
		taken = sendmmsg(fd, batch.message, count, 0);
		if (taken < 0)
			errors_count(&errors, errno);
		else
			sent += (unsigned int)taken;
	}
	printf("{\"kind\":\"strangers\",\"asked\":%u,\"sent\":%u,\"seconds\":%.3f,", o.count, sent,
	       (double)(clock_mono() - start) / 1e9);
	errors_print(&errors, stdout);
	printf("}\n");
	return o.strict && errors.total;
}
