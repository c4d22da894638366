// SPDX-License-Identifier: Apache-2.0
/*
 * What must never be, looked at after every call into an engine; and what must be when faults are over. It knows the engine's inside
 * only to count what is left in it.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"
#include "world.h"

/* ---- what strangers can do ---- */

static struct view without_marker(const struct datagram *datagram)
{
	struct view octets = view_of(datagram->octets, datagram->len);
	size_t marker = datagram->path.local_port != 500 && octets.len >= 4 ? 4 : 0;

	return view_of(octets.at + marker, octets.len - marker);
}

struct search {
	struct header header;
	bool found;
};

static bool see(void *arg, const struct ike_view *view)
{
	struct search *search = arg;

	search->found |= memcmp(view->spi_i, search->header.spi_i, SPI_LEN) == 0 &&
			 memcmp(view->spi_r, search->header.spi_r, SPI_LEN) == 0;
	return !search->found;
}

/* The other end does not have the SA that the datagram names: its crash token may be passed on by anybody (RFC 6290). */
static bool is_lost(const struct world *world, const struct datagram *datagram)
{
	unsigned int peer = host_by_addr(world, &datagram->path.remote);
	struct search search = { .found = false };

	if (peer == HOSTS_MAX || header_parse(&search.header, without_marker(datagram)))
		return false;
	if (world->hosts[peer].alive)
		ike_each(world->hosts[peer].ike, see, &search);
	return !search.found;
}

/* Nothing that came from somebody without a key may be more than a question, or the end of an attempt that had none else. */
static bool is_harmless(const struct world *world, const struct ike_output *out, const struct datagram *datagram)
{
	switch (out->type) {
	case IKE_SEND:
		return true;
	case IKE_ASK_KEY:
		/*
		 * A host whose IKE_SA_INIT came back to its own address may find an impostor there, who answers; if that answer and
		 * what follows come back the same way, the two talk, and the octets are a host's, sealed for that impostor.
		 */
		return datagram->origin == ORIGIN_IMPOSTOR ||
		       (datagram->origin == ORIGIN_MIRROR && world->hosts[world->call.host].impostor);
	case IKE_DOWN:
		if (datagram->origin == ORIGIN_IMPOSTOR && !out->down.was_up)
			return true;
		return out->down.reason == IKE_PEER_RESTARTED && is_lost(world, datagram);
	case IKE_CHILD_DOWN:
		return is_lost(world, datagram);
	default:
		return false;
	}
}

void judge_output(struct world *world, const struct ike_output *out)
{
	const struct datagram *datagram = world->call.datagram;

	if (out->type == IKE_SEND) {
		if (out->datagram.len > DATAGRAM_MAX)
			fail(world, "a datagram of %zu octets", out->datagram.len);
		if (datagram && addr_equal(&out->path.remote, &datagram->path.remote)) {
			world->call.sent++;
			world->call.sent_octets += out->datagram.len;
		}
	}
	if (datagram && datagram->origin >= ORIGIN_MIRROR && !is_harmless(world, out, datagram))
		fail(world, "h%u: output %d for a datagram of somebody without a key", world->call.host, out->type);
}

/* Before an address is validated an answer is one datagram and no longer than the question (docs/PROTOCOL.md). */
static void judge_amplification(struct world *world)
{
	struct view octets = without_marker(world->call.datagram);
	struct header header;
	struct chain chain;

	if (!world->call.sent || header_parse(&header, octets) || header.flags & FLAG_RESPONSE ||
	    header.exchange != EXCHANGE_IKE_SA_INIT)
		return;
	if (!chain_parse(&chain, header.next, view_of(octets.at + HEADER_LEN, octets.len - HEADER_LEN), false) &&
	    chain_notify(&chain, NOTIFY_COOKIE))
		return;
	if (world->call.sent > 1 || world->call.sent_octets > world->call.datagram->len)
		fail(world, "h%u: %zu octets in %u datagrams for %zu of a stranger", world->call.host,
		     world->call.sent_octets, world->call.sent, world->call.datagram->len);
}

