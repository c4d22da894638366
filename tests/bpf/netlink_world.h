// SPDX-License-Identifier: Apache-2.0
/*
 * A network namespace for each test of the netlink room, and the `ip` command as the witness and as the
 * somebody else: what it prints and does does not go through our encoder. For test_netlink*.c only.
 */
#ifndef TEST_NETLINK_WORLD_H
#define TEST_NETLINK_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "netlink/netlink.h"

/* The two hosts of most tests. */
#define HERE "10.9.0.1"
#define THERE "10.9.0.2"
#define HERE6 "2001:db8::1"
#define THERE6 "2001:db8::2"

#define REQID (NETLINK_REQID_BASE + 5)

static inline struct hf_addr addr_of(const char *text)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	return addr;
}

static inline struct hf_pair pair_of(const char *local, const char *remote)
{
	return (struct hf_pair){ addr_of(local), addr_of(remote) };
}

/* run gives a command line to the shell, in the namespace of the calling thread. Its exit status. */
__attribute__((format(printf, 1, 2))) static inline int run(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return system(line);
}

/* output_of is what a command prints; valid until the next call. */
static inline const char *output_of(const char *line)
{
	static char text[32768];
	FILE *pipe = popen(line, "r");
	size_t len;

	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	pclose(pipe);
	return text;
}

static inline unsigned int count_in(const char *text, const char *needle)
{
	unsigned int count = 0;

	for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
		count++;
	return count;
}

#define assert_in(text, needle)                                             \
	do {                                                                \
		const char *text_ = (text);                                 \
		if (!strstr(text_, needle))                                 \
			fail_msg("\"%s\" is not in \"%s\"", needle, text_); \
	} while (0)

/* done asserts success and prints the reason when there was none. */
#define done(rc, err)                                        \
	do {                                                 \
		int rc_ = (rc);                              \
		if (rc_)                                     \
			fail_msg("%d: %s", rc_, (err).text); \
	} while (0)

static inline int world_enter_new(void)
{
	int ns, v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* IPv6 may be a module that comes with the first socket. */
	close(v6);
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("no network namespace: these tests need root");
	assert_int_equal(run("ip link set lo up"), 0);
	ns = open("/proc/self/ns/net", O_RDONLY);
	assert_true(ns >= 0);
	return ns;
}

/* world_skips_esp tells why an SA cannot be tested on this kernel, or is false. Asked once. */
static inline bool world_skips_esp(void)
{
	static int esp = 1;

	if (esp == 1) {
		struct netlink_probe probe;
		struct err err = ERR_NONE;

		done(netlink_probe(&probe, &err), err);
		esp = probe.esp4 ? probe.esp4 : probe.aes_gcm;
	}
	if (esp)
		print_message("skipped: this kernel has no ESP with AES-GCM: %s\n", strerror(-esp));
	return esp != 0;
}

/* An AES-GCM-128 SA with a fixed key; the tests change what they are about. */
static inline struct sa sa_of(const char *src, const char *dst, uint32_t spi, bool inbound)
{
	struct sa sa = {
		.src = addr_of(src),
		.dst = addr_of(dst),
		.spi_be = htonl(spi),
		.reqid = REQID,
		.mode = SA_MODE_TRANSPORT,
		.algorithm = SA_AES_GCM_16_128,
		.inbound = inbound,
		.esn = true,
		.replay_window = 128,
	};

	for (size_t i = 0; i < sizeof(sa.key); i++)
		sa.key[i] = (uint8_t)(i * 7 + spi);
	return sa;
}

static const enum policy_dir all_dirs[] = { POLICY_IN, POLICY_OUT, POLICY_FWD };

/* What the events said: how often, and the last one. */
struct seen {
	unsigned int acquires, expiries, moves, gone, links, links_gone, added, removed, lost;
	struct hf_pair pair;
	struct hf_addr dst, addr, broadcast;
	uint32_t spi_be, reqid;
	uint16_t port;
	bool hard, up;
	enum policy_dir dir;
	char name[IFNAMSIZ];
	int ifindex;
};

static inline void on_acquire(void *arg, const struct hf_pair *pair, uint32_t reqid)
{
	struct seen *out = arg;

	out->acquires++;
	out->pair = *pair;
	out->reqid = reqid;
}

