// SPDX-License-Identifier: Apache-2.0
#include "ike_duo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

uint8_t duo_poison;

static void draw(void *arg, void *out, size_t len)
{
	struct duo_host *host = arg;
	uint8_t *at = out;

	for (size_t i = 0; i < len; i++) {
		/* splitmix64: the same run again and again. */
		uint64_t z = (host->random += 0x9e3779b97f4a7c15ull);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		at[i] = (uint8_t)(z ^ (z >> 31));
	}
}

static uint32_t spi(void *arg, const struct hf_pair *pair)
{
	struct duo_host *host = arg;

	(void)pair;
	return __builtin_bswap32(host->next_spi++);
}

/* PKCS#8 of Ed25519: a fixed head and the 32 octets of the key (RFC 8410 7). */
static struct sign_key *make_key(unsigned int i)
{
	uint8_t der[48] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
			    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	struct sign_key *key = NULL;
	struct err err = ERR_NONE;

	memset(der + 16, 0x11 * (int)(i + 1), 32);
	assert(sign_key_parse(&key, VIEW_OF(der), "test key", &err) == 0);
	return key;
}

static void make_engine(struct duo_host *host)
{
	struct err err = ERR_NONE;

	host->memory = calloc(1, ike_memory(&host->options));
	assert(host->memory);
	if (duo_poison)
		memset(host->memory, duo_poison, ike_memory(&host->options));
	host->ike = ike_init(host->memory, &host->options, &err);
	assert(host->ike);
}

void duo_start(struct duo *duo, void (*change)(struct ike_options *options, unsigned int i))
{
	struct err err = ERR_NONE;

	memset(duo, 0, sizeof(*duo));
	assert(crypto_init(&err) == 0);
	duo->now = 1000 * NSTIME_S;
	for (unsigned int i = 0; i < 2; i++) {
		struct duo_host *host = &duo->host[i];

		host->addr = addr_from_v4(__builtin_bswap32(0x0a090001 + i));
		host->random = 77 + i;
		host->next_spi = 0x1000 * (i + 1);
		host->key = make_key(i);
		host->options = (struct ike_options){
			.sas_max = 64,
			.host = { .arg = host, .random = draw, .spi = spi },
			.key = host->key,
		};
		memset(host->options.crash_secret, 0x40 + (int)i, sizeof(host->options.crash_secret));
		if (change)
			change(&host->options, i);
	}
	for (unsigned int i = 0; i < 2; i++) {
		duo->host[i].answer = (struct ike_answer){ .keys = 1, .spki = { sign_key_spki(duo->host[!i].key) } };
		make_engine(&duo->host[i]);
	}
}

static void free_engine(struct duo_host *host)
{
	ike_clear(host->ike);
	free(host->memory);
}

void duo_end(struct duo *duo)
{
	for (unsigned int i = 0; i < 2; i++) {
		free_engine(&duo->host[i]);
		sign_key_free(duo->host[i].key);
	}
}

void duo_restart(struct duo *duo, unsigned int i)
{
	struct duo_host *host = &duo->host[i];

	free_engine(host);
	host->kid_count = host->waiting_count = 0;
	make_engine(host);
}

struct ike_path duo_path(const struct duo *duo, unsigned int i)
{
	return (struct ike_path){ .local = duo->host[i].addr, .remote = duo->host[!i].addr };
}

struct handle duo_connect(struct duo *duo, unsigned int i)
{
	struct ike_connect connect = { .path = duo_path(duo, i), .tag = 42 };
	struct handle handle = ike_connect(duo->host[i].ike, &connect, duo->now);

	duo_drain(duo, i);
	return handle;
}

static struct duo_kid *find_kid(struct duo_host *host, struct handle handle)
{
	for (size_t i = 0; i < host->kid_count; i++)
		if (host->kids[i].handle.index == handle.index && host->kids[i].handle.generation == handle.generation)
			return &host->kids[i];
	return NULL;
}

static void on_wire(struct duo *duo, unsigned int i, const struct ike_output *out)
{
	struct duo_datagram *datagram = &duo->wire[duo->wire_count];

	assert(duo->wire_count < DUO_WIRE && out->datagram.len <= DUO_DATAGRAM);
	duo->wire_count++;
	duo->sent[i]++;
	datagram->path = out->path;
	datagram->from = i;
	datagram->len = out->datagram.len;
	memcpy(datagram->octets, out->datagram.at, out->datagram.len);
}

static void on_child(struct duo_host *host, const struct ike_output *out)
{
	struct duo_kid *kid = find_kid(host, out->child.child);

	switch (out->type) {
	case IKE_CHILD_UP:
		assert(!kid && host->kid_count < DUO_KIDS);
		kid = &host->kids[host->kid_count++];
		*kid = (struct duo_kid){ .handle = out->child.child, .sa = out->sa, .keys = out->child.keys };
		kid->in = out->child.install_in;
		kid->out = out->child.install_out;
		host->child_ups++;
		host->waiting[host->waiting_count++] = out->child.child;
		break;
	case IKE_CHILD_USE:
		assert(kid && !kid->out);
		kid->out = true;
		break;
	case IKE_CHILD_QUIET:
		assert(kid);
		kid->out = false;
		host->quiet++;
		break;
	case IKE_CHILD_DOWN:
		assert(kid);
		*kid = host->kids[--host->kid_count];
		host->child_downs++;
		break;
	default:
		host->moved++;
	}
}

