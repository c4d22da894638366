// SPDX-License-Identifier: Apache-2.0
/*
 * `udp` and `ping`: send numbered packets, match the answers, and say what was lost, doubled, out of
 * order, and how long it took to the microsecond. Both are one engine; ping puts an ICMP header in
 * front of the payload.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define MISSING_SAID 16

struct echo {
	const struct probe_options *o;
	const char *kind;
	int fd;
	bool icmp;
	uint32_t run;
	uint16_t id;	   /* ICMP identifier, network order */
	uint16_t *answers; /* per sequence number */
	uint64_t *took_ns; /* of first answers, in order of arrival */
	unsigned int sent, received, duplicates, reordered, bad;
	uint64_t seq_max; /* highest answered so far */
	uint64_t first_send_ns, first_recv_ns;
	struct probe_errors errors;
	uint8_t buffer[PROBE_SIZE_MAX + 1];
};

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t packet_build(struct echo *e, uint8_t *at, uint64_t seq)
{
	struct icmphdr *icmp = (struct icmphdr *)at; /* the same eight bytes in ICMPv6 */
	bool v6 = e->o->to.sa.sa_family == AF_INET6;

	if (!e->icmp) {
		payload_fill(at, e->o->size, e->o->marker, e->run, seq);
		return e->o->size;
	}
	*icmp = (struct icmphdr){ .type = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
				  .un.echo = { .id = e->id, .sequence = htons((uint16_t)seq) } };
	payload_fill(at + sizeof(*icmp), e->o->size, e->o->marker, e->run, seq);
	if (!v6)
		icmp->checksum = checksum(at, sizeof(*icmp) + e->o->size);
	return sizeof(*icmp) + e->o->size;
}

/* One sendmsg: one packet, or with --gso several that the kernel cuts. */
static void packets_send(struct echo *e)
{
	unsigned int n = 1;
	size_t len = 0;
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec iov = { .iov_base = e->buffer };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union probe_addr to = addr_nth(&e->o->to, e->sent % e->o->hosts);

	if (e->o->gso && !e->icmp) {
		n = e->o->gso;
		if (n > e->o->count - e->sent)
			n = e->o->count - e->sent;
		if (n * e->o->size > PROBE_SIZE_MAX)
			n = PROBE_SIZE_MAX / e->o->size;
	}
	for (unsigned int i = 0; i < n; i++)
		len += packet_build(e, e->buffer + len, e->sent + i);
	iov.iov_len = len;
	if (!e->o->connected) {
		/* A raw IPv6 socket takes the port for a protocol number. */
		if (e->icmp)
			addr_set_port(&to, 0);
		msg.msg_name = &to;
		msg.msg_namelen = addr_len(&to);
	}
	if (n > 1) {
		uint16_t segment = (uint16_t)e->o->size;
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(segment));
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	}
	if (!e->first_send_ns)
		e->first_send_ns = clock_mono();
	if (sendmsg(e->fd, &msg, 0) < 0)
		errors_count(&e->errors, errno);
	e->sent += n;
}

/* The payload of an answer to us, or NULL. */
static const uint8_t *answer_payload(const struct echo *e, ssize_t *len)
{
	const uint8_t *p = e->buffer;
	const struct icmphdr *icmp;
	bool v6 = e->o->to.sa.sa_family == AF_INET6;

	if (!e->icmp)
		return p;
	if (!v6) {
		size_t ip_len = (size_t)(p[0] & 15) * 4;

		p += ip_len;
		*len -= (ssize_t)ip_len;
	}
	icmp = (const struct icmphdr *)p;
	*len -= (ssize_t)sizeof(*icmp);
	if (*len < 0 || icmp->type != (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) || icmp->un.echo.id != e->id)
		return NULL;
	return p + sizeof(*icmp);
}

static void answer_count(struct echo *e, ssize_t len, uint64_t now)
{
	const uint8_t *p = answer_payload(e, &len);
	struct probe_head head;
	uint8_t want[PROBE_SIZE_MAX];

	if (!p || len < (ssize_t)sizeof(head))
		return;
	memcpy(&head, p, sizeof(head));
	if (head.magic != PROBE_MAGIC || head.run != e->run)
		return;
	payload_fill(want, e->o->size, e->o->marker, 0, 0);
	if (head.seq >= e->sent || len != (ssize_t)e->o->size ||
	    memcmp(p + sizeof(head), want + sizeof(head), e->o->size - sizeof(head))) {
		e->bad++;
		return;
	}
	if (e->answers[head.seq]++) {
		e->duplicates++;
		return;
	}
	if (!e->first_recv_ns)
		e->first_recv_ns = now;
	if (e->received && head.seq < e->seq_max)
		e->reordered++;
	else
		e->seq_max = head.seq;
	e->took_ns[e->received++] = now - head.sent_ns;
}

