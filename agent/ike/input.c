// SPDX-License-Identifier: Apache-2.0
/*
 * A datagram's way in: header, SA, message ID, ICV, form, table of states, handler; in this order, so that what costs more comes after
 * what costs less and nothing is looked at before it was verified (RFC 7296 2.1, 2.2, 2.21, 3.1; RFC 7383 2.6).
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

#define MARKER_LEN 4

/* ---- fragments ---- */

static struct assembling *assembling_of(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct assembling *assembling;
	struct handle handle;

	if (sa->reassembly)
		return pool_at(&ike->reassemblies, sa->reassembly - 1);
	handle = pool_take(&ike->reassemblies);
	if (!handle.generation)
		return NULL;
	sa->reassembly = handle.index + 1;
	assembling = pool_get(&ike->reassemblies, handle);
	assembling->drop_ns = nstime_add(now, IKE_REASSEMBLY_LIFE);
	sa_schedule(ike, sa);
	return assembling;
}

uint64_t input_fragments_end(const struct ike *ike, const struct sa *sa)
{
	const struct assembling *assembling = sa->reassembly ? pool_at(&ike->reassemblies, sa->reassembly - 1) : NULL;

	return assembling ? assembling->drop_ns : NSTIME_NEVER;
}

void input_forget_fragments(struct ike *ike, struct sa *sa)
{
	struct assembling *assembling = sa->reassembly ? pool_at(&ike->reassemblies, sa->reassembly - 1) : NULL;

	sa->reassembly = 0;
	if (assembling) {
		secret_wipe(assembling->store, sizeof(assembling->store));
		pool_put(&ike->reassemblies, pool_handle(&ike->reassemblies, assembling));
	}
}

static void on_bad_icv(struct ike *ike, struct sa *sa, uint64_t now)
{
	ike->counts.bad_icv++;
	/* Anyone can send garbage to an established SA; a half-open one is worth no more tries than that. */
	if (sa->state == SA_HALF_OPEN && ++sa->bad_icvs >= IKE_HALF_OPEN_BAD_ICV)
		sa_drop(ike, sa, IKE_TIMEOUT, now);
}

static uint64_t hash_of(const struct ike *ike, struct view datagram)
{
	return siphash_of(ike->options.table_seed, datagram.at, datagram.len);
}

/* One fragment. True when the message is complete: in->plain then is all of it. */
static bool take_fragment(struct ike *ike, struct received *in, const struct keymat *keys, bool by_initiator,
			  uint64_t now)
{
	struct assembling *assembling;
	struct fragment fragment;
	struct view content;
	int rc;

	if (seal_fragment_parse(&fragment, &in->chain) || !(in->sa->features & FEATURE_FRAGMENTATION)) {
		ike->counts.bad_syntax++;
		return false;
	}
	assembling = in->sa->reassembly ? assembling_of(ike, in->sa, now) : NULL;
	if (assembling && !reassembly_wants(&assembling->state, in->header.mid, &fragment))
		return false;
	if (seal_open(ike->in_plain, &content, in->datagram, &in->chain, keys, by_initiator)) {
		on_bad_icv(ike, in->sa, now);
		return false;
	}
	if (!(in->header.flags & FLAG_RESPONSE) && fragment.number == 1)
		in->sa->request_hash = hash_of(ike, in->datagram);
	/* Memory only for what the right key sealed. */
	assembling = assembling_of(ike, in->sa, now);
	if (!assembling || !reassembly_wants(&assembling->state, in->header.mid, &fragment))
		return false;
	rc = reassembly_add(&assembling->state, assembling->store, sizeof(assembling->store), in->header.mid, &fragment,
			    in->chain.sk_next, content);
	if (rc < 0) {
		/* Too long: nothing that we take (RFC 7383 5). */
		input_forget_fragments(ike, in->sa);
		sa_drop(ike, in->sa, IKE_BROKEN, now);
		in->sa = NULL;
		return false;
	}
	if (!rc)
		return false;
	in->plain = reassembly_join(&assembling->state, ike->joined, assembling->store);
	in->plain_first = assembling->state.first;
	input_forget_fragments(ike, in->sa);
	return true;
}

/* ---- one protected message ---- */

static bool is_awaited_response(const struct sa *sa, const struct header *header)
{
	return sa->request.kind != REQUEST_NONE && sa->request.kind != REQUEST_INIT && header->mid == sa->request.mid &&
	       header->exchange == sa->request.exchange;
}

