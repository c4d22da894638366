// SPDX-License-Identifier: Apache-2.0
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/kem_standin.h"
#include "base/addr.h"

struct stage *stage;

static size_t stage_len;
static int saved[STAGE_STATES];
static struct sign_key *keys[2];

static const uint16_t curve[] = { KE_X25519, KE_P256, 0 }, kem[] = { 36, 0 }, none[] = { 0 };

/* ---- two engines ---- */

static void draw(void *arg, void *out, size_t len)
{
	struct stage_end *end = arg;
	uint8_t *at = out;

	for (size_t i = 0; i < len; i++) {
		/* splitmix64 */
		uint64_t z = (end->random += 0x9e3779b97f4a7c15ull);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		at[i] = (uint8_t)(z ^ (z >> 31));
	}
}

static uint32_t spi(void *arg, const struct hf_pair *pair)
{
	struct stage_end *end = arg;

	(void)pair;
	return __builtin_bswap32(end->next_spi++);
}

struct hf_addr stage_address(unsigned int i)
{
	return addr_from_v4(__builtin_bswap32(0x0a090001 + i));
}

/* PKCS#8 of Ed25519: a fixed head and the 32 octets of the key (RFC 8410 7). */
static struct sign_key *make_key(unsigned int i)
{
	uint8_t der[48] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
			    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	struct sign_key *key = NULL;
	struct err err = ERR_NONE;

	memset(der + 16, 0x11 * (int)(i + 1), 32);
	if (sign_key_parse(&key, VIEW_OF(der), "fuzz key", &err))
		abort();
	return key;
}

static struct ike_options options_of(enum stage_state state, unsigned int i)
{
	struct ike_options options = {
		.sas_max = 16,
		.host = { .arg = stage ? &stage->end[i] : NULL, .random = draw, .spi = spi },
		.profile = { .kex = curve, .add_kex = none },
		.key = keys[i],
	};

	if (state == STAGE_LOADED && i)
		options.cookie_half_open = 1;
	if (state == STAGE_INTERMEDIATE || state == STAGE_AFTER_KEM || state >= STAGE_KEM)
		options.profile.add_kex = kem;
	if (state == STAGE_NAT && !i)
		options.force_encap = true;
	options.profile.cbc = state == STAGE_CBC;
	memset(options.crash_secret, 0x40 + (int)i, sizeof(options.crash_secret));
	return options;
}

static size_t aligned(size_t octets)
{
	return (octets + 4095) / 4096 * 4096;
}

static size_t engine_len(void)
{
	struct ike_options options = options_of(STAGE_IDLE, 0);

	return aligned(ike_memory(&options));
}

static void make_engines(enum stage_state state)
{
	uint8_t *memory = (uint8_t *)stage + aligned(sizeof(*stage));
	struct err err = ERR_NONE;

	if (mmap(stage, stage_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != stage)
		abort();
	stage->now = 1000 * NSTIME_S;
	for (unsigned int i = 0; i < 2; i++) {
		struct ike_options options = options_of(state, i);

		stage->end[i].random = 77 + i;
		stage->end[i].next_spi = 0x1000 * (i + 1);
		stage->end[i].ike = ike_init(memory + i * engine_len(), &options, &err);
		if (!stage->end[i].ike)
			abort();
	}
}

/* ---- the caller's side ---- */

static bool is_same(struct handle a, struct handle b)
{
	return a.index == b.index && a.generation == b.generation;
}

static bool has(const struct handle *list, size_t count, struct handle handle)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(list[i], handle))
			return true;
	return false;
}

static void add(struct handle *list, size_t *count, struct handle handle)
{
	if (has(list, *count, handle))
		return;
	stage_demand(*count < STAGE_LIST);
	list[(*count)++] = handle;
}

static void take(struct handle *list, size_t *count, struct handle handle)
{
	for (size_t i = 0; i < *count; i++)
		if (is_same(list[i], handle))
			list[i--] = list[--*count];
}

static struct stage_kid *find_kid(struct stage_end *end, struct handle handle)
{
	for (size_t i = 0; i < end->kid_count; i++)
		if (is_same(end->kids[i].handle, handle))
			return &end->kids[i];
	return NULL;
}

