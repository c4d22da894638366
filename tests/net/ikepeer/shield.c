// SPDX-License-Identifier: Apache-2.0
/*
 * --shield: the product's own shield and what feeds it (daemon/doorkeeper.c), around an agent of which there is nothing else. So it has
 * the thresholds of core/limits.h and this engine's secrets, as with `shield = on`.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/internal.h"
#include "ikepeer.h"

static struct agent agent;

static void tell_cookies(void *arg, struct ike_cookies *out, uint64_t now)
{
	ike_cookies(((struct ikepeer *)arg)->ike, out, now);
}

static const struct keying keying = { .cookies = tell_cookies };

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	doorkeeper_tick(&agent, engine_now());
}

/* It judges what is for this host alone. */
static int own_addresses(struct err *err)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return err_set(err, -errno, "own addresses: %s", strerror(errno));
	for (const struct ifaddrs *it = all; it; it = it->ifa_next) {
		struct hf_addr addr;

		if (it->ifa_addr && it->ifa_addr->sa_family == AF_INET)
			addr = addr_from_v4(((struct sockaddr_in *)it->ifa_addr)->sin_addr.s_addr);
		else if (it->ifa_addr && it->ifa_addr->sa_family == AF_INET6)
			addr = addr_from_octets(&((struct sockaddr_in6 *)it->ifa_addr)->sin6_addr, 16);
		else
			continue;
		dataplane_exempt_set(agent.dp, &addr, HF_EXEMPT_OWN);
	}
	freeifaddrs(all);
	return 0;
}

int shield_open(struct ikepeer *peer, struct err *err)
{
	static const struct timeval second = { 1, 0 };
	const struct dataplane_options options = { 0 };
	struct host_link link = { .ifindex = (int)if_nametoindex(peer->options.shield), .ethernet = true };
	int error = dataplane_open(&agent.dp, &options, err);

	snprintf(link.name, sizeof(link.name), "%s", peer->options.shield);
	error = error ? error : own_addresses(err);
	if (error)
		return error;
	agent.config.shield = true;
	agent.keying = &keying;
	agent.keying_arg = peer;
	doorkeeper_open(&agent);
	doorkeeper_attach(&agent, &link);
	if (!link.shielded)
		return err_set(err, -EIO, "no shield on %s", link.name);
	event_add(event_new(peer->base, -1, EV_PERSIST, on_second, NULL), &second);
	return 0;
}

void shield_say(void)
{
	struct status_shield status = { 0 };
	const struct hf_shield_count *c = &status.count;

	doorkeeper_status(&agent, &status);
	say("SHIELD {\"up\":%d,\"init\":%" PRIu64 ",\"init_passed\":%" PRIu64 ",\"cookies_sent\":%" PRIu64
	    ",\"cookies_bad\":%" PRIu64 ",\"cookies_good\":%" PRIu64 ",\"malformed\":%" PRIu64
	    ",\"proven_dropped\":%" PRIu64 ",\"unanswerable\":%" PRIu64 ",\"answer_failed\":%" PRIu64 "}",
	    status.up, (uint64_t)c->init, (uint64_t)c->init_passed, (uint64_t)c->cookies_sent, (uint64_t)c->cookies_bad,
	    (uint64_t)c->cookies_good, (uint64_t)c->malformed, (uint64_t)c->proven_dropped, (uint64_t)c->unanswerable,
	    (uint64_t)c->answer_failed);
}

void shield_close(void)
{
	struct err err = ERR_NONE;

	dataplane_close(agent.dp);
	if (dataplane_unload(&err) < 0)
		say("ERROR %s", err.text);
}
