// SPDX-License-Identifier: Apache-2.0
/*
 * `serve`: UDP and TCP echo on one port, a TCP sink on the next (it answers with the number of bytes
 * at the end of the stream), IPv4 and IPv6 by dual-stack sockets. UDP answers leave from the address
 * that was asked. At SIGTERM, or SIGUSR1 without stopping, it reports per client run what arrived.
 */
#include "probe.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNS_MAX 512
#define SOURCES_MAX 4096

struct source {
	union probe_addr from;
	uint32_t run;
	uint64_t received, unique, duplicates, reordered, seq_max, first_ns, last_ns;
	uint8_t *seen; /* one bit per sequence number */
	uint64_t seen_bits;
};

struct conn {
	int fd;
	bool sink;
	uint64_t received;
	size_t have, done; /* echo: bytes in buffer, bytes of them sent back */
	uint8_t *buffer;
};

struct server {
	const struct probe_options *o;
	int udp, tcp, sink, signals;
	struct source *sources;
	unsigned int source_count;
	uint64_t alien, tcp_accepted, tcp_bytes;
	struct conn conns[CONNS_MAX];
	unsigned int conn_count;
	uint8_t datagram[PROBE_SIZE_MAX + 1];
};

#define ECHO_BUFFER 262144

static int listen_on(int type, uint16_t port)
{
	union probe_addr any = { .in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any } };
	int on = 1, off = 0, big = 32 << 20;
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	addr_set_port(&any, port);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) || bind(fd, &any.sa, sizeof(any.in6)))
		die("serve: bind");
	if (type == SOCK_STREAM) {
		if (listen(fd, 256))
			die("serve: listen");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	/* IPv4 packets on this socket come with a v4-mapped in6_pktinfo. */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)))
		die("serve: IPV6_RECVPKTINFO");
	return fd;
}

static struct source *source_get(struct server *s, const union probe_addr *from, uint32_t run)
{
	for (unsigned int i = s->source_count; i-- > 0;)
		if (s->sources[i].run == run && !memcmp(&s->sources[i].from.in6.sin6_addr, &from->in6.sin6_addr, 16))
			return &s->sources[i];
	if (s->source_count == SOURCES_MAX)
		return NULL;
	s->sources[s->source_count] = (struct source){ .from = *from, .run = run };
	return &s->sources[s->source_count++];
}

/* True when this sequence number was not seen before. */
static bool mark_seen(struct source *src, uint64_t seq)
{
	uint8_t bit = (uint8_t)(1u << (seq & 7));

	if (seq >= src->seen_bits) {
		uint64_t bits = (seq + 65536) & ~(uint64_t)7;
		uint8_t *seen = realloc(src->seen, bits / 8);

		if (!seen)
			die("serve: memory");
		memset(seen + src->seen_bits / 8, 0, (bits - src->seen_bits) / 8);
		src->seen = seen;
		src->seen_bits = bits;
	}
	if (src->seen[seq / 8] & bit)
		return false;
	src->seen[seq / 8] |= bit;
	return true;
}

static void datagram_count(struct server *s, const union probe_addr *from, size_t len)
{
	struct probe_head head;
	struct source *src;

	memcpy(&head, s->datagram, sizeof(head));
	if (len < sizeof(head) || head.magic != PROBE_MAGIC || head.seq > 100000000 ||
	    !(src = source_get(s, from, head.run))) {
		s->alien++;
		return;
	}
	src->last_ns = clock_mono();
	if (!src->received++)
		src->first_ns = src->last_ns;
	if (!mark_seen(src, head.seq)) {
		src->duplicates++;
		return;
	}
	if (src->unique++ && head.seq < src->seq_max)
		src->reordered++;
	else
		src->seq_max = head.seq;
}

