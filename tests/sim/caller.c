// SPDX-License-Identifier: Apache-2.0
/*
 * The caller's part of ike.h, as an agent would play it: it keeps a note of each IKE SA and each Child SA, answers for keys and SPIs late,
 * and has a kernel that takes its time and sometimes refuses. Every output is held against what ike.h promises.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "world.h"

#define TAG_CONNECT 1000
#define TAG_ANSWER 2000

static bool is_same(struct handle a, struct handle b)
{
	return a.index == b.index && a.generation == b.generation;
}

struct note *note_find(struct host *host, struct handle sa)
{
	for (unsigned int i = 0; i < host->note_count; i++)
		if (is_same(host->notes[i].sa, sa))
			return &host->notes[i];
	return NULL;
}

struct kid_note *kid_find(struct host *host, struct handle child)
{
	for (unsigned int i = 0; i < host->kid_count; i++)
		if (is_same(host->kids[i].handle, child))
			return &host->kids[i];
	return NULL;
}

struct record *record_of(struct world *world, uint32_t spi_be)
{
	static struct record nobodys;
	uint32_t at = __builtin_bswap32(spi_be) - SPI_FIRST, host = at / RECORDS_MAX;

	nobodys = (struct record){ .host = HOSTS_MAX };
	if (host >= world->host_count || at % RECORDS_MAX >= world->hosts[host].created)
		return &nobodys;
	world->records[host][at % RECORDS_MAX].host = host;
	return &world->records[host][at % RECORDS_MAX];
}

static void keep_stale(struct host *host, struct handle handle)
{
	host->stale[host->stale_count++ % (sizeof(host->stale) / sizeof(host->stale[0]))] = handle;
}

static struct note *note_add(struct world *world, unsigned int index, struct handle sa, unsigned int peer,
			     bool responder)
{
	struct host *host = &world->hosts[index];
	struct note *note = &host->notes[host->note_count];

	if (host->note_count == NOTES_MAX) {
		fail(world, "h%u: more IKE SAs than an engine has room for", index);
		return &host->notes[0];
	}
	host->note_count++;
	*note = (struct note){ .sa = sa, .peer = peer, .responder = responder, .made_ns = world->now };
	return note;
}

/* ---- slow answers ---- */

static uint64_t thinking_time(struct world *world)
{
	if (world->manual)
		return 0;
	if (world->weather.faults && rng_chance(&world->rng, world->weather.slow_caller))
		return rng_between(&world->rng, 0, 5 * NSTIME_S);
	return rng_between(&world->rng, 0, 60 * NSTIME_MS);
}

static struct view secret_of(char *memory, size_t size, const struct world *world, unsigned int a, unsigned int b)
{
	bool wrong = world->hosts[a].impostor || world->hosts[b].impostor;
	int len = snprintf(memory, size, "%s secret of %u and %u", wrong ? "a wrong" : "the", a < b ? a : b,
			   a < b ? b : a);

	/* Each of the two has another wrong one. */
	return view_of(memory, (size_t)len - (wrong && a < b));
}

void caller_answer(struct world *world, unsigned int index, struct handle sa)
{
	struct host *host = &world->hosts[index];
	struct note *note = note_find(host, sa);
	struct ike_answer answer = { 0 };
	const struct host *peer;
	char secret[64];

	if (!note)
		return;
	peer = &world->hosts[note->peer];
	answer.tag = TAG_ANSWER + note->peer;
	if (world->weather.faults && rng_chance(&world->rng, world->weather.refuse_key)) {
		say(world, index, "has no key for h%u", note->peer);
	} else if (world->auth == IKE_AUTH_SIGNATURE) {
		/* For an impostor with an address of its own the list has nobody's key: whoever has it could prove it by way of a mirror. */
		answer.keys = 1;
		answer.spki[0] = sign_key_spki(peer->impostor ? world_nobody() : peer->key);
	} else if (world->auth == IKE_AUTH_PSK) {
		answer.psk = secret_of(secret, sizeof(secret), world, index, note->peer);
	} else {
		answer.null = true;
	}
	note->answered = true;
	call_begin(world, index, NULL);
	ike_answer(host->ike, sa, &answer, host_now(world, index));
	call_end(world);
}