/* Read what is there, waiting for the first packet until the given time at most. */
static void answers_read(struct echo *e, uint64_t until)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN };
	uint64_t now = clock_mono();
	uint64_t left = until > now ? until - now : 0;
	struct timespec t = { .tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u) };

	if (ppoll(&p, 1, &t, NULL) <= 0)
		return;
	for (int i = 0; i < 64; i++) {
		ssize_t len = recv(e->fd, e->buffer, sizeof(e->buffer), MSG_DONTWAIT);

		if (len >= 0) {
			answer_count(e, len, clock_mono());
			continue;
		}
		if (errno == EAGAIN)
			break;
		errors_count(&e->errors, errno);
		if (e->o->recverr) {
			char control[512];
			struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };

			(void)recvmsg(e->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
		}
	}
}

static int earlier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The first of them are enough to find out why. */
static void missing_print(const struct echo *e)
{
	unsigned int said = 0;

	printf("\"missing\":[");
	for (unsigned int seq = 0; seq < e->sent && said < MISSING_SAID; seq++)
		if (!e->answers[seq])
			printf("%s%u", said++ ? "," : "", seq);
	printf("],");
}

static void print(struct echo *e)
{
	unsigned int n = e->received;

	qsort(e->took_ns, n, sizeof(e->took_ns[0]), earlier);
	printf("{\"kind\":\"%s\",\"sent\":%u,\"received\":%u,\"lost\":%u,\"duplicates\":%u,"
	       "\"reordered\":%u,\"bad\":%u,",
	       e->kind, e->sent, n, e->sent - n, e->duplicates, e->reordered, e->bad);
	if (n)
		printf("\"first_reply_us\":%.1f,\"p50_us\":%.1f,\"max_us\":%.1f,",
		       (double)(e->first_recv_ns - e->first_send_ns) / 1e3, (double)e->took_ns[n / 2] / 1e3,
		       (double)e->took_ns[n - 1] / 1e3);
	else
		printf("\"first_reply_us\":null,\"p50_us\":null,\"max_us\":null,");
	printf("\"first_send_ns\":%llu,\"first_recv_ns\":%llu,", (unsigned long long)e->first_send_ns,
	       (unsigned long long)e->first_recv_ns);
	missing_print(e);
	errors_print(&e->errors, stdout);
	printf("}\n");
}

/* Several processes start at the same instant: when whoever holds the lock gives it back. */
static void wait_for_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	fprintf(stderr, "waiting\n");
	if (fd < 0 || flock(fd, LOCK_SH))
		die(path);
	close(fd);
}

static int echo_run(struct echo *e)
{
	const struct probe_options *o = e->o;
	uint64_t last, complete = 0;

	e->run = (uint32_t)getpid() << 16 ^ (uint32_t)clock_mono();
	e->answers = calloc(o->count + 1, sizeof(e->answers[0]));
	e->took_ns = calloc(o->count + 1, sizeof(e->took_ns[0]));
	if (!e->answers || !e->took_ns)
		die("memory");
	if (o->connected && connect(e->fd, &o->to.sa, addr_len(&o->to)))
		die("connect");

	enough_on_signal();
	if (o->after)
		wait_for_lock(o->after);
	for (uint64_t due = clock_mono(); e->sent < o->count && !is_enough(); due += o->interval_ns) {
		while (clock_mono() < due)
			answers_read(e, due);
		packets_send(e);
		answers_read(e, 0);
	}
	last = clock_mono();
	while (clock_mono() < last + o->wait_ns) {
		if (e->received == e->sent && !complete)
			complete = clock_mono();
		if (complete && clock_mono() >= complete + o->linger_ns)
			break;
		answers_read(e, complete ? complete + o->linger_ns : last + o->wait_ns);
	}
	print(e);
	if (o->strict && e->reordered)
		return 1;
	return (o->strict || o->complete) && (e->received != e->sent || e->duplicates || e->bad || e->errors.total);
}

int udp_main(int argc, char **argv)
{
	static struct echo e;
	struct probe_options o;

	if (options_parse(&o, argc, argv, true))
		return 2;
	e = (struct echo){ .o = &o, .kind = "udp" };
	e.fd = socket_open(&o, SOCK_DGRAM, 0);
	return echo_run(&e);
}

int ping_main(int argc, char **argv)
{
	static struct echo e;
	struct probe_options o;

	if (options_parse(&o, argc, argv, true))
		return 2;
	if (o.count > UINT16_MAX) {
		fprintf(stderr, "hfprobe ping: at most %d packets\n", UINT16_MAX);
		return 2;
	}
	if (o.connected)
		addr_set_port(&o.to, 0);
	e = (struct echo){ .o = &o, .kind = "ping", .icmp = true, .id = (uint16_t)getpid() };
	e.fd = socket_open(&o, SOCK_RAW, o.to.sa.sa_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	return echo_run(&e);
}