static void datagrams_echo(struct server *s)
{
	for (int i = 0; i < 256; i++) {
		union probe_addr from;
		char control[256];
		struct iovec iov = { .iov_base = s->datagram, .iov_len = sizeof(s->datagram) };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from.in6),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(s->udp, &msg, 0);
		struct cmsghdr *c;

		if (len < 0)
			return;
		datagram_count(s, &from, (size_t)len);
		if (s->o->no_echo)
			continue;
		iov.iov_len = (size_t)len;
		/* Answer from the address asked; the route chooses the device. */
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
				((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
		(void)sendmsg(s->udp, &msg, MSG_DONTWAIT);
	}
}

static void conn_accept(struct server *s, int listener)
{
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	if (s->conn_count == CONNS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c = &s->conns[s->conn_count++];
	*c = (struct conn){ .fd = fd, .sink = listener == s->sink, .buffer = malloc(ECHO_BUFFER) };
	if (!c->buffer)
		die("serve: memory");
	s->tcp_accepted++;
}

static void conn_close(struct server *s, struct conn *c)
{
	if (c->sink)
		(void)!write(c->fd, &c->received, sizeof(c->received));
	close(c->fd);
	free(c->buffer);
	*c = s->conns[--s->conn_count];
}

/* One step for a readable or writable connection; false: it is over. */
static bool conn_step(struct server *s, struct conn *c)
{
	ssize_t n;

	if (!c->have) {
		n = read(c->fd, c->buffer, ECHO_BUFFER);
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		c->received += (uint64_t)n;
		s->tcp_bytes += (uint64_t)n;
		if (c->sink)
			return true;
		c->have = (size_t)n;
		c->done = 0;
	}
	n = send(c->fd, c->buffer + c->done, c->have - c->done, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN;
	c->done += (size_t)n;
	if (c->done == c->have)
		c->have = 0;
	return true;
}

static void report(const struct server *s)
{
	FILE *to = s->o->report ? fopen(s->o->report, "w") : stdout;
	char text[INET6_ADDRSTRLEN];

	if (!to)
		die(s->o->report);
	fprintf(to,
		"{\"kind\":\"serve\",\"tcp_accepted\":%llu,\"tcp_bytes\":%llu,\"alien\":%llu,"
		"\"udp\":[",
		(unsigned long long)s->tcp_accepted, (unsigned long long)s->tcp_bytes, (unsigned long long)s->alien);
	for (unsigned int i = 0; i < s->source_count; i++) {
		const struct source *src = &s->sources[i];

		fprintf(to,
			"%s\n{\"from\":\"%s\",\"received\":%llu,\"unique\":%llu,"
			"\"duplicates\":%llu,\"reordered\":%llu,\"seq_max\":%llu,"
			"\"first_ns\":%llu,\"last_ns\":%llu}",
			i ? "," : "", addr_text(&src->from, text), (unsigned long long)src->received,
			(unsigned long long)src->unique, (unsigned long long)src->duplicates,
			(unsigned long long)src->reordered, (unsigned long long)src->seq_max,
			(unsigned long long)src->first_ns, (unsigned long long)src->last_ns);
	}
	fprintf(to, "]}\n");
	if (to == stdout)
		fflush(to);
	else
		fclose(to);
}

/* False: it is time to stop. */
static bool signal_read(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return true;
	report(s);
	return info.ssi_signo == SIGUSR1;
}

static void loop(struct server *s)
{
	struct pollfd p[4 + CONNS_MAX];

	for (;;) {
		unsigned int n = s->conn_count;

		p[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = s->udp, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = s->tcp, .events = POLLIN };
		p[3] = (struct pollfd){ .fd = s->sink, .events = POLLIN };
		for (unsigned int i = 0; i < n; i++)
			p[4 + i] =
				(struct pollfd){ .fd = s->conns[i].fd, .events = s->conns[i].have ? POLLOUT : POLLIN };
		if (poll(p, 4 + n, -1) < 0 && errno != EINTR)
			die("serve: poll");
		/* Backwards, because closing moves the last connection into the gap. */
		for (unsigned int i = n; i-- > 0;)
			if (p[4 + i].revents && !conn_step(s, &s->conns[i]))
				conn_close(s, &s->conns[i]);
		if (p[1].revents)
			datagrams_echo(s);
		if (p[2].revents)
			conn_accept(s, s->tcp);
		if (p[3].revents)
			conn_accept(s, s->sink);
		if (p[0].revents && !signal_read(s))
			return;
	}
}

int serve_main(int argc, char **argv)
{
	static struct server s;
	struct probe_options o;
	sigset_t set;

	if (options_parse(&o, argc, argv, false))
		return 2;
	s.o = &o;
	s.sources = calloc(SOURCES_MAX, sizeof(s.sources[0]));
	if (!s.sources)
		die("serve: memory");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s.udp = listen_on(SOCK_DGRAM, o.port);
	s.tcp = listen_on(SOCK_STREAM, o.port);
	s.sink = listen_on(SOCK_STREAM, (uint16_t)(o.port + 1));
	fprintf(stderr, "serving on port %u\n", o.port);
	loop(&s);
	return 0;
}