enum request_class { REQUEST_NEW, REQUEST_REPEATED, REQUEST_OTHER };

/* Its last request waits for somebody here: our caller or our kernel. */
static bool is_busy(const struct ike *ike, const struct sa *sa)
{
	return (sa->peer_work && !followup_awaited(ike, sa)) || sa->state == SA_KEY_ASKED || sa->state == SA_INSTALLING;
}

static enum request_class classify(const struct ike *ike, const struct sa *sa, const struct header *header)
{
	if (header->mid == sa->recv_mid)
		return is_busy(ike, sa) ? REQUEST_OTHER : REQUEST_NEW;
	return header->mid + 1 == sa->recv_mid && sa->response.len ? REQUEST_REPEATED : REQUEST_OTHER;
}

/* A retransmitted request gets the same response again; of a fragmented one only the first fragment asks (RFC 7383 2.6.1). */
static void answer_again(struct ike *ike, struct received *in, bool by_initiator, uint64_t now)
{
	struct work *work = sa_work(ike, in->sa);
	const struct keymat *keys = work && work->has_old_keys ? &work->old_keys : &in->sa->keys;
	const struct ike_path kept = in->sa->path;
	struct fragment fragment;
	struct view plain;

	if (in->chain.sk_type == PAYLOAD_SKF && (seal_fragment_parse(&fragment, &in->chain) || fragment.number != 1))
		return;
	/*
	 * Another request under the same number is none that was answered: an initiator that followed a forged answer up, and then the
	 * right one, would take the first one's Child SA for the second's (RFC 7296 2.1: bitwise identical).
	 */
	if (hash_of(ike, in->datagram) != in->sa->request_hash) {
		ike->counts.replayed++;
		return;
	}
	if (!in->sa->have_keys || seal_open(ike->in_plain, &plain, in->datagram, &in->chain, keys, by_initiator)) {
		ike->counts.bad_icv++;
		return;
	}
	ike->counts.answered_again++;
	/*
	 * Back to where it came from: the NAT may have given the peer another port since. That is believed for this answer
	 * only, since anybody can say it again (RFC 7296 2.23).
	 */
	if (in->sa->features & FEATURE_NAT_REMOTE && in->path->local_port == kept.local_port)
		in->sa->path = *in->path;
	send_again(ike, in->sa, &in->sa->response, now);
	in->sa->path = kept;
}

static bool open_message(struct ike *ike, struct received *in, bool by_initiator, uint64_t now)
{
	struct sa *sa = in->sa;
	int rc;

	if (!sa->have_keys) {
		rc = sa->state == SA_HALF_OPEN ? init_keys(ike, sa) : -EPROTO;
		if (rc) {
			ike->counts.bad_syntax++;
			sa_drop(ike, sa, IKE_BROKEN, now);
			return false;
		}
	}
	if (in->chain.sk_type == PAYLOAD_SKF)
		return take_fragment(ike, in, &sa->keys, by_initiator, now);
	rc = seal_open(ike->in_plain, &in->plain, in->datagram, &in->chain, &sa->keys, by_initiator);
	if (rc) {
		on_bad_icv(ike, sa, now);
		return false;
	}
	if (!(in->header.flags & FLAG_RESPONSE))
		sa->request_hash = hash_of(ike, in->datagram);
	in->plain_first = in->chain.sk_next;
	return true;
}

/*
 * A message that the right key sealed and that is no good. A request is told so; INVALID_SYNTAX ends an IKE SA on both sides, an unknown critical
 * payload only the exchange, unless that is IKE_AUTH (RFC 7296 2.21.2, 2.21.3).
 */
static void on_broken(struct ike *ike, struct received *in, int rc, uint64_t now)
{
	struct sa *sa = in->sa;
	bool response = in->header.flags & FLAG_RESPONSE;
	uint8_t payload = in->chain.unsupported;

	ike->counts.bad_syntax++;
	if (!response)
		send_notify_response(ike, sa, in->header.exchange, (uint16_t)rc,
				     rc == NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD ? view_of(&payload, 1) : VIEW_NONE, now);
	if (rc != NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD || response || sa->state != SA_ESTABLISHED)
		sa_drop(ike, sa, IKE_BROKEN, now);
}