static inline void on_expired(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid, bool hard)
{
	struct seen *out = arg;

	out->expiries++;
	out->dst = *dst;
	out->spi_be = spi_be;
	out->reqid = reqid;
	out->hard = hard;
}

static inline void on_moved(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
			    const struct hf_addr *src, uint16_t port)
{
	struct seen *out = arg;

	out->moves++;
	out->dst = *dst;
	out->addr = *src;
	out->spi_be = spi_be;
	out->reqid = reqid;
	out->port = port;
}

static inline void on_policy_gone(void *arg, enum policy_dir dir, uint32_t reqid)
{
	struct seen *out = arg;

	out->gone++;
	out->dir = dir;
	out->reqid = reqid;
}

static inline void on_link(void *arg, int ifindex, const char *name, uint16_t type, bool up)
{
	struct seen *out = arg;

	(void)type;
	out->links++;
	out->ifindex = ifindex;
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->up = up;
}

static inline void on_link_gone(void *arg, int ifindex)
{
	struct seen *out = arg;

	out->links_gone++;
	out->ifindex = ifindex;
}

static inline void on_address(void *arg, int ifindex, const struct hf_addr *addr, const struct hf_addr *broadcast,
			      bool added)
{
	struct seen *out = arg;

	(*(added ? &out->added : &out->removed))++;
	out->ifindex = ifindex;
	out->addr = *addr;
	out->broadcast = *broadcast;
}

static inline void on_lost(void *arg)
{
	struct seen *out = arg;

	out->lost++;
}

static struct seen seen;

static const struct netlink_events events = {
	.acquire = on_acquire,
	.expired = on_expired,
	.moved = on_moved,
	.policy_gone = on_policy_gone,
	.link = on_link,
	.link_gone = on_link_gone,
	.address = on_address,
	.lost = on_lost,
};

static inline int enter_world(void **state)
{
	struct netlink *nl;
	struct err err = ERR_NONE;

	close(world_enter_new());
	memset(&seen, 0, sizeof(seen));
	done(netlink_open(&nl, &events, &seen, &err), err);
	*state = nl;
	return 0;
}

static inline int leave_world(void **state)
{
	netlink_close(*state);
	return 0;
}

/* Notifications are queued before the call that causes them returns, so nothing is waited for. */
static inline void read_events(struct netlink *nl)
{
	assert_int_equal(netlink_ready(nl, netlink_xfrm_fd(nl)), 0);
	assert_int_equal(netlink_ready(nl, netlink_route_fd(nl)), 0);
}

/* For what the kernel does on its own time. */
static inline void await(struct netlink *nl, const unsigned int *count, unsigned int wanted)
{
	for (int i = 0; i < 100 && *count < wanted; i++) {
		struct pollfd fds[] = { { .fd = netlink_xfrm_fd(nl), .events = POLLIN },
					{ .fd = netlink_route_fd(nl), .events = POLLIN } };

		(void)poll(fds, 2, 100);
		read_events(nl);
	}
	assert_true(*count >= wanted);
}

struct found {
	unsigned int states, larval, policies;
	struct hf_pair pair; /* of the last policy */
};

static inline void count_state(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be,
			       uint32_t reqid, enum sa_mode mode, bool larval, bool encap)
{
	struct found *out = arg;

	(void)src, (void)dst, (void)spi_be, (void)mode, (void)encap;
	assert_int_equal(reqid, REQID);
	out->states++;
	out->larval += larval;
}

static inline void count_policy(void *arg, enum policy_dir dir, const struct hf_pair *pair, const struct hf_pair *outer,
				uint32_t reqid, enum sa_mode mode)
{
	struct found *out = arg;

	(void)dir, (void)mode, (void)outer;
	assert_int_equal(reqid, REQID);
	out->pair = *pair;
	out->policies++;
}

static inline struct found find_all(struct netlink *nl)
{
	static const struct netlink_found calls = { count_state, count_policy };
	struct found found = { 0 };
	struct err err = ERR_NONE;

	done(xfrm_find_ours(nl, &calls, &found, &err), err);
	return found;
}

static inline void set_policies(struct netlink *nl, const struct hf_pair *pair, enum sa_mode mode)
{
	struct err err = ERR_NONE;

	for (size_t i = 0; i < 3; i++)
		done(xfrm_policy_set(nl, all_dirs[i], pair, mode, REQID, false, &err), err);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, enter_world, leave_world)

#endif