static void on_wire(unsigned int from, const struct ike_output *out)
{
	struct stage_datagram *datagram;

	stage_demand(out->datagram.len && out->datagram.len <= STAGE_DATAGRAM);
	stage->end[from].sent++;
	stage->end[from].sent_octets += out->datagram.len;
	if (stage->wire_count == STAGE_WIRE)
		stage_drop(0);
	datagram = &stage->wire[stage->wire_count++];
	datagram->path = (struct ike_path){ .local = out->path.remote,
					    .remote = out->path.local,
					    .local_port = out->path.remote_port,
					    .remote_port = out->path.local_port };
	datagram->to = !from;
	datagram->len = out->datagram.len;
	memcpy(datagram->octets, out->datagram.at, out->datagram.len);
}

static void on_down(struct stage_end *end, const struct ike_output *out)
{
	stage_demand(has(end->known, end->known_count, out->sa));
	for (size_t i = 0; i < end->kid_count; i++)
		stage_demand(!is_same(end->kids[i].sa, out->sa)); /* children go first */
	take(end->known, &end->known_count, out->sa);
	take(end->asked, &end->asked_count, out->sa);
}

static void on_replaced(struct stage_end *end, const struct ike_output *out)
{
	stage_demand(has(end->known, end->known_count, out->replaced.old));
	take(end->known, &end->known_count, out->replaced.old);
	add(end->known, &end->known_count, out->sa);
	for (size_t i = 0; i < end->kid_count; i++)
		if (is_same(end->kids[i].sa, out->replaced.old))
			end->kids[i].sa = out->sa;
}

static void on_child(struct stage_end *end, const struct ike_output *out)
{
	struct stage_kid *kid = find_kid(end, out->child.child);

	if (out->type == IKE_CHILD_UP) {
		stage_demand(!kid && end->kid_count < STAGE_LIST && out->child.install_in);
		stage_demand(has(end->known, end->known_count, out->sa));
		kid = &end->kids[end->kid_count++];
		*kid = (struct stage_kid){ out->child.child, out->sa, out->child.keys, out->child.install_out };
		add(end->waiting, &end->waiting_count, out->child.child);
		return;
	}
	stage_demand(kid != NULL);
	if (out->type == IKE_CHILD_USE) {
		stage_demand(!kid->out && !memcmp(&kid->keys, &out->child.keys, sizeof(kid->keys)));
		kid->out = true;
	} else if (out->type == IKE_CHILD_QUIET) {
		kid->out = false;
	} else if (out->type == IKE_CHILD_MOVED) {
		/* Only the ports are new; what comes to be sent with later has them too. */
		kid->keys.encap_local = out->child.keys.encap_local;
		kid->keys.encap_remote = out->child.keys.encap_remote;
	} else if (out->type == IKE_CHILD_DOWN) {
		take(end->waiting, &end->waiting_count, out->child.child);
		*kid = end->kids[--end->kid_count];
	}
}

void stage_answer(unsigned int i, size_t n, unsigned int mode)
{
	struct stage_end *end = &stage->end[i];
	struct handle asked = end->asked[n];
	struct ike_answer said = { 0 };

	switch (mode) {
	default:
		said.keys = 1;
		said.spki[0] = sign_key_spki(keys[!i]);
		break;
	case 1:
		said.keys = 1;
		said.spki[0] = sign_key_spki(keys[i]);
		break;
	case 2:
		said.psk = view_of("shared", 6);
		break;
	case 3:
		said.null = true;
		break;
	case 4:
		said.keys = 1;
		said.spki[0] = view_of("no key", 6);
		said.peer = (struct ike_identity){ .type = ID_FQDN, .data = view_of("peer.example", 12) };
		said.own = (struct ike_identity){ .type = ID_FQDN, .data = view_of("own.example", 11) };
		break;
	case 5:
		break;
	}
	take(end->asked, &end->asked_count, asked);
	ike_answer(end->ike, asked, &said, stage->now);
}

/* How the prepared states authenticate; afterwards the script says. */
static unsigned int preparing;

