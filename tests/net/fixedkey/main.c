// SPDX-License-Identifier: Apache-2.0
/*
 * A test driver in place of discovery and IKE: the whole agent, with a keying that answers after a chosen delay with
 * SAs whose keys and SPIs both ends compute from the pair. No secret, no negotiation, not part of the product.
 *
 *   fixedkey [--delay MS] [--fail lookup|none|negotiate] [--silent PREFIX] [--mute PREFIX] [--keyless PREFIX] [--respond PREFIX]
 *            [--tunnel] [--churn N] [--config FILE]
 *   fixedkey --print LOCAL REMOTE
 *
 * --respond: (up to 8 times) the first 4096 addresses of PREFIX are peers that may start: their SAs are installed at once as a
 *            responder would have done before it answered.
 * --silent:  peers that never answer; the core's own time limits end the attempt.
 * --mute:    (up to 8 times) peers that have a key and never agree on an SA: the longest wait there is.
 * --keyless: (up to 8 times) peers that are proved to have no key.
 * --tunnel:  SAs in tunnel mode; both ends need it.
 * --on-signal: --respond is done, and negotiations end, at SIGUSR1 and not before.
 * --wakes:   a file with the process id of the other end's driver: it gets SIGUSR1 when --respond is done, as an
 *            initiator gets its answer when the responder's SAs stand.
 * --churn:   each pair's SAs reach their hard limit as soon as they stand, N times.
 * --print:   the same SAs and their policies as `ip -batch` lines for a host with the addresses LOCAL and no agent. They
 *            check no sequence numbers, since ours start again whenever they are made again; --no-esn fits them.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include "base/log.h"
#include "base/own.h"
#include "base/siphash.h"
#include "daemon/agent.h"
#include "daemon/run.h"

#define PENDING_MAX 4096
#define RESPOND_MAX 4096
#define PREFIXES_MAX 8
#define CHURNS_MAX 16

enum fail {
	FAIL_NOT,
	FAIL_LOOKUP,
	FAIL_NONE, /* proved: no key */
	FAIL_NEGOTIATE,
};

struct pending {
	struct driver *driver;
	struct event *timer;
	struct handle peer;
	struct hf_pair pair;
	bool used;
};

struct churn {
	struct event *timer;
	struct hf_pair pair;
	unsigned int left;
};

struct driver {
	struct agent *agent;
	unsigned int delay_ms;
	bool tunnel, no_esn, on_signal;
	const char *wakes;  /* NULL = nobody */
	unsigned int churn; /* rounds for each pair, 0 = none */
	struct churn churns[CHURNS_MAX];
	int churn_count;
	enum fail fail;
	bool has_silent;
	struct hf_prefix silent;
	struct hf_prefix mute[PREFIXES_MAX];
	int mute_count;
	struct hf_prefix keyless[PREFIXES_MAX];
	int keyless_count;
	struct hf_prefix respond[PREFIXES_MAX];
	int respond_count;
	struct pending pending[PENDING_MAX];
	struct hf_addr peer; /* while installing responders */
};

static struct driver driver;

/* Both ends see the same two addresses; the direction makes the difference. */
static uint64_t mix(const struct hf_addr *from, const struct hf_addr *to, uint8_t what)
{
	static const uint8_t key[SIPHASH_KEY] = "holdfast-fixed!";
	uint8_t text[33];

	memcpy(text, from->octet, 16);
	memcpy(text + 16, to->octet, 16);
	text[32] = what;
	return siphash_of(key, text, sizeof(text));
}

static uint32_t spi(const struct hf_addr *from, const struct hf_addr *to)
{
	return htonl((uint32_t)mix(from, to, 0) | 0x10000000u);
}

static void make_key(uint8_t out[CHILD_KEY_MAX], const struct hf_addr *from, const struct hf_addr *to)
{
	for (int i = 0; i < CHILD_KEY_MAX; i += 4) {
		uint64_t part = mix(from, to, (uint8_t)(1 + i));

		memcpy(out + i, &part, 4);
	}
}

static struct core_event child_up(const struct hf_pair *pair, bool responder)
{
	struct core_event event = { .type = EVENT_CHILD_UP, .pair = *pair };
	struct child *child = &event.up.child;

	event.up.responder = responder;
	event.up.in = event.up.out = true;
	child->algorithm = CHILD_AES_GCM_16_256;
	child->tunnel = driver.tunnel;
	child->esn = !driver.no_esn;
	child->spi_in_be = spi(&pair->remote, &pair->local);
	child->spi_out_be = spi(&pair->local, &pair->remote);
	make_key(child->key_in, &pair->remote, &pair->local);
	make_key(child->key_out, &pair->local, &pair->remote);
	return event;
}

static bool is_among(const struct hf_prefix *list, int count, const struct hf_addr *remote)
{
	for (int i = 0; i < count; i++)
		if (prefix_contains(&list[i], remote))
			return true;
	return false;
}