static void move(struct ike *ike, struct sa *sa, const struct ike_path *path)
{
	bool listed = sa->in_pairs;

	sa_leave_pair(ike, sa);
	sa->path = *path;
	if (listed)
		sa_enter_pair(ike, sa);
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next)) {
		child_encap(&kid->child, sa);
		if (kid->announced)
			output_child(ike, IKE_CHILD_MOVED, kid, true, kid->out_installed && !kid->quiet, 0, false);
	}
}

/* Where an authenticated message came from (RFC 7296 2.23): the peer may be behind a NAT that gave it another port or address. */
static void follow_path(struct ike *ike, struct sa *sa, const struct ike_path *path)
{
	bool moved = memcmp(&path->remote, &sa->path.remote, sizeof(path->remote)) ||
		     path->remote_port != sa->path.remote_port;
	bool floats = path->local_port == ike->options.encap_port && sa->path.local_port != path->local_port;

	if (memcmp(&path->local, &sa->path.local, sizeof(path->local)))
		return;
	if (sa->state == SA_HALF_OPEN && floats) {
		/* The initiator took to the encapsulation port, through a NAT or because it likes to. */
		if (!memcmp(&path->remote, &sa->path.remote, sizeof(path->remote)) ||
		    sa->features & FEATURE_NAT_REMOTE) {
			sa->path = *path;
			sa->features |= FEATURE_ENCAP;
		}
		return;
	}
	if (!moved || !(sa->features & FEATURE_NAT_REMOTE) || sa->features & FEATURE_NAT_LOCAL ||
	    !(sa->features & FEATURE_ENCAP) || path->local_port != sa->path.local_port)
		return;
	move(ike, sa, path);
	/* Of two that are rekeyed at once one takes the other's Child SAs, which must not be left behind on either. */
	if (sa->heir)
		move(ike, sa_at(ike, sa->heir), path);
	if (sa->ancestor)
		move(ike, sa_at(ike, sa->ancestor), path);
}

void ike_child_moved(struct ike *ike, struct handle child, const struct hf_addr *remote, uint16_t port, uint64_t now)
{
	const struct kid *kid = pool_get(&ike->kids, child);
	struct sa *sa = kid ? pool_at(&ike->sas, kid->sa) : NULL;
	struct ike_path path;

	(void)now;
	if (!sa || sa->state != SA_ESTABLISHED)
		return;
	path = sa->path;
	path.remote = *remote;
	path.remote_port = port;
	follow_path(ike, sa, &path);
}

/*
 * What an authenticated peer may ask how often (RFC 8019 5). DEVIATION: RFC 7296 2.1 has every request answered; beyond the rate
 * they are not, until time has passed: the peer sends them again.
 */
static bool within_limits(struct sa *sa, const struct header *header, uint64_t now)
{
	if (header->flags & FLAG_RESPONSE || !sa->established_ns)
		return true;
	if (header->exchange == EXCHANGE_CREATE_CHILD_SA)
		return bucket_take(&sa->creates, IKE_CREATE_SPAN, IKE_CREATE_BURST, now);
	return bucket_take(&sa->infos, IKE_INFO_SPAN, IKE_INFO_BURST, now);
}

static void handle(struct ike *ike, struct received *in, uint64_t now)
{
	bool response = in->header.flags & FLAG_RESPONSE;
	const struct row *row = states_find(in->header.exchange, response, in->sa->state);
	int rc;

	if (!row) {
		ike->counts.bad_state++;
		return;
	}
	if (!within_limits(in->sa, &in->header, now)) {
		ike->counts.refused_cost++;
		return;
	}
	rc = chain_parse(&in->chain, in->plain_first, in->plain, true);
	if (!rc &&
	    ((in->chain.seen & row->required) != row->required || in->chain.seen & ~(row->required | row->allowed)))
		rc = NOTIFY_INVALID_SYNTAX;
	if (rc) {
		on_broken(ike, in, rc, now);
		return;
	}
	follow_path(ike, in->sa, in->path);
	/* Who asks the next thing has our last answer (window 1). */
	if (!response)
		kid_all_proven(ike, in->sa);
	in->sa->heard += in->sa->established_ns != 0;
	row->handler(ike, in, now);
}