void caller_install(struct world *world, unsigned int index, struct handle child)
{
	struct host *host = &world->hosts[index];
	struct kid_note *kid = kid_find(host, child);
	int error = 0;

	if (!kid || kid->answered)
		return;
	kid->answered = true;
	if (world->weather.faults && rng_chance(&world->rng, world->weather.refuse_install))
		error = -EEXIST;
	say(world, index, "kernel %s child %08x", error ? "refuses" : "takes", __builtin_bswap32(kid->keys.spi_in_be));
	if (error) {
		kid->refused = true;
	} else {
		kid->in = kid->want_in;
		record_of(world, kid->keys.spi_in_be)->installed = kid->in;
		kid->out = kid->want_out;
		kid->sending_since_ns = world->now;
		if (kid->out)
			judge_sending(world, index, kid);
	}
	call_begin(world, index, NULL);
	ike_installed(host->ike, child, error, host_now(world, index));
	call_end(world);
}

struct handle caller_connect(struct world *world, unsigned int index, unsigned int peer)
{
	struct host *host = &world->hosts[index];
	struct ike_connect connect = {
		.path = { .local = host->inside, .remote = world->hosts[peer].addr },
		.tag = TAG_CONNECT + peer,
		.initial_contact = !host->contacted[peer] && !world->manual && rng_chance(&world->rng, 500),
		.fail_open = !world->manual && rng_chance(&world->rng, 200),
	};
	struct handle sa;

	/* True only when nothing is there that it would end. */
	for (unsigned int i = 0; i < host->note_count; i++)
		if (host->notes[i].peer == peer)
			connect.initial_contact = false;
	host->contacted[peer] = true;
	world->totals.connects++;
	say(world, index, "connects to h%u%s%s", peer, connect.initial_contact ? ", initial contact" : "",
	    connect.fail_open ? ", short" : "");
	call_begin(world, index, NULL);
	sa = ike_connect(host->ike, &connect, host_now(world, index));
	if (sa.generation)
		note_add(world, index, sa, peer, false)->tag = connect.tag;
	call_end(world);
	return sa;
}

/* ---- outputs ---- */

static bool has_sa_tagged(const struct host *host, unsigned int peer, uint64_t tag)
{
	for (unsigned int i = 0; i < host->note_count; i++)
		if (host->notes[i].peer == peer && host->notes[i].up && tag == TAG_ANSWER + peer)
			return true;
	return false;
}

static void on_ask(struct world *world, unsigned int index, const struct ike_output *out)
{
	struct host *host = &world->hosts[index];
	struct note *note = note_find(host, out->sa);
	unsigned int peer = host_by_addr(world, &out->path.remote);

	if (peer == HOSTS_MAX || (note && (note->answered || out->ask.responder))) {
		fail(world, "h%u: ASK_KEY for an SA that is %s", index, note ? "known" : "not of ours");
		return;
	}
	if (!note) {
		note = note_add(world, index, out->sa, peer, out->ask.responder);
		/* The engine starts by itself in place of an SA that the peer does not rekey. */
		if (!note->responder) {
			note->tag = out->tag;
			if (!has_sa_tagged(host, peer, out->tag))
				fail(world, "h%u: ASK_KEY out of nothing", index);
		}
	}
	say(world, index, "ASK_KEY for h%u%s", peer, note->responder ? ", who starts" : "");
	event_add(world, thinking_time(world), EVENT_ANSWER, index, out->sa, NULL);
}

static void on_up(struct world *world, unsigned int index, const struct ike_output *out)
{
	struct note *note = note_find(&world->hosts[index], out->sa);

	if (!note || note->up || !note->answered || note->responder != out->up.responder) {
		fail(world, "h%u: UP that nobody waits for", index);
		return;
	}
	say(world, index, "UP with h%u as %s, SA %u.%u", note->peer, note->responder ? "responder" : "initiator",
	    note->sa.index, note->sa.generation);
	note->up = true;
	note->up_ns = note->heard_ns = world->now;
	judge_up(world, index, out);
}