void duo_release_answer(struct duo *duo, unsigned int i)
{
	ike_answer(duo->host[i].ike, duo->host[i].asked, &duo->host[i].answer, duo->now);
	duo_drain(duo, i);
}

void duo_release_install(struct duo *duo, unsigned int i)
{
	struct duo_host *host = &duo->host[i];

	while (host->waiting_count) {
		struct handle child = host->waiting[--host->waiting_count];

		ike_installed(host->ike, child, host->install_error, duo->now);
	}
	duo_drain(duo, i);
}

void duo_drain(struct duo *duo, unsigned int i)
{
	struct duo_host *host = &duo->host[i];
	bool answer = false, install = false;
	struct ike_output out;

	while (ike_next(host->ike, &out)) {
		switch (out.type) {
		case IKE_SEND:
			on_wire(duo, i, &out);
			break;
		case IKE_ASK_KEY:
			host->asks++;
			host->asked = out.sa;
			host->last_ask = out;
			host->answer.tag = out.tag;
			answer = !host->hold_answer;
			break;
		case IKE_UP:
			host->ups++;
			host->sa = out.sa;
			host->last_up = out;
			break;
		case IKE_REPLACED:
			host->replaced++;
			host->sa = out.sa;
			break;
		case IKE_DOWN:
			host->downs++;
			host->reason = out.down.reason;
			host->notify = out.down.notify;
			break;
		default:
			on_child(host, &out);
			install = !host->hold_install;
		}
	}
	if (answer)
		duo_release_answer(duo, i);
	if (install && host->waiting_count)
		duo_release_install(duo, i);
}

void duo_drop(struct duo *duo, size_t n)
{
	assert(n < duo->wire_count);
	memmove(&duo->wire[n], &duo->wire[n + 1], (duo->wire_count - n - 1) * sizeof(duo->wire[0]));
	duo->wire_count--;
}

void duo_deliver(struct duo *duo, size_t n)
{
	static struct duo_datagram datagram;
	struct ike_path path;
	unsigned int to;

	assert(n < duo->wire_count);
	datagram = duo->wire[n];
	duo_drop(duo, n);
	to = !datagram.from;
	path = (struct ike_path){
		.local = datagram.path.remote,
		.remote = datagram.path.local,
		.local_port = datagram.path.remote_port,
		.remote_port = datagram.path.local_port,
	};
	ike_datagram(duo->host[to].ike, &path, view_of(datagram.octets, datagram.len), duo->now);
	duo_drain(duo, to);
}

void duo_inject(struct duo *duo, unsigned int i, struct view octets)
{
	struct ike_path path = duo_path(duo, i);

	path.local_port = path.remote_port = 500;
	ike_datagram(duo->host[i].ike, &path, octets, duo->now);
	duo_drain(duo, i);
}

void duo_run(struct duo *duo)
{
	for (unsigned int i = 0; duo->wire_count && i < 1000; i++)
		duo_deliver(duo, 0);
	assert(!duo->wire_count);
}

void duo_pass(struct duo *duo, uint64_t span)
{
	uint64_t end = duo->now + span;

	for (;;) {
		uint64_t next = nstime_min(ike_deadline(duo->host[0].ike), ike_deadline(duo->host[1].ike));

		if (next > end)
			break;
		if (next > duo->now)
			duo->now = next;
		for (unsigned int i = 0; i < 2; i++) {
			ike_expire(duo->host[i].ike, duo->now);
			duo_drain(duo, i);
		}
		duo_run(duo);
	}
	duo->now = end;
}

unsigned int duo_sending(const struct duo *duo, unsigned int i)
{
	unsigned int sending = 0;

	for (size_t k = 0; k < duo->host[i].kid_count; k++)
		sending += duo->host[i].kids[k].out;
	return sending;
}

bool duo_agree(const struct duo *duo)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct duo_host *mine = &duo->host[i], *theirs = &duo->host[!i];

		for (size_t k = 0; k < mine->kid_count; k++) {
			bool found = false;

			if (!mine->kids[k].out)
				continue;
			for (size_t j = 0; j < theirs->kid_count; j++) {
				const struct child *a = &mine->kids[k].keys, *b = &theirs->kids[j].keys;

				if (a->spi_out_be == b->spi_in_be)
					found = theirs->kids[j].in && a->algorithm == b->algorithm &&
						a->esn == b->esn && a->tunnel == b->tunnel &&
						memcmp(a->key_out, b->key_in, CHILD_KEY_MAX) == 0;
			}
			if (!found)
				return false;
		}
	}
	return true;
}

struct ike_counts duo_counts(const struct duo *duo, unsigned int i)
{
	struct ike_counts counts;

	ike_count(duo->host[i].ike, &counts);
	return counts;
}
