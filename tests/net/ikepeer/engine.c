// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's surroundings: sockets, netlink, clock, random octets and keylog; one settling after each call.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/own.h"
#include "ikepeer.h"

#define SAS_MAX 64 /* --sas-max */

uint64_t engine_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSTIME_S + (uint64_t)now.tv_nsec;
}

static void give_random(void *arg, void *out, size_t len)
{
	(void)arg;
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

static void log_keys(void *arg, bool esp, const char *line)
{
	struct ikepeer *peer = arg;

	fprintf(peer->keylog, "%s %s\n", esp ? "esp" : "ike", line);
	fflush(peer->keylog);
}

static void draw(struct ikepeer *peer)
{
	struct ike_output output;

	while (ike_next(peer->ike, &output))
		outputs_take(peer, &output);
}

void engine_settle(struct ikepeer *peer)
{
	uint64_t now = engine_now(), left;
	struct timeval wait;

	draw(peer);
	while (peer->installed_count) {
		const struct installed *it = &peer->installed[--peer->installed_count];

		ike_installed(peer->ike, it->child, it->error, now);
		draw(peer);
	}
	while (load_step(peer))
		draw(peer);
	event_del(peer->timer);
	if (ike_deadline(peer->ike) == NSTIME_NEVER)
		return;
	left = nstime_until(ike_deadline(peer->ike), now) / NSTIME_US;
	wait = (struct timeval){ (time_t)(left / 1000000), (suseconds_t)(left % 1000000) + 1 };
	event_add(peer->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ikepeer *peer = arg;

	(void)fd;
	(void)what;
	ike_expire(peer->ike, engine_now());
	engine_settle(peer);
}

static void on_datagram(void *arg, const struct ike_path *path, struct view datagram)
{
	struct ikepeer *peer = arg;

	ike_datagram(peer->ike, path, datagram, engine_now());
	engine_settle(peer);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct ikepeer *peer = arg;

	(void)what;
	udp_ready(peer->udp, fd);
}

/* The address that the kernel would send from. */
static int local_for(struct hf_addr *out, const struct hf_addr *remote)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = { .any.sa_family = (sa_family_t)addr_family(remote) };
	socklen_t len = sizeof(name);
	OWN_FD int fd = socket(addr_family(remote), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (addr_is_v4(remote)) {
		name.v4.sin_port = htons(500);
		name.v4.sin_addr.s_addr = addr_v4(remote);
	} else {
		name.v6.sin6_port = htons(500);
		memcpy(&name.v6.sin6_addr, remote->octet, sizeof(name.v6.sin6_addr));
	}
	if (fd < 0 || connect(fd, &name.any, sizeof(name)) < 0 || getsockname(fd, &name.any, &len) < 0)
		return -errno;
	*out = addr_is_v4(remote) ? addr_from_v4(name.v4.sin_addr.s_addr) : addr_from_octets(&name.v6.sin6_addr, 16);
	return 0;
}

struct handle engine_begin(struct ikepeer *peer, const struct hf_addr *local, const struct hf_addr *remote)
{
	const struct ike_connect connect = { .path = { .local = *local, .remote = *remote },
					     .fail_open = peer->options.fail_open,
					     .initial_contact = peer->options.initial_contact };

	return ike_connect(peer->ike, &connect, engine_now());
}

void engine_connect(struct ikepeer *peer, const struct hf_addr *remote)
{
	struct hf_addr local;
	struct handle sa;

	if (local_for(&local, remote) < 0) {
		say("ERROR no route to the peer");
		return;
	}
	sa = engine_begin(peer, &local, remote);
	say("CONNECT sa=%u.%u", sa.index, sa.generation);
	engine_settle(peer);
}

static int open_sockets(struct ikepeer *peer, struct err *err)
{
	static const struct netlink_events events;
	const struct udp_options udp = { .port = peer->options.engine.port,
					 .encap_port = peer->options.engine.encap_port };
	int error = 0;

	if (!peer->options.no_kernel) {
		error = netlink_open(&peer->netlink, &events, peer, err);
		error = error ? error : xfrm_policy_nd_allow(peer->netlink, err);
	}
	error = error ? error : udp_open(&peer->udp, &udp, on_datagram, peer, err);
	for (unsigned int i = 0; !error && i < UDP_SOCKETS; i++) {
		if (udp_fd(peer->udp, i) < 0)
			continue;
		event_add(event_new(peer->base, udp_fd(peer->udp, i), EV_READ | EV_PERSIST, on_socket, peer), NULL);
	}
	return error;
}

int engine_open(struct ikepeer *peer, struct err *err)
{
	struct ike_options *options = &peer->options.engine;
	int error = open_sockets(peer, err);

	if (error)
		return error;
	options->sas_max = options->sas_max ? options->sas_max : SAS_MAX;
	options->key = peer->options.key;
	options->host = (struct ike_host){ .arg = peer, .random = give_random, .spi = sas_spi };
	if (peer->options.keylog) {
		peer->keylog = fopen(peer->options.keylog, "ae");
		options->host.keylog = peer->keylog ? log_keys : NULL;
	}
	if (peer->options.id)
		options->id = (struct ike_identity){ 2, view_of(peer->options.id, strlen(peer->options.id)) };
	give_random(NULL, options->table_seed, sizeof(options->table_seed));
	give_random(NULL, options->crash_secret, sizeof(options->crash_secret));
	peer->timer = evtimer_new(peer->base, on_timer, peer);
	peer->memory = malloc(ike_memory(options));
	if (!peer->memory || !peer->timer)
		return err_set(err, -ENOMEM, "no memory");
	peer->ike = ike_init(peer->memory, options, err);
	if (!peer->ike)
		return -EINVAL;
	return peer->options.shield ? shield_open(peer, err) : 0;
}

/* The SAs and policies go with this driver; the peer is not told, as when a host dies. */
void engine_close(struct ikepeer *peer)
{
	struct err err = ERR_NONE;

	if (peer->options.shield)
		shield_close();
	ike_clear(peer->ike);
	free(peer->memory);
	if (!peer->options.no_kernel) {
		xfrm_remove_ours(peer->netlink, NULL, NULL, &err);
		netlink_close(peer->netlink);
	}
	udp_close(peer->udp);
	sign_key_free(peer->options.key);
	if (peer->keylog)
		fclose(peer->keylog);
}