static void on_replaced(struct world *world, unsigned int index, const struct ike_output *out)
{
	struct host *host = &world->hosts[index];
	struct note *note = note_find(host, out->replaced.old);

	if (!note || !note->up || note_find(host, out->sa)) {
		fail(world, "h%u: REPLACED of an SA that is not up", index);
		return;
	}
	say(world, index, "REPLACED, h%u, SA %u.%u by %u.%u", note->peer, note->sa.index, note->sa.generation,
	    out->sa.index, out->sa.generation);
	world->totals.rekeys++;
	for (unsigned int i = 0; i < host->kid_count; i++)
		if (is_same(host->kids[i].sa, note->sa))
			host->kids[i].sa = out->sa;
	keep_stale(host, note->sa);
	note->sa = out->sa;
}

static void on_down(struct world *world, unsigned int index, const struct ike_output *out)
{
	struct host *host = &world->hosts[index];
	struct note *note = note_find(host, out->sa);

	if (!note || note->up != out->down.was_up || out->down.reason == IKE_REASON_NONE) {
		fail(world, "h%u: DOWN of an SA that is %s", index, note ? "told otherwise" : "not known");
		return;
	}
	say(world, index, "DOWN, h%u, SA %u.%u: %s (%u)", note->peer, note->sa.index, note->sa.generation,
	    ike_reason_name(out->down.reason), out->down.notify);
	for (unsigned int i = 0; i < host->kid_count; i++)
		if (is_same(host->kids[i].sa, note->sa))
			fail(world, "h%u: DOWN before a child's CHILD_DOWN", index);
	if (world->settled)
		fail(world, "h%u: DOWN when all was calm: %s", index, ike_reason_name(out->down.reason));
	/* Not at once again, and not both at the same moment. */
	host->retry_ns[note->peer] = world->now + rng_between(&world->rng, 0, 3 * NSTIME_S);
	keep_stale(host, note->sa);
	*note = host->notes[--host->note_count];
}

static void on_child_up(struct world *world, unsigned int index, const struct ike_output *out)
{
	struct host *host = &world->hosts[index];
	struct note *note = note_find(host, out->sa);
	struct kid_note *kid = &host->kids[host->kid_count];

	if (!note || !note->up) {
		fail(world, "h%u: CHILD_UP without UP", index);
		return;
	}
	if (kid_find(host, out->child.child) || host->kid_count == KIDS_MAX || !out->child.install_in) {
		fail(world, "h%u: CHILD_UP twice, or without inbound SA, or too many", index);
		return;
	}
	host->kid_count++;
	note->had_child = true;
	*kid = (struct kid_note){
		.handle = out->child.child,
		.sa = out->sa,
		.peer = note->peer,
		.keys = out->child.keys,
		.want_in = true,
		.want_out = out->child.install_out,
		.responder = out->child.responder,
		.remote = out->path.remote,
	};
	say(world, index, "CHILD_UP with h%u, in %08x out %08x%s%s", note->peer, __builtin_bswap32(kid->keys.spi_in_be),
	    __builtin_bswap32(kid->keys.spi_out_be), kid->want_out ? "" : ", only in",
	    kid->responder ? ", responder" : "");
	world->totals.rekeys += out->child.replaces_in_be != 0;
	judge_record(world, index, &kid->keys);
	event_add(world, thinking_time(world), EVENT_INSTALL, index, out->child.child, NULL);
}

/*
 * Only a peer whose address is translated moves, and where it had been; it is sent to there from now on. At another address some agents want
 * to begin anew, since keys are bound to addresses.
 */