void stage_installed(unsigned int i, size_t n, int error)
{
	struct stage_end *end = &stage->end[i];
	struct handle child = end->waiting[n];

	take(end->waiting, &end->waiting_count, child);
	ike_installed(end->ike, child, error, stage->now);
}

void stage_release(unsigned int i)
{
	struct stage_end *end = &stage->end[i];

	end->hold_answer = end->hold_install = false;
	stage_drain(i);
}

void stage_drain(unsigned int i)
{
	struct stage_end *end = &stage->end[i];
	struct ike_output out;

	for (unsigned int round = 0; round < 64; round++) {
		while (ike_next(end->ike, &out)) {
			switch (out.type) {
			case IKE_SEND:
				on_wire(i, &out);
				break;
			case IKE_ASK_KEY:
				add(end->known, &end->known_count, out.sa);
				add(end->asked, &end->asked_count, out.sa);
				break;
			case IKE_UP:
				stage_demand(has(end->known, end->known_count, out.sa));
				break;
			case IKE_REPLACED:
				on_replaced(end, &out);
				break;
			case IKE_DOWN:
				on_down(end, &out);
				break;
			default:
				on_child(end, &out);
			}
		}
		if (end->asked_count && !end->hold_answer)
			stage_answer(i, 0, preparing);
		else if (end->waiting_count && !end->hold_install)
			stage_installed(i, 0, 0);
		else
			return;
	}
	stage_demand(false);
}

/* ---- what happens ---- */

void stage_connect(unsigned int i, unsigned int flags)
{
	struct ike_connect connect = { .path = { .local = stage_address(i), .remote = stage_address(!i) },
				       .fail_open = flags & 1,
				       .initial_contact = flags & 2 };
	struct handle handle = ike_connect(stage->end[i].ike, &connect, stage->now);

	if (handle.generation)
		add(stage->end[i].known, &stage->end[i].known_count, handle);
	stage_drain(i);
}

void stage_drop(size_t n)
{
	stage_demand(n < stage->wire_count);
	stage->wire_count--;
	memmove(&stage->wire[n], &stage->wire[n + 1], (stage->wire_count - n) * sizeof(stage->wire[0]));
}

void stage_deliver(size_t n)
{
	static struct stage_datagram datagram;

	datagram = stage->wire[n];
	stage_drop(n);
	if (stage->history_count < STAGE_HISTORY)
		stage->history[stage->history_count++] = datagram;
	ike_datagram(stage->end[datagram.to].ike, &datagram.path, view_of(datagram.octets, datagram.len), stage->now);
	stage_drain(datagram.to);
}

void stage_run(void)
{
	for (unsigned int i = 0; stage->wire_count; i++) {
		stage_demand(i < 5000);
		stage_deliver(0);
	}
}

static void expire(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int n = 0; ike_deadline(stage->end[i].ike) <= stage->now; n++) {
			stage_demand(n < 100);
			ike_expire(stage->end[i].ike, stage->now);
			stage_drain(i);
		}
	}
}

void stage_pass(uint64_t span)
{
	stage->now += span;
	expire();
}

void stage_live(uint64_t span)
{
	uint64_t end = stage->now + span;

	stage_run();
	for (unsigned int i = 0;; i++) {
		uint64_t next = nstime_min(ike_deadline(stage->end[0].ike), ike_deadline(stage->end[1].ike));

		stage_demand(i < 5000);
		if (next > end)
			break;
		if (next > stage->now)
			stage->now = next;
		expire();
		stage_run();
	}
	stage->now = end;
}

/* ---- the prepared states ---- */

static void establish(void)
{
	stage_connect(0, 0);
	stage_run();
	stage_demand(stage->end[0].kid_count == 1 && stage->end[1].kid_count == 1);
	/* What an established peer may ask for is counted in time. */
	stage_pass(100 * NSTIME_S);
}

/* Delivers until `i` is in the state; what it says then is under way. */
static void until(unsigned int i, enum sa_state state)
{
	for (unsigned int n = 0; n < 20; n++) {
		const struct ike *ike = stage->end[i].ike;

		for (uint32_t at = pool_first(&ike->sas); at != POOL_NONE; at = pool_next(&ike->sas, at))
			if (((const struct sa *)pool_at(&ike->sas, at))->state == state)
				return;
		stage_demand(stage->wire_count);
		stage_deliver(0);
	}
	stage_demand(false);
}

