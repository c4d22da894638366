// SPDX-License-Identifier: Apache-2.0
/*
 * For dns.sh and dns_pace.sh:
 *
 *   bench_dns look RESOLVER ANCHORS IN OUT    one look-up after the other, as the agent makes them, and nothing else: an address is read
 *                                             from IN, "ADDRESS MICROSECONDS OUTCOME" is written to OUT (FIFOs: who waits for it takes
 *                                             no time of the processor)
 *   bench_dns pace RESOLVER ANCHORS PROBE SECONDS RATE
 *                                             RATE look-ups a second, each of another address from 10.80.0.0 on; beside them one of a host with a
 *                                             key 50 times a second, of PROBE and the addresses after it. "probe MICROSECONDS" for each of
 *                                             those, "late MICROSECONDS" for how long the loop had no time for it; at the end what became of
 *                                             the others, and the seconds of processor that loop and resolving took
 *   bench_dns forge RESOLVER HOST COUNT       so many DNS answers of 53 to 53, sent in RESOLVER's name, each with another name and another
 *                                             address in it (raw socket, IPv4, as fast as the kernel takes them)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "discover/seek.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double seconds_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* How often this thread gave its processor away by itself. */
static long sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static int open_seek(struct seek **out, struct event_base *base, const struct hf_addr *resolver, const char *anchors,
		     discover_callback *callback, void *arg)
{
	const struct seek_options options = {
		.dns = { .resolvers = resolver, .resolver_count = 1, .anchors = anchors },
		.callback = callback,
		.arg = arg,
	};
	struct err err = ERR_NONE;
	int rc = base ? seek_open(out, &options, base, &err) : -ENOMEM;

	if (rc < 0)
		fprintf(stderr, "bench_dns: %s\n", err.text);
	return rc;
}

/* ---- look ------------------------------------------------------------------------------------- */

struct look {
	struct event_base *base;
	FILE *out;
	uint64_t began_ns;
};

static void on_looked(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct look *look = arg;
	char text[ADDR_TEXT_MAX];

	(void)question;
	fprintf(look->out, "%s %.1f %s\n", addr_format(text, addr), (double)(now_ns() - look->began_ns) / 1e3,
		answer->outcome == DISCOVER_KEYS ? "keys" : answer->reason);
	fflush(look->out);
	event_base_loopexit(look->base, NULL);
}

static int look_main(const struct hf_addr *resolver, const char *anchors, char **argv)
{
	/* For both ways: a FIFO is opened whether anybody has the other end or not. */
	FILE *in = fopen(argv[0], "r+");
	struct look look = { .base = event_base_new(), .out = fopen(argv[1], "r+") };
	char line[ADDR_TEXT_MAX + 2];
	struct hf_addr addr;
	struct seek *seek;

	if (!in || !look.out || open_seek(&seek, look.base, resolver, anchors, on_looked, &look) < 0)
		return 1;
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (addr_parse(&addr, line, NULL) < 0)
			break;
		look.began_ns = now_ns();
		seek_ask(seek, 0, &addr);
		event_base_dispatch(look.base);
	}
	seek_close(seek);
	return 1;
}

/* ---- pace ------------------------------------------------------------------------------------- */

#define TICK_US 1000
#define PROBE_US 20000
#define CROWD UINT64_MAX /* question of whoever is no probe */

struct pace {
	struct event_base *base;
	struct seek *seek;
	struct event *tick, *probe;
	struct hf_addr probe_addr;
	unsigned int seconds, rate;
	uint64_t began_ns, probe_due_ns;
	uint64_t asked, keys, no_key, failed;
	uint64_t held_up; /* questions that this thread slept in */
	bool over;
};

static struct hf_addr addr_after(const struct hf_addr *addr, uint32_t by)
{
	struct hf_addr next = *addr;
	uint32_t low;

	memcpy(&low, &next.octet[12], sizeof(low));
	low = htonl(ntohl(low) + by);
	memcpy(&next.octet[12], &low, sizeof(low));
	return next;
}

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct pace *pace = arg;

	(void)addr;
	if (question != CROWD)
		printf("probe %.1f%s\n", (double)(now_ns() - question) / 1e3,
		       answer->outcome == DISCOVER_KEYS ? "" : " lost");
	else if (answer->outcome == DISCOVER_KEYS)
		pace->keys++;
	else if (answer->outcome == DISCOVER_NO_KEY)
		pace->no_key++;
	else
		pace->failed++;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct hf_addr first = { .octet = { [10] = 0xff, [11] = 0xff, 10, 80 } };
	struct pace *pace = arg;
	uint64_t due = (now_ns() - pace->began_ns) / 1000 * pace->rate / 1000000;

	(void)fd;
	(void)what;
	while (pace->asked < due) {
		const struct hf_addr addr = addr_after(&first, (uint32_t)pace->asked++);
		long slept = sleeps();

		seek_ask(pace->seek, CROWD, &addr);
		pace->held_up += sleeps() > slept;
	}
}

static void on_probe(evutil_socket_t fd, short what, void *arg)
{
	struct pace *pace = arg;
	uint64_t now = now_ns();
	struct timeval wait = { 0 };

	(void)fd;
	(void)what;
	if (now - pace->began_ns > pace->seconds * UINT64_C(1000000000)) {
		pace->over = true;
		return;
	}
	printf("late %.1f\n", now > pace->probe_due_ns ? (double)(now - pace->probe_due_ns) / 1e3 : 0);
	seek_ask(pace->seek, now, &pace->probe_addr);
	pace->probe_addr = addr_after(&pace->probe_addr, 1);
	pace->probe_due_ns += PROBE_US * UINT64_C(1000);
	if (pace->probe_due_ns > now_ns())
		wait.tv_usec = (suseconds_t)((pace->probe_due_ns - now_ns()) / 1000);
	event_add(pace->probe, &wait);
}

