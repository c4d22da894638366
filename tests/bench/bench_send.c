// SPDX-License-Identifier: Apache-2.0
/*
 * One datagram to each of N consecutive addresses, one after the other: send, wait for the echo, pause, next. Prints
 * "sent ADDRESS SENT ANSWERED" in CLOCK_MONOTONIC nanoseconds for each, ANSWERED 0 when none came within 3 s. A pair is
 * fresh when nothing was sent to its address before, so each address is used once. The pause lets the other side go idle, so
 * that every first packet meets an agent that sleeps.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 7007
#define WAIT_MS 3000
#define PAUSE_NS 8000000
#define SIZE 64

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static int address_parse(union address *out, const char *text)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(PORT);
		return 0;
	}
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons(PORT);
	return inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1 ? 0 : -1;
}

/* The n-th address after the first: addition in the last 32 bits of either family. */
static union address nth(const union address *first, uint32_t n)
{
	union address a = *first;
	uint32_t *low = a.sa.sa_family == AF_INET ? &a.in.sin_addr.s_addr : &a.in6.sin6_addr.s6_addr32[3];

	*low = htonl(ntohl(*low) + n);
	return a;
}

static const char *address_text(const union address *a, char out[INET6_ADDRSTRLEN])
{
	return a->sa.sa_family == AF_INET ? inet_ntop(AF_INET, &a->in.sin_addr, out, INET6_ADDRSTRLEN)
					  : inet_ntop(AF_INET6, &a->in6.sin6_addr, out, INET6_ADDRSTRLEN);
}

static void one(int fd, const union address *to)
{
	char text[INET6_ADDRSTRLEN], data[SIZE] = "HOLDFAST-MARKER";
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint64_t sent = now_ns(), answered = 0;

	if (sendto(fd, data, sizeof(data), 0, &to->sa, address_len(to)) < 0)
		perror("bench_send: sendto");
	else if (poll(&wait, 1, WAIT_MS) > 0 && recv(fd, data, sizeof(data), 0) > 0)
		answered = now_ns();
	printf("sent %s %llu %llu\n", address_text(to, text), (unsigned long long)sent, (unsigned long long)answered);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	union address first;

	if (argc != 4 || address_parse(&first, argv[1])) {
		fprintf(stderr, "usage: bench_send ADDRESS FROM COUNT\n");
		return 2;
	}
	for (unsigned int i = (unsigned int)atoi(argv[2]), end = i + (unsigned int)atoi(argv[3]); i < end; i++) {
		const union address to = nth(&first, i);
		/* A socket each: a late answer of the one before must not count as this one's. */
		int fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0) {
			perror("bench_send: socket");
			return 1;
		}
		one(fd, &to);
		close(fd);
		nanosleep(&pause, NULL);
	}
	return 0;
}