static void rekey_child(unsigned int i)
{
	ike_rekey_child(stage->end[i].ike, stage->end[i].kids[0].handle, stage->now);
	stage_drain(i);
}

static void rekey(unsigned int i)
{
	ike_rekey(stage->end[i].ike, stage->end[i].known[0], stage->now);
	stage_drain(i);
}

/* 0's CREATE_CHILD_SA is answered, and what follows is under way. */
static void until_followup(void)
{
	while (stage->wire_count) {
		if (stage->wire[0].octets[18] == EXCHANGE_IKE_FOLLOWUP_KE)
			return;
		stage_deliver(0);
	}
	stage_demand(false);
}

static void prepare(enum stage_state state)
{
	make_engines(state);
	preparing = state == STAGE_NULL ? 3 : state == STAGE_CBC ? 2 : 0;
	if (state >= STAGE_ESTABLISHED && state != STAGE_CROSSING)
		establish();
	switch (state) {
	case STAGE_INIT_SENT:
	case STAGE_CROSSING:
		stage_connect(0, 0);
		if (state == STAGE_CROSSING)
			stage_connect(1, 0);
		break;
	case STAGE_KEY_AWAITED:
		stage->end[0].hold_answer = true;
		stage_connect(0, 0);
		until(0, SA_KEY_AWAITED);
		break;
	case STAGE_AUTH_SENT:
	case STAGE_AFTER_KEM:
		stage_connect(0, 0);
		until(0, SA_AUTH_SENT);
		break;
	case STAGE_INTERMEDIATE:
		stage_connect(0, 0);
		until(0, SA_INTERMEDIATE_SENT);
		break;
	case STAGE_KEY_ASKED:
	case STAGE_INSTALLING:
		stage->end[1].hold_answer = state == STAGE_KEY_ASKED;
		stage->end[1].hold_install = true;
		stage_connect(0, 0);
		until(1, state == STAGE_KEY_ASKED ? SA_KEY_ASKED : SA_INSTALLING);
		break;
	case STAGE_CHILD_WAITS:
		stage->end[1].hold_install = true;
		rekey_child(0);
		stage_deliver(0);
		break;
	case STAGE_CHILD_CROSSING:
		rekey_child(1);
		rekey_child(0);
		break;
	case STAGE_CHILD_REKEY:
		rekey_child(0);
		break;
	case STAGE_REKEY_CROSSING:
		rekey(1);
		rekey(0);
		break;
	case STAGE_REKEY:
		rekey(0);
		break;
	case STAGE_FOLLOWUP_CHILD:
		rekey_child(0);
		until_followup();
		break;
	case STAGE_FOLLOWUP_SA:
		rekey(0);
		until_followup();
		break;
	case STAGE_CLOSING:
		ike_close(stage->end[0].ike, stage->end[0].known[0], stage->now);
		stage_drain(0);
		break;
	default:
		break;
	}
	preparing = 0;
	stage_check();
}

static int save(void)
{
	int fd = memfd_create("stage", MFD_CLOEXEC);

	for (size_t done = 0; done < stage_len;) {
		ssize_t part = pwrite(fd, (uint8_t *)stage + done, stage_len - done, (off_t)done);

		if (part <= 0)
			abort();
		done += (size_t)part;
	}
	return fd;
}

void stage_open(void)
{
	struct err err = ERR_NONE;

	if (crypto_init(&err))
		abort();
	kex_stand_in(&kem_standin);
	for (unsigned int i = 0; i < 2; i++)
		keys[i] = make_key(i);
	stage_len = aligned(sizeof(*stage)) + 2 * engine_len();
	stage = mmap(NULL, stage_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		abort();
	for (enum stage_state state = 0; state < STAGE_STATES; state++) {
		prepare(state);
		saved[state] = save();
	}
}

void stage_load(enum stage_state state)
{
	/* A private mapping of the file: what the last input wrote is gone. */
	if (mmap(stage, stage_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, saved[state], 0) != stage)
		abort();
}