static void lookup(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct core_event event = { .type = EVENT_KEY, .peer = peer, .pair = *pair };

	(void)arg;
	if (driver.has_silent && prefix_contains(&driver.silent, &pair->remote))
		return;
	if (driver.fail == FAIL_LOOKUP)
		event.type = EVENT_LOOKUP_FAILED;
	if (driver.fail == FAIL_NONE || is_among(driver.keyless, driver.keyless_count, &pair->remote))
		event.type = EVENT_NO_KEY;
	agent_event(agent, &event);
}

/* One more life of the pair's SAs is over: as the kernel tells it, but faster. What goes then is the core's to order. */
static void on_churn(evutil_socket_t fd, short what, void *arg)
{
	struct churn *churn = arg;
	struct core_event event = { .type = EVENT_SA_EXPIRED, .pair = churn->pair };

	(void)fd;
	(void)what;
	event.expired.spi_be = spi(&churn->pair.local, &churn->pair.remote);
	event.expired.hard = true;
	agent_event(driver.agent, &event);
}

static void churn_on(const struct hf_pair *pair)
{
	static const struct timeval at_once;
	struct churn *churn = driver.churns;
	char text[PAIR_TEXT_MAX];

	while (churn < driver.churns + driver.churn_count && !pair_equal(&churn->pair, pair))
		churn++;
	if (churn == driver.churns + CHURNS_MAX)
		return;
	if (churn == driver.churns + driver.churn_count) {
		driver.churn_count++;
		*churn = (struct churn){ .pair = *pair, .left = driver.churn };
		churn->timer = evtimer_new(agent_base(driver.agent), on_churn, churn);
	}
	if (churn->left--)
		evtimer_add(churn->timer, &at_once);
	else
		log_info("churn of %s: %u rounds done", pair_format(text, pair), driver.churn);
}

static void finish(const struct hf_pair *pair, struct handle peer)
{
	struct core_event event = child_up(pair, false);

	if (driver.fail == FAIL_NEGOTIATE)
		event = (struct core_event){ .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };
	event.peer = peer;
	agent_event(driver.agent, &event);
	if (driver.churn)
		churn_on(pair);
}

static void on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct pending *pending = arg;

	(void)fd;
	(void)what;
	pending->used = false;
	finish(&pending->pair, pending->peer);
}

static void negotiate(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair,
		      const struct hf_addr *gateway)
{
	struct timeval delay = { driver.delay_ms / 1000, (suseconds_t)(driver.delay_ms % 1000) * 1000 };
	struct pending *pending = driver.pending;

	(void)gateway;
	(void)arg;
	driver.agent = agent;
	if (is_among(driver.mute, driver.mute_count, &pair->remote))
		return;
	if (!driver.delay_ms && !driver.on_signal) {
		finish(pair, peer);
		return;
	}
	while (pending < driver.pending + PENDING_MAX && pending->used)
		pending++;
	if (pending == driver.pending + PENDING_MAX)
		return; /* the core's time limit ends it */
	if (!pending->timer)
		pending->timer = evtimer_new(agent_base(agent), on_delay, pending);
	pending->used = true;
	pending->peer = peer;
	pending->pair = *pair;
	if (!driver.on_signal)
		evtimer_add(pending->timer, &delay);
}

static void abandon(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)arg;
	(void)agent;
	(void)pair;
	for (struct pending *pending = driver.pending; pending < driver.pending + PENDING_MAX; pending++) {
		if (!pending->used || pending->peer.index != peer.index || pending->peer.generation != peer.generation)
			continue;
		evtimer_del(pending->timer);
		pending->used = false;
	}
}

/* Loopback and link-local addresses have no peers elsewhere. */
static bool is_own_matter(const struct hf_addr *addr)
{
	static const struct hf_addr loopback = { .octet = { [15] = 1 } };

	if (addr_is_v4(addr))
		return addr->octet[12] == 127;
	return addr->octet[0] == 0xfe || addr_equal(addr, &loopback);
}

static void respond_from(void *arg, const struct hf_addr *local)
{
	struct core_event event;
	struct hf_pair pair = { .local = *local, .remote = driver.peer };

	(void)arg;
	if (addr_is_v4(local) != addr_is_v4(&driver.peer) || addr_equal(local, &driver.peer) || is_own_matter(local))
		return;
	event = child_up(&pair, true);
	agent_event(driver.agent, &event);
}

static void respond_to(const struct hf_prefix *prefix)
{
	driver.peer = prefix->addr;
	for (unsigned int i = 0; i < RESPOND_MAX && prefix_contains(prefix, &driver.peer); i++) {
		if (!agent_is_local(driver.agent, &driver.peer))
			agent_each_address(driver.agent, respond_from, NULL);
		for (int octet = 15; octet >= 0 && ++driver.peer.octet[octet] == 0; octet--)
			;
	}
}

