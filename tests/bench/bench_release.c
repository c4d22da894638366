// SPDX-License-Identifier: Apache-2.0
/*
 * The three ends of the release bench (release.sh). `agent` is the whole agent with fixed keys, like tests/net/fixedkey.
 * `kernel` is the least that the kernel's own queue needs: it adds the SAs of each acquire. `peer` adds the SAs of the host
 * that is written to. Keys and SPIs follow from the addresses. Measured without touching what is measured: the calls
 * that hand an SA to the kernel and an event to the agent pass through here and leave a time in memory, and the times
 * are written to a file at the end. Not measured here: when a packet is on the wire, which the capture tells.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "base/siphash.h"
#include "daemon/agent.h"
#include "daemon/run.h"
#include "netlink/netlink.h"

#define STAMPS_MAX 32768

/* One time about one remote address. */
struct stamp {
	const char *what;
	struct hf_addr remote;
	uint64_t value;
};

static struct stamp stamps[STAMPS_MAX];
static size_t stamp_count;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void keep(const char *what, const struct hf_addr *remote, uint64_t value)
{
	if (stamp_count < STAMPS_MAX)
		stamps[stamp_count++] = (struct stamp){ what, *remote, value };
}

static int write_stamps(const char *file)
{
	char text[ADDR_TEXT_MAX];
	FILE *out = fopen(file, "w");

	if (!out) {
		perror(file);
		return 1;
	}
	for (size_t i = 0; i < stamp_count; i++)
		fprintf(out, "%s %s %llu\n", stamps[i].what, addr_format(text, &stamps[i].remote),
			(unsigned long long)stamps[i].value);
	return fclose(out) ? 1 : 0;
}

/* ---- hooks: this program's own definitions are found before the libraries' ---- */

/* The kernel has carried out a request when the call returns; the acknowledgement is only read afterwards. */
ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t len)
{
	static ssize_t (*real)(const struct mnl_socket *, const void *, size_t);
	const struct nlmsghdr *header = request;
	const struct xfrm_usersa_info *sa = mnl_nlmsg_get_payload(header);
	ssize_t sent;

	if (!real)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "mnl_socket_sendto");
	sent = real(socket, request, len);
	if (header->nlmsg_type == XFRM_MSG_NEWSA) {
		uint64_t now = now_ns();
		struct hf_addr to = addr_from_octets(&sa->id.daddr, sa->family == AF_INET ? 4 : 16);

		keep("ready", &to, now);
	}
	return sent;
}

static ring_buffer_sample_fn agent_sample;

static int on_sample(void *ctx, void *data, size_t size)
{
	const struct hf_event *event = data;

	if (size >= sizeof(*event))
		keep("woke", &event->pair.remote, now_ns() - event->time_ns);
	return agent_sample(ctx, data, size);
}

struct ring_buffer *ring_buffer__new(int fd, ring_buffer_sample_fn sample, void *ctx,
				     const struct ring_buffer_opts *options)
{
	struct ring_buffer *(*real)(int, ring_buffer_sample_fn, void *, const struct ring_buffer_opts *) =
		(__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "ring_buffer__new");

	agent_sample = sample;
	return real(fd, on_sample, ctx, options);
}

/* ---- keys ---- */

static const uint8_t seed[SIPHASH_KEY] = "holdfast-bench!";

static uint32_t spi_between(const struct hf_addr *from, const struct hf_addr *to)
{
	const struct hf_addr both[2] = { *from, *to };

	return htonl((uint32_t)siphash_of(seed, both, sizeof(both)) | 0x10000000u);
}

static void fill_key(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 7 + 1);
}

/* Both SAs of a pair, inbound first, as the agent does it. */
static int add_pair(struct netlink *nl, const struct hf_pair *pair, uint32_t reqid)
{
	struct err err = ERR_NONE;

	for (int outbound = 0; outbound < 2; outbound++) {
		const struct hf_addr *src = outbound ? &pair->local : &pair->remote;
		const struct hf_addr *dst = outbound ? &pair->remote : &pair->local;
		struct sa sa = { .src = *src,
				 .dst = *dst,
				 .spi_be = spi_between(src, dst),
				 .reqid = reqid,
				 .algorithm = SA_AES_GCM_16_256,
				 .inbound = !outbound,
				 .esn = true,
				 .replay_window = outbound ? 0 : 256 };

		fill_key(sa.key, sizeof(sa.key));
		if (xfrm_state_add(nl, &sa, &err) < 0) {
			fprintf(stderr, "bench_release: %s\n", err.text);
			return -1;
		}
	}
	return 0;
}

/* ---- agent ---- */