/* Nanoseconds that this thread could have gone on and had no processor. */
static uint64_t starved_ns(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "r");
	unsigned long long ran, starved = 0;

	if (file && fscanf(file, "%llu %llu", &ran, &starved) != 2)
		starved = 0;
	if (file)
		fclose(file);
	return starved;
}

/* Goes on until the time is over. "turn MICROSECONDS" of processor for each turn of the loop. */
static void run_pace(struct pace *pace)
{
	while (!pace->over) {
		double began = seconds_of(RUSAGE_THREAD);

		event_base_loop(pace->base, EVLOOP_ONCE);
		printf("turn %.1f\n", (seconds_of(RUSAGE_THREAD) - began) * 1e6);
	}
}

static int pace_main(const struct hf_addr *resolver, const char *anchors, char **argv)
{
	const struct timeval tick = { .tv_usec = TICK_US }, probe = { .tv_usec = PROBE_US };
	struct pace pace = { .base = event_base_new(),
			     .seconds = (unsigned int)strtoul(argv[1], NULL, 10),
			     .rate = (unsigned int)strtoul(argv[2], NULL, 10) };
	double took, loop, all;
	uint64_t starved;

	if (addr_parse(&pace.probe_addr, argv[0], NULL) < 0 ||
	    open_seek(&pace.seek, pace.base, resolver, anchors, on_answer, &pace) < 0)
		return 1;
	pace.tick = event_new(pace.base, -1, EV_PERSIST, on_tick, &pace);
	pace.probe = evtimer_new(pace.base, on_probe, &pace);
	pace.began_ns = now_ns();
	pace.probe_due_ns = pace.began_ns + PROBE_US * UINT64_C(1000);
	event_add(pace.tick, &tick);
	event_add(pace.probe, &probe);
	loop = seconds_of(RUSAGE_THREAD);
	all = seconds_of(RUSAGE_SELF);
	starved = starved_ns();
	run_pace(&pace);
	starved = starved_ns() - starved;
	took = (double)(now_ns() - pace.began_ns) / 1e9;
	printf("{\"seconds\":%.3f,\"asked\":%llu,\"keys\":%llu,\"no_key\":%llu,\"failed\":%llu,\"loop_s\":%.3f,"
	       "\"all_s\":%.3f,\"starved_s\":%.3f,\"held_up\":%llu}\n",
	       took, (unsigned long long)pace.asked, (unsigned long long)pace.keys, (unsigned long long)pace.no_key,
	       (unsigned long long)pace.failed, seconds_of(RUSAGE_THREAD) - loop, seconds_of(RUSAGE_SELF) - all,
	       (double)starved / 1e9, (unsigned long long)pace.held_up);
	fflush(stdout);
	seek_close(pace.seek);
	event_free(pace.tick);
	event_free(pace.probe);
	event_base_free(pace.base);
	return 0;
}

/* ---- forge ------------------------------------------------------------------------------------ */

/* QR RD RA, one question for A of hNNNNNNN.flood.lab, one answer to it, for 300 s. */
static const char message[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
			      "\10h0000000\5flood\3lab\0\0\1\0\1"
			      "\xc0\14\0\1\0\1\0\0\1\x2c\0\4\12\0\0";

#define DIGITS_AT 14
#define DIGITS 7
#define ADDRESS_AT (sizeof(message) - 4) /* the 0 that ends the text is its last octet */

struct forged {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t dns[sizeof(message)];
};

static int forge_main(const char *resolver, const char *host, unsigned int count)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct forged packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(sizeof(packet)) },
		.udp = { .source = htons(53), .dest = htons(53), .len = htons(sizeof(packet) - sizeof(struct iphdr)) },
	};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	unsigned int sent = 0;
	uint64_t began_ns = now_ns();

	if (fd < 0 || inet_pton(AF_INET, resolver, &packet.ip.saddr) != 1 ||
	    inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		fprintf(stderr, "bench_dns: forge: %s\n", fd < 0 ? strerror(errno) : "RESOLVER and HOST are IPv4");
		return 1;
	}
	packet.ip.daddr = to.sin_addr.s_addr;
	memcpy(packet.dns, message, sizeof(message));
	for (unsigned int i = 0; i < count; i++) {
		char digits[DIGITS + 1];
		uint32_t address = htonl(0x0a800000u + i);

		snprintf(digits, sizeof(digits), "%0*u", DIGITS, i % 10000000u);
		memcpy(packet.dns + DIGITS_AT, digits, DIGITS);
		memcpy(packet.dns + ADDRESS_AT, &address, sizeof(address));
		sent += sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) > 0;
	}
	printf("{\"sent\":%u,\"seconds\":%.3f}\n", sent, (double)(now_ns() - began_ns) / 1e9);
	close(fd);
	return sent < count;
}

int main(int argc, char **argv)
{
	struct hf_addr resolver;

	if (argc == 6 && strcmp(argv[1], "look") == 0 && addr_parse(&resolver, argv[2], NULL) == 0)
		return look_main(&resolver, argv[3], &argv[4]);
	if (argc == 7 && strcmp(argv[1], "pace") == 0 && addr_parse(&resolver, argv[2], NULL) == 0)
		return pace_main(&resolver, argv[3], &argv[4]);
	if (argc == 5 && strcmp(argv[1], "forge") == 0)
		return forge_main(argv[2], argv[3], (unsigned int)strtoul(argv[4], NULL, 10));
	fprintf(stderr,
		"usage: bench_dns look RESOLVER ANCHORS IN OUT | pace RESOLVER ANCHORS PROBE SECONDS RATE | forge RESOLVER HOST COUNT\n");
	return 2;
}