static uint32_t distance(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

static void judge_stranger(struct world *world, const struct ike_counts *after)
{
	const struct ike_counts *before = &world->call.before;

	if (is_lost(world, world->call.datagram))
		return;
	if (after->established != before->established || after->children != before->children ||
	    distance(after->sas, before->sas) > 1 || distance(after->half_open, before->half_open) > 1)
		fail(world, "h%u: somebody without a key changed more than a half-open SA: %u to %u SAs",
		     world->call.host, before->sas, after->sas);
}

/* ---- after every call ---- */

/* Whoever follows a peer through a translator sends IKE and ESP to the same place, and its caller knows where. */
static void judge_ways(struct world *world, struct host *host)
{
	for (uint32_t i = pool_first(&host->ike->kids); i != POOL_NONE; i = pool_next(&host->ike->kids, i)) {
		const struct kid *kid = pool_at(&host->ike->kids, i);
		const struct sa *sa = pool_at(&host->ike->sas, kid->sa);
		const struct kid_note *note = kid_find(host, pool_handle(&host->ike->kids, kid));

		if (kid->child.encap && (kid->child.encap_remote != sa->path.remote_port || !note ||
					 note->keys.encap_remote != kid->child.encap_remote ||
					 !addr_equal(&note->remote, &sa->path.remote)))
			fail(world, "h%u: child %08x goes another way than its IKE SA", host->index,
			     __builtin_bswap32(kid->child.spi_in_be));
	}
}

void judge_call(struct world *world)
{
	struct host *host = &world->hosts[world->call.host];
	const struct datagram *datagram = world->call.datagram;
	struct ike_counts counts;

	judge_ways(world, host);
	ike_count(host->ike, &counts);
	if (counts.outputs_lost)
		fail(world, "h%u: %llu outputs lost", host->index, (unsigned long long)counts.outputs_lost);
	if (counts.children != host->kid_count)
		fail(world, "h%u: %u Child SAs, %u announced", host->index, counts.children, host->kid_count);
	if (counts.sas < host->note_count || counts.half_open > host->ike->half_open_max ||
	    counts.half_open > counts.sas)
		fail(world, "h%u: %u SAs, %u half open, %u known to the caller", host->index, counts.sas,
		     counts.half_open, host->note_count);
	if (!datagram)
		return;
	judge_amplification(world);
	if (datagram->origin == ORIGIN_FORGED || datagram->origin == ORIGIN_MIRROR)
		judge_stranger(world, &counts);
}

/* ---- who is up ---- */

void judge_up(struct world *world, unsigned int index, const struct ike_output *out)
{
	const struct note *note = note_find(&world->hosts[index], out->sa);
	const struct host *peer = &world->hosts[note->peer];
	uint8_t expected[SHA256_LEN] = { 0 };
	struct view spki = sign_key_spki(peer->key);

	if (out->up.auth != world->auth)
		fail(world, "h%u: UP by method %d", index, out->up.auth);
	if (world->auth != IKE_AUTH_NULL && peer->impostor)
		fail(world, "h%u: UP with impostor h%u", index, note->peer);
	if (world->auth == IKE_AUTH_SIGNATURE)
		hash_sha256(expected, &spki, 1);
	if (memcmp(expected, out->up.key, sizeof(expected)) != 0)
		fail(world, "h%u: UP with another key than h%u's", index, note->peer);
}

/* ---- two ends of a Child SA ---- */

/* Ports are each end's own view where a translator is between them: judge_agree asks where they lead to. */
static bool fit(const struct child *a, const struct child *b, bool translated)
{
	return a->spi_in_be == b->spi_out_be && a->spi_out_be == b->spi_in_be && a->algorithm == b->algorithm &&
	       a->esn == b->esn && a->tunnel == b->tunnel && a->encap == b->encap &&
	       (translated || (a->encap_local == b->encap_remote && a->encap_remote == b->encap_local)) &&
	       memcmp(a->key_in, b->key_out, CHILD_KEY_MAX) == 0 && memcmp(a->key_out, b->key_in, CHILD_KEY_MAX) == 0;
}

static bool is_between(const struct host *a, const struct host *b)
{
	return a->outside_port || b->outside_port;
}

static bool is_zero(const uint8_t *key)
{
	static const uint8_t zero[CHILD_KEY_MAX];

	return memcmp(key, zero, CHILD_KEY_MAX) == 0;
}

void judge_record(struct world *world, unsigned int index, const struct child *child)
{
	struct record *record = record_of(world, child->spi_in_be), *mirror = record_of(world, child->spi_out_be);

	if (record->host != index || record->announced) {
		fail(world, "h%u: Child SA under an SPI that %s", index,
		     record->announced ? "is taken" : "nobody gave");
		return;
	}
	if (is_zero(child->key_in) || is_zero(child->key_out))
		fail(world, "h%u: Child SA without keys", index);
	record->announced = true;
	record->keys = *child;
	if (mirror->announced &&
	    !fit(child, &mirror->keys, is_between(&world->hosts[index], &world->hosts[mirror->host])))
		fail(world, "h%u and h%u disagree about a Child SA", index, mirror->host);
}

/* Whether the peer has any Child SA left of this one's IKE SA: if not, it is gone there, and nothing that is sent arrives anyway. */
static bool shares_sa(const struct world *world, const struct host *host, const struct kid_note *kid)
{
	const struct host *peer = &world->hosts[kid->peer];

	for (unsigned int i = 0; i < host->kid_count; i++) {
		if (host->kids[i].sa.index != kid->sa.index || host->kids[i].sa.generation != kid->sa.generation)
			continue;
		for (unsigned int j = 0; j < peer->kid_count; j++)
			if (peer->kids[j].keys.spi_in_be == host->kids[i].keys.spi_out_be)
				return true;
	}
	return false;
}

/*
 * Who made a Child SA sends only when the other end can receive: it has answered, and it answers when its kernel has it (RFC 7296 2.8).
 * The other end sends at once where there is nothing else to send with, and else when the maker has shown that it has it.
 */
void judge_sending(struct world *world, unsigned int index, const struct kid_note *kid)
{
	const struct host *host = &world->hosts[index];
	const struct record *mirror = record_of(world, kid->keys.spi_out_be);
	bool at_once = kid->responder && !kid->used;

	/* Who waited for the other's Delete by a clock that jumped did not wait long enough. */
	if (world->call.timer && (host->ahead_ns || world->hosts[kid->peer].ahead_ns))
		return;
	if (host->impostor)
		return;
	if (mirror->host != kid->peer)
		fail(world, "h%u: sends to h%u under an SPI of h%u", index, kid->peer, mirror->host);
	if (!at_once && (!mirror->announced || !mirror->installed) && shares_sa(world, host, kid))
		fail(world, "h%u: sends under %08x, which h%u cannot receive", index,
		     __builtin_bswap32(kid->keys.spi_out_be), kid->peer);
}

/* ---- when all is calm ---- */

unsigned int judge_sends(const struct world *world, unsigned int index, unsigned int peer)
{
	const struct host *host = &world->hosts[index];
	unsigned int sends = 0;

	for (unsigned int i = 0; i < host->kid_count; i++)
		sends += host->kids[i].peer == peer && host->kids[i].out;
	return sends;
}

static bool is_received(const struct host *host, const struct host *sender, const struct kid_note *kid)
{
	if (kid->keys.encap && !net_leads_to(host, &kid->remote, kid->keys.encap_remote))
		return false;
	for (unsigned int i = 0; i < host->kid_count; i++)
		if (host->kids[i].in && host->kids[i].keys.spi_in_be == kid->keys.spi_out_be)
			return fit(&host->kids[i].keys, &kid->keys, is_between(host, sender));
	return false;
}

bool judge_agree(const struct world *world, unsigned int a, unsigned int b)
{
	const struct host *host = &world->hosts[a];

	for (unsigned int i = 0; i < host->kid_count; i++)
		if (host->kids[i].peer == b && host->kids[i].out &&
		    !is_received(&world->hosts[b], host, &host->kids[i]))
			return false;
	return true;
}

static uint64_t blocks_of(const struct blob *blob)
{
	return (blob->len + IKE_BLOCK - 1) / IKE_BLOCK;
}

/* All message memory in use belongs to the last response of some SA. */
static bool has_lost_blocks(const struct ike *ike)
{
	uint64_t expected = 0;

	for (uint32_t i = pool_first(&ike->sas); i != POOL_NONE; i = pool_next(&ike->sas, i)) {
		const struct sa *sa = pool_at(&ike->sas, i);

		expected += blocks_of(&sa->response) + blocks_of(&sa->request.message);
	}
	return expected != ike->blocks.used;
}

/* For a request, an answer to a question about its life, or its end. */
static const char *waits_for(const struct ike *ike)
{
	for (uint32_t i = pool_first(&ike->sas); i != POOL_NONE; i = pool_next(&ike->sas, i)) {
		const struct sa *sa = pool_at(&ike->sas, i);

		if (sa->request.kind != REQUEST_NONE)
			return ", waits for a response";
		if (sa->short_probe || sa->loser)
			return sa->loser ? ", has a loser" : ", doubts an SA";
	}
	return "";
}

struct counterpart {
	const struct world *world;
	const struct ike_view *mine;
	bool found, missed;
};

static bool see_theirs(void *arg, const struct ike_view *view)
{
	struct counterpart *counterpart = arg;
	const struct ike_view *mine = counterpart->mine;

	counterpart->found |= view->established && view->responder != mine->responder &&
			      memcmp(view->spi_i, mine->spi_i, SPI_LEN) == 0 &&
			      memcmp(view->spi_r, mine->spi_r, SPI_LEN) == 0 && view->children == mine->children;
	return !counterpart->found;
}

static bool see_mine(void *arg, const struct ike_view *view)
{
	struct counterpart *counterpart = arg;
	const struct world *world = counterpart->world;
	unsigned int peer = host_by_addr(world, &view->path.remote);

	counterpart->mine = view;
	counterpart->found = false;
	if (peer < HOSTS_MAX && world->hosts[peer].alive &&
	    net_leads_to(&world->hosts[peer], &view->path.remote, view->path.remote_port))
		ike_each(world->hosts[peer].ike, see_theirs, counterpart);
	counterpart->missed |= !counterpart->found;
	return true;
}

/* Each IKE SA is there at the other end as well, with as many children: two ends may have one each and not the same. */
static bool has_counterparts(const struct world *world, unsigned int index)
{
	struct counterpart counterpart = { .world = world };

	ike_each(world->hosts[index].ike, see_mine, &counterpart);
	return !counterpart.missed;
}

const char *judge_host(struct world *world, unsigned int index, unsigned int sas, unsigned int children)
{
	static char text[200];
	const struct host *host = &world->hosts[index];
	struct ike_counts counts;

	ike_count(host->ike, &counts);
	if (counts.sas == sas && counts.children == children && host->note_count == sas && !counts.half_open &&
	    counts.established == sas && !pool_count(&host->ike->works) && !pool_count(&host->ike->reassemblies) &&
	    !has_lost_blocks(host->ike) && !waits_for(host->ike)[0]) {
		if (has_counterparts(world, index))
			return NULL;
		snprintf(text, sizeof(text), "h%u has an IKE SA that its peer does not have", index);
		return text;
	}
	snprintf(
		text, sizeof(text),
		"h%u should have %u SAs, %u children, and has %u SAs (%u known, %u established, %u half open), %u children, %u works, "
		"%u reassemblies, %llu blocks%s%s",
		index, sas, children, counts.sas, host->note_count, counts.established, counts.half_open,
		counts.children, pool_count(&host->ike->works), pool_count(&host->ike->reassemblies),
		(unsigned long long)counts.blocks, has_lost_blocks(host->ike) ? " of which some are lost" : "",
		waits_for(host->ike));
	return text;
}

const char *judge_calm(struct world *world)
{
	static char text[200];

	for (unsigned int a = 0; a < world->host_count; a++) {
		unsigned int links = 0;
		const char *why;

		if (!world->hosts[a].alive) {
			if (world->hosts[a].twin_of == HOSTS_MAX)
				return "a host is down";
			continue;
		}
		for (unsigned int b = 0; b < world->host_count; b++) {
			bool wanted = world->hosts[a].wants[b] || world->hosts[b].wants[a];
			unsigned int sends = judge_sends(world, a, b), back = judge_sends(world, b, a);

			links += sends;
			if (sends == back && sends <= 1 && (sends || !wanted) && judge_agree(world, a, b))
				continue;
			snprintf(text, sizeof(text), "h%u sends to h%u with %u SAs, back with %u%s%s", a, b, sends,
				 back, wanted ? ", wanted" : "",
				 judge_agree(world, a, b) ? "" : ", and they do not agree");
			return text;
		}
		why = judge_host(world, a, links, links);
		if (why)
			return why;
	}
	return NULL;
}

const char *judge_empty(struct world *world, unsigned int index)
{
	const struct ike *ike = world->hosts[index].ike;
	const struct {
		const char *what;
		uint64_t count;
	} left[] = {
		{ "SAs", pool_count(&ike->sas) },
		{ "works", pool_count(&ike->works) },
		{ "children", pool_count(&ike->kids) },
		{ "reassemblies", pool_count(&ike->reassemblies) },
		{ "SPIs", table_count(&ike->by_spi) },
		{ "requests", table_count(&ike->by_init) },
		{ "pairs", table_count(&ike->by_pair) },
		{ "sources", table_count(&ike->sources) },
		{ "sources without a name", table_count(&ike->nulls) },
		{ "blocks", ike->blocks.used },
		{ "half-open SAs", ike->half_open },
		{ "SAs without a name", ike->nulls_count },
		{ "established SAs", ike->counts.established },
		{ "SAs of the caller", world->hosts[index].note_count },
	};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		if (left[i].count)
			return left[i].what;
	return NULL;
}