static void respond_to_all(void)
{
	for (int i = 0; i < driver.respond_count; i++)
		respond_to(&driver.respond[i]);
}

static void wake(void)
{
	FILE *file = driver.wakes ? fopen(driver.wakes, "re") : NULL;
	int pid;

	if (file && fscanf(file, "%d", &pid) == 1)
		kill(pid, SIGUSR1);
	if (file)
		fclose(file);
}

static void on_usr1(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	respond_to_all();
	wake();
	for (struct pending *pending = driver.pending; pending < driver.pending + PENDING_MAX; pending++)
		if (pending->used)
			on_delay(-1, 0, pending);
}

static void ready(void *arg, struct agent *agent)
{
	(void)arg;
	driver.agent = agent;
	if (driver.on_signal)
		evsignal_add(evsignal_new(agent_base(agent), SIGUSR1, on_usr1, NULL), NULL);
	else
		respond_to_all();
}

static void print_line(const struct hf_pair *pair, const struct child *child, bool out)
{
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];
	const char *src, *dst;

	addr_format(local, &pair->local);
	addr_format(remote, &pair->remote);
	src = out ? local : remote;
	dst = out ? remote : local;
	printf("xfrm state add src %s dst %s proto esp spi 0x%x reqid 1 mode transport aead rfc4106(gcm(aes)) 0x", src,
	       dst, ntohl(out ? child->spi_out_be : child->spi_in_be));
	for (int i = 0; i < CHILD_KEY_MAX; i++)
		printf("%02x", out ? child->key_out[i] : child->key_in[i]);
	printf(" 128\nxfrm policy add src %s dst %s dir %s priority 2000 tmpl proto esp reqid 1 mode transport\n", src,
	       dst, out ? "out" : "in");
}

static int print(const char *remote, char **locals, int count)
{
	struct hf_pair pair;
	struct core_event event;

	if (addr_parse(&pair.remote, remote, NULL) < 0)
		return 2;
	for (int i = 0; i < count; i++) {
		if (addr_parse(&pair.local, locals[i], NULL) < 0)
			return 2;
		event = child_up(&pair, false);
		print_line(&pair, &event.up.child, true);
		print_line(&pair, &event.up.child, false);
	}
	return 0;
}

static void parse_prefix(struct hf_prefix *out, const char *text)
{
	struct err err = ERR_NONE;

	if (prefix_parse(out, text, &err) < 0) {
		fprintf(stderr, "fixedkey: %s\n", err.text);
		exit(2);
	}
}

static enum fail parse_fail(const char *text)
{
	if (strcmp(text, "lookup") == 0)
		return FAIL_LOOKUP;
	if (strcmp(text, "none") == 0)
		return FAIL_NONE;
	if (strcmp(text, "negotiate") == 0)
		return FAIL_NEGOTIATE;
	fprintf(stderr, "fixedkey: --fail %s: lookup, none or negotiate\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },  { "fail", required_argument, NULL, 'f' },
		{ "silent", required_argument, NULL, 's' }, { "respond", required_argument, NULL, 'r' },
		{ "config", required_argument, NULL, 'c' }, { "churn", required_argument, NULL, 'n' },
		{ "mute", required_argument, NULL, 'm' },   { "keyless", required_argument, NULL, 'k' },
		{ "tunnel", no_argument, NULL, 't' },	    { "print", required_argument, NULL, 'p' },
		{ "no-esn", no_argument, NULL, 'e' },	    { "on-signal", no_argument, NULL, 'g' },
		{ "wakes", required_argument, NULL, 'w' },  { NULL, 0, NULL, 0 },
	};
	const struct keying keying = { .ready = ready, .lookup = lookup, .negotiate = negotiate, .abandon = abandon };
	struct daemon_options daemon = { .foreground = true };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			driver.delay_ms = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			driver.fail = parse_fail(optarg);
			break;
		case 's':
			parse_prefix(&driver.silent, optarg);
			driver.has_silent = true;
			break;
		case 'r':
			if (driver.respond_count == PREFIXES_MAX)
				return 2;
			parse_prefix(&driver.respond[driver.respond_count++], optarg);
			break;
		case 'c':
			daemon.config = optarg;
			break;
		case 'k':
			if (driver.keyless_count == PREFIXES_MAX)
				return 2;
			parse_prefix(&driver.keyless[driver.keyless_count++], optarg);
			break;
		case 'm':
			if (driver.mute_count == PREFIXES_MAX)
				return 2;
			parse_prefix(&driver.mute[driver.mute_count++], optarg);
			break;
		case 'n':
			driver.churn = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 't':
			driver.tunnel = true;
			break;
		case 'p':
			return print(optarg, argv + optind, argc - optind);
		case 'e':
			driver.no_esn = true;
			break;
		case 'g':
			driver.on_signal = true;
			break;
		case 'w':
			driver.wakes = optarg;
			break;
		default:
			return 2;
		}
	}
	return daemon_run(&daemon, &keying, NULL);
}