static void on_protected(struct ike *ike, struct received *in, uint64_t now)
{
	bool response = in->header.flags & FLAG_RESPONSE, by_initiator = in->header.flags & FLAG_INITIATOR;
	struct handle self = pool_handle(&ike->sas, in->sa);
	struct sa *sa;

	if (response ? !is_awaited_response(in->sa, &in->header)
		     : classify(ike, in->sa, &in->header) == REQUEST_OTHER) {
		ike->counts.replayed++;
		return;
	}
	if (!response && classify(ike, in->sa, &in->header) == REQUEST_REPEATED) {
		answer_again(ike, in, by_initiator, now);
		return;
	}
	/* Nothing is decrypted that could not be used. */
	if (!states_find(in->header.exchange, response, in->sa->state)) {
		ike->counts.bad_state++;
		return;
	}
	if (!open_message(ike, in, by_initiator, now))
		return;
	handle(ike, in, now);
	sa = pool_get(&ike->sas, self);
	if (sa) {
		send_next(ike, sa, now);
		sa = pool_get(&ike->sas, self);
	}
	if (sa)
		sa_schedule(ike, sa);
}

/* ---- routing ---- */

static struct sa *find_sa(const struct ike *ike, const struct header *header)
{
	bool by_initiator = header->flags & FLAG_INITIATOR;
	const uint8_t *own = by_initiator ? header->spi_r : header->spi_i;
	const uint8_t *peers = by_initiator ? header->spi_i : header->spi_r;
	struct sa *sa = sa_find(ike, own);

	for (; sa; sa = sa_at(ike, sa->sibling))
		if (sa->initiator == !by_initiator && memcmp(sa_peer_spi(sa), peers, SPI_LEN) == 0)
			return sa;
	return NULL;
}

static void on_init(struct ike *ike, const struct ike_path *path, const struct header *header, struct view datagram,
		    uint64_t now)
{
	static const uint8_t zero[SPI_LEN];
	bool response = header->flags & FLAG_RESPONSE, by_initiator = header->flags & FLAG_INITIATOR;

	if (!response && by_initiator && memcmp(header->spi_r, zero, SPI_LEN) == 0) {
		init_on_request(ike, path, header, datagram, now);
		return;
	}
	if (response && !by_initiator) {
		for (struct sa *sa = sa_find(ike, header->spi_i); sa; sa = sa_at(ike, sa->sibling)) {
			if (sa->initiator && sa->state == SA_INIT_SENT) {
				init_on_response(ike, sa, path, header, datagram, now);
				return;
			}
		}
	}
	ike->counts.dropped++;
}

static void route(struct ike *ike, const struct ike_path *path, struct view datagram, uint64_t now)
{
	struct received in = { .path = path, .datagram = datagram };

	if (header_parse(&in.header, datagram)) {
		ike->counts.dropped++;
		return;
	}
	if (in.header.version >> 4 != 2) {
		/* RFC 7296 2.5: a higher major version is told so; nobody here speaks IKEv1. */
		if (in.header.version >> 4 > 2 && !(in.header.flags & FLAG_RESPONSE))
			init_refuse(ike, path, &in.header, NOTIFY_INVALID_MAJOR_VERSION, VIEW_NONE, now);
		else
			ike->counts.dropped++;
		return;
	}
	if (in.header.exchange == EXCHANGE_IKE_SA_INIT) {
		on_init(ike, path, &in.header, datagram, now);
		return;
	}
	in.sa = find_sa(ike, &in.header);
	if (!in.sa) {
		ike->counts.dropped++;
		if (!(in.header.flags & FLAG_RESPONSE))
			info_unknown(ike, path, &in.header, now);
		return;
	}
	if (chain_parse(&in.chain, in.header.next, view_of(datagram.at + HEADER_LEN, datagram.len - HEADER_LEN),
			false)) {
		ike->counts.bad_syntax++;
		return;
	}
	if (!in.chain.sk_type) {
		info_on_clear(ike, in.sa, &in.chain, now);
		return;
	}
	on_protected(ike, &in, now);
}

void ike_datagram(struct ike *ike, const struct ike_path *path, struct view datagram, uint64_t now)
{
	static const uint8_t marker[MARKER_LEN];

	ike->counts.datagrams++;
	if (path->local_port == ike->options.encap_port) {
		if (datagram.len < MARKER_LEN || memcmp(datagram.at, marker, MARKER_LEN)) {
			ike->counts.dropped++; /* a keepalive, or ESP that the kernel did not take */
			return;
		}
		datagram = view_of(datagram.at + MARKER_LEN, datagram.len - MARKER_LEN);
	}
	if (datagram.len > IKE_MESSAGE_MAX) {
		ike->counts.dropped++;
		return;
	}
	route(ike, path, datagram, now);
}