static struct timeval delay;
static struct hf_prefix dead; /* peers that never answer; prefix_len 0 = none */

/* A pair whose keys are on their way. */
struct pending {
	struct agent *agent;
	struct event *timer;
	struct handle peer;
	struct hf_pair pair;
};

static void child_up(struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct core_event event = { .type = EVENT_CHILD_UP, .pair = *pair, .peer = peer };
	struct child *child = &event.up.child;

	event.up.in = event.up.out = true;

	child->algorithm = CHILD_AES_GCM_16_256;
	child->esn = true;
	child->spi_in_be = spi_between(&pair->remote, &pair->local);
	child->spi_out_be = spi_between(&pair->local, &pair->remote);
	fill_key(child->key_in, sizeof(child->key_in));
	fill_key(child->key_out, sizeof(child->key_out));
	agent_event(agent, &event);
}

static void on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct pending *pending = arg;

	(void)fd;
	(void)what;
	child_up(pending->agent, pending->peer, &pending->pair);
	event_free(pending->timer);
	free(pending);
}

static void lookup(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct core_event event = { .type = EVENT_KEY, .peer = peer, .pair = *pair };

	(void)arg;
	if (dead.prefix_len && prefix_contains(&dead, &pair->remote))
		return;
	agent_event(agent, &event);
}

static void negotiate(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair,
		      const struct hf_addr *gateway)
{
	struct pending *pending;

	(void)gateway;
	(void)arg;
	if (!timerisset(&delay)) {
		child_up(agent, peer, pair);
		return;
	}
	pending = malloc(sizeof(*pending));
	if (!pending)
		return;
	*pending = (struct pending){ .agent = agent, .peer = peer, .pair = *pair };
	pending->timer = evtimer_new(agent_base(agent), on_delay, pending);
	evtimer_add(pending->timer, &delay);
}

static void abandon(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)arg;
	(void)agent;
	(void)peer;
	(void)pair;
}

static int run_agent(const char *file, const char *delay_ms, const char *silent)
{
	static const struct keying keying = { .lookup = lookup, .negotiate = negotiate, .abandon = abandon };
	const struct daemon_options options = { .foreground = true };
	int rc;

	delay.tv_usec = atoi(delay_ms) * 1000;
	if (silent && prefix_parse(&dead, silent, NULL) < 0)
		return 2;
	rc = daemon_run(&options, &keying, NULL);
	return write_stamps(file) || rc;
}

/* ---- kernel ---- */

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static struct netlink *room;

static void on_acquire(void *arg, const struct hf_pair *pair, uint32_t reqid)
{
	(void)arg;
	add_pair(room, pair, reqid);
}

static int open_room(const struct netlink_events *events)
{
	struct err err = ERR_NONE;

	if (netlink_open(&room, events, NULL, &err) == 0)
		return 0;
	fprintf(stderr, "bench_release: %s\n", err.text);
	return -1;
}

static int run_kernel(const char *file)
{
	static const struct netlink_events events = { .acquire = on_acquire };
	struct sigaction end = { .sa_handler = on_signal };

	if (open_room(&events) < 0)
		return 1;
	sigaction(SIGTERM, &end, NULL);
	fprintf(stderr, "waiting for acquires\n");
	while (!ended) {
		struct pollfd fd = { .fd = netlink_xfrm_fd(room), .events = POLLIN };

		if (poll(&fd, 1, 1000) > 0)
			netlink_ready(room, fd.fd);
	}
	netlink_close(room);
	return write_stamps(file);
}

/* ---- peer ---- */

static int run_peer(const char *remote, const char *first, const char *count)
{
	static const struct netlink_events none;
	struct hf_pair pair;
	uint32_t low;
	int left = atoi(count), rc = 0;

	if (addr_parse(&pair.remote, remote, NULL) < 0 || addr_parse(&pair.local, first, NULL) < 0 ||
	    open_room(&none) < 0)
		return 1;
	memcpy(&low, pair.local.octet + 12, sizeof(low));
	for (uint32_t n = ntohl(low); left-- > 0 && rc == 0; n++) {
		low = htonl(n);
		memcpy(pair.local.octet + 12, &low, sizeof(low));
		rc = add_pair(room, &pair, NETLINK_REQID_BASE);
	}
	netlink_close(room);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "agent") == 0)
		return run_agent(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "kernel") == 0)
		return run_kernel(argv[2]);
	if (argc == 5 && strcmp(argv[1], "peer") == 0)
		return run_peer(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: bench_release agent STAMPS DELAY-MS | kernel STAMPS | peer REMOTE FIRST-LOCAL COUNT\n");
	return 2;
}
