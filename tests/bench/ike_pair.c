// SPDX-License-Identifier: Apache-2.0
#include "ike_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/nstime.h"

static void die(const char *what)
{
	fprintf(stderr, "bench_ike: %s\n", what);
	exit(1);
}

void pair_draw(void *arg, void *out, size_t len)
{
	struct pair_end *end = arg;
	uint8_t *at = out;

	while (len) {
		/* splitmix64: the bench is not about random sources. */
		uint64_t z = (end->random += 0x9e3779b97f4a7c15ull);
		size_t part = len < sizeof(z) ? len : sizeof(z);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		z ^= z >> 31;
		memcpy(at, &z, part);
		at += part;
		len -= part;
	}
}

static uint32_t spi(void *arg, const struct hf_pair *pair)
{
	struct pair_end *end = arg;

	(void)pair;
	return __builtin_bswap32(end->next_spi++);
}

/* PKCS#8 of Ed25519: a fixed head and the 32 octets of the key (RFC 8410 7). */
static struct sign_key *make_key(unsigned int i)
{
	uint8_t der[48] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
			    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	struct sign_key *key = NULL;
	struct err err = ERR_NONE;

	memset(der + 16, 0x11 * (int)(i + 1), 32);
	if (sign_key_parse(&key, VIEW_OF(der), "bench key", &err))
		die("key");
	return key;
}

void pair_start(struct pair *pair, uint32_t sas_max, uint32_t cookie_half_open)
{
	struct err err = ERR_NONE;

	memset(pair, 0, sizeof(*pair));
	if (crypto_init(&err))
		die("crypto_init");
	pair->now = 1000 * NSTIME_S;
	for (unsigned int i = 0; i < 2; i++)
		pair->end[i].key = make_key(i);
	for (unsigned int i = 0; i < 2; i++) {
		struct pair_end *end = &pair->end[i];

		end->random = 77 + i;
		end->next_spi = 0x1000;
		pair->options = (struct ike_options){
			.sas_max = sas_max,
			.cookie_half_open = i ? cookie_half_open : 0,
			.host = { .arg = end, .random = pair_draw, .spi = spi },
			.key = end->key,
		};
		memset(pair->options.crash_secret, 0x40 + (int)i, sizeof(pair->options.crash_secret));
		end->memory = calloc(1, ike_memory(&pair->options));
		end->ike = end->memory ? ike_init(end->memory, &pair->options, &err) : NULL;
		if (!end->ike)
			die("no engine");
	}
	pair_by_psk(pair, false);
}

void pair_end(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++) {
		ike_clear(pair->end[i].ike);
		free(pair->end[i].memory);
		sign_key_free(pair->end[i].key);
	}
}

void pair_by_psk(struct pair *pair, bool psk)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ike_answer *answer = &pair->end[i].answer;

		*answer = (struct ike_answer){ 0 };
		if (psk)
			answer->psk = view_of("a secret of the bench", 21);
		else
			*answer = (struct ike_answer){ .keys = 1, .spki = { sign_key_spki(pair->end[!i].key) } };
	}
}

static void on_wire(struct pair *pair, unsigned int from, const struct ike_output *out)
{
	struct pair_datagram *datagram = &pair->wire[(pair->wire_first + pair->wire_count++) % PAIR_WIRE];

	if (pair->wire_count > PAIR_WIRE || out->datagram.len > PAIR_DATAGRAM)
		die("more under way than a set-up needs");
	datagram->to = !from;
	datagram->path = (struct ike_path){ .local = out->path.remote,
					    .remote = out->path.local,
					    .local_port = out->path.remote_port,
					    .remote_port = out->path.local_port };
	datagram->len = out->datagram.len;
	memcpy(datagram->octets, out->datagram.at, out->datagram.len);
}

static void drain(struct pair *pair, unsigned int i)
{
	struct handle installed[2], ask = HANDLE_NONE;
	struct pair_end *end = &pair->end[i];
	unsigned int installs = 0;
	struct ike_output out;

	while (ike_next(end->ike, &out)) {
		if (out.type == IKE_SEND) {
			on_wire(pair, i, &out);
		} else if (out.type == IKE_ASK_KEY) {
			ask = end->sa = out.sa;
		} else if (out.type == IKE_CHILD_UP && installs < 2) {
			installed[installs++] = out.child.child;
			end->child_ups++;
		} else if (out.type == IKE_DOWN) {
			end->downs++;
		}
	}
	if (ask.generation)
		ike_answer(end->ike, ask, &end->answer, pair->now);
	for (unsigned int n = 0; n < installs; n++)
		ike_installed(end->ike, installed[n], 0, pair->now);
	if (ask.generation || installs)
		drain(pair, i);
}

static void connect_from(struct pair *pair, uint32_t n)
{
	struct ike_connect connect = { .path = { .local = addr_from_v4(__builtin_bswap32(0x0a000001 + n)),
						 .remote = addr_from_v4(__builtin_bswap32(0xc0000201)) } };

	if (!ike_connect(pair->end[0].ike, &connect, pair->now).generation)
		die("no room for an SA");
	drain(pair, 0);
}

void pair_setup(struct pair *pair, uint32_t n)
{
	unsigned int before[2] = { pair->end[0].child_ups, pair->end[1].child_ups };

	/* Some time goes by: what strangers may cost is counted in it. */
	pair->now += NSTIME_MS;
	pair->seen_count = 0;
	connect_from(pair, n);
	while (pair->wire_count) {
		struct pair_datagram *datagram = &pair->wire[pair->wire_first];

		pair->wire_first = (pair->wire_first + 1) % PAIR_WIRE;
		pair->wire_count--;
		if (pair->seen_count < 4)
			pair->seen[pair->seen_count++] = *datagram;
		ike_datagram(pair->end[datagram->to].ike, &datagram->path, view_of(datagram->octets, datagram->len),
			     pair->now);
		drain(pair, datagram->to);
	}
	for (unsigned int i = 0; i < 2; i++)
		if (pair->end[i].child_ups != before[i] + 1 || pair->end[i].downs)
			die("a set-up failed");
}

void pair_forget(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++) {
		ike_forget(pair->end[i].ike, pair->end[i].sa, pair->now);
		drain(pair, i);
		pair->end[i].downs = 0;
	}
}

void pair_request(struct pair *pair, uint32_t n, struct pair_datagram *out)
{
	connect_from(pair, n);
	if (pair->wire_count != 1)
		die("an attempt is not one datagram");
	*out = pair->wire[pair->wire_first];
	pair->wire_count = 0;
	ike_forget(pair->end[0].ike, pair->end[0].sa, pair->now);
	drain(pair, 0);
	pair->end[0].downs = 0;
}