static void on_moved(struct world *world, unsigned int index, struct kid_note *kid, const struct ike_output *out)
{
	const struct host *host = &world->hosts[index], *peer = &world->hosts[kid->peer];
	uint16_t port = out->child.keys.encap_remote;

	if (!peer->outside_port || host->outside_port || host_by_addr(world, &out->path.remote) != kid->peer ||
	    !kid->keys.encap || port != out->path.remote_port || port > peer->outside_port)
		fail(world, "h%u: CHILD_MOVED to where h%u never was", index, kid->peer);
	if (!addr_equal(&kid->remote, &out->path.remote) && rng_chance(&world->moves, 500))
		event_add(world, 0, EVENT_CLOSE, index, out->sa, NULL);
	kid->remote = out->path.remote;
	kid->keys.encap_remote = port;
	world->totals.moves++;
}

/* USE, QUIET, MOVED, DOWN: of a child that stands. */
static void on_child(struct world *world, unsigned int index, const struct ike_output *out)
{
	static const char *const names[] = {
		[IKE_CHILD_USE] = "USE", [IKE_CHILD_QUIET] = "QUIET", [IKE_CHILD_DOWN] = "DOWN", [IKE_CHILD_MOVED] = "MOVED"
	};
	struct host *host = &world->hosts[index];
	struct kid_note *kid = kid_find(host, out->child.child);

	if (!kid || !is_same(kid->sa, out->sa) || kid->keys.spi_in_be != out->child.keys.spi_in_be) {
		fail(world, "h%u: CHILD_%s of %s", index, names[out->type], kid ? "another SA's child" : "no child");
		return;
	}
	say(world, index, "CHILD_%s in %08x%s", names[out->type], __builtin_bswap32(kid->keys.spi_in_be),
	    out->type == IKE_CHILD_DOWN && out->child.replaced ? ", replaced" : "");
	switch (out->type) {
	case IKE_CHILD_USE:
		if (kid->want_out || memcmp(kid->keys.key_out, out->child.keys.key_out, CHILD_KEY_MAX) != 0)
			fail(world, "h%u: CHILD_USE %s", index, kid->want_out ? "twice" : "with other keys");
		kid->want_out = kid->out = kid->used = true;
		kid->sending_since_ns = world->now;
		judge_sending(world, index, kid);
		break;
	case IKE_CHILD_QUIET:
		if (!kid->want_out)
			fail(world, "h%u: CHILD_QUIET of a child that does not send", index);
		kid->want_out = kid->out = false;
		break;
	case IKE_CHILD_DOWN:
		record_of(world, kid->keys.spi_in_be)->gone = true;
		keep_stale(host, kid->handle);
		*kid = host->kids[--host->kid_count];
		break;
	default:
		on_moved(world, index, kid, out);
	}
}

/* What the caller said comes back with everything. */
static void check_tag(struct world *world, unsigned int index, const struct ike_output *out)
{
	const struct note *note = note_find(&world->hosts[index], out->sa);
	uint64_t tag;

	if (!note || out->type == IKE_SEND)
		return;
	tag = note->answered ? TAG_ANSWER + note->peer : note->tag;
	if (out->tag != tag)
		fail(world, "h%u: tag %llu instead of %llu", index, (unsigned long long)out->tag,
		     (unsigned long long)tag);
}

void caller_outputs(struct world *world, unsigned int index)
{
	struct ike_output out;

	while (!world->failure[0] && ike_next(world->hosts[index].ike, &out)) {
		judge_output(world, &out);
		if (out.type != IKE_ASK_KEY && out.type != IKE_REPLACED)
			check_tag(world, index, &out);
		switch (out.type) {
		case IKE_SEND:
			net_send(world, index, &out.path, out.datagram);
			break;
		case IKE_ASK_KEY:
			on_ask(world, index, &out);
			break;
		case IKE_UP:
			on_up(world, index, &out);
			break;
		case IKE_REPLACED:
			on_replaced(world, index, &out);
			break;
		case IKE_DOWN:
			on_down(world, index, &out);
			break;
		case IKE_CHILD_UP:
			on_child_up(world, index, &out);
			break;
		default:
			on_child(world, index, &out);
		}
	}
}
