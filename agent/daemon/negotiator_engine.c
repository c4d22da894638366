// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's outputs, carried out in order. One settling after each call into the engine: what it says is done, what the kernel
 * said to new SAs goes back, until nothing is left; only then the timer is set.
 */
#include "daemon/negotiator_internal.h"

/* ---- children by SPI ---- */

static struct hf_pair key_of(const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct hf_pair key = { .local = pair->local };

	memcpy(&key.remote, &spi_in_be, sizeof(spi_in_be));
	return key;
}

struct known_child *negotiator_child(const struct negotiator *negotiator, const struct hf_pair *pair,
				     uint32_t spi_in_be)
{
	struct hf_pair key = key_of(pair, spi_in_be);
	uint32_t index;

	return table_find(&negotiator->by_spi, &key, &index) ? pool_at(&negotiator->children, index) : NULL;
}

static void forget_child(struct negotiator *negotiator, struct known_child *known)
{
	table_del(&negotiator->by_spi, &known->key);
	pool_put(&negotiator->children, pool_handle(&negotiator->children, known));
}

static bool remember_child(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct handle handle = pool_take(&negotiator->children);
	struct known_child *known = pool_get(&negotiator->children, handle);

	if (!known)
		return false;
	*known = (struct known_child){
		.child = out->child.child,
		.key = key_of(pair, out->child.keys.spi_in_be),
		.remote = pair->remote,
		.since_ns = agent_now(),
	};
	if (!table_put(&negotiator->by_spi, &known->key, handle.index))
		return true;
	pool_put(&negotiator->children, handle);
	return false;
}

/* ---- the engine's outputs ---- */

/* The gateway that the output's SA is made with; all zero where the peer is the pair's remote host. */
static struct hf_addr gateway_of(const struct ike_output *out)
{
	return addr_equal(&out->pair.remote, &out->path.remote) ? (struct hf_addr){ 0 } : out->path.remote;
}

void negotiator_answer(struct negotiator *negotiator, struct handle child, int error)
{
	/* One output makes one CHILD_UP, and it is answered before the next is drawn. */
	if (negotiator->verdict_count < VERDICTS_MAX)
		negotiator->verdicts[negotiator->verdict_count++] = (struct verdict){ child, error };
}

struct journal *negotiator_journal(const struct negotiator *negotiator)
{
	return negotiator->agent->journal;
}

static bool is_of_proof(const struct negotiator *negotiator, const struct ike_output *out)
{
	return negotiator->proof.sa.generation == out->sa.generation && negotiator->proof.sa.index == out->sa.index;
}

static void tell_child(struct negotiator *negotiator, enum core_event_type type, const struct hf_pair *pair,
		       const struct ike_output *out, bool install_out)
{
	struct core_event event = { .type = type, .pair = *pair, .gateway = gateway_of(out) };
	const struct proof *proof = &negotiator->proof;

	event.up.child = out->child.keys;
	event.up.responder = out->child.responder;
	event.up.in = out->child.install_in;
	event.up.out = install_out;
	if (is_of_proof(negotiator, out)) {
		event.up.proved = proof->verified;
		event.sticky = proof->was_sticky;
	}
	agent_event(negotiator->agent, &event);
	secret_wipe(&event, sizeof(event));
}

static void on_child_up(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct core_event failed = { .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };
	const struct hf_addr gateway = gateway_of(out);
	bool later = false;

	/* What passes the gate as ESP in UDP is said of pairs, and a gateway is none. */
	if (!addr_is_none(&gateway) && out->child.keys.encap) {
		journal_write(negotiator_journal(negotiator), pair, "refused", agent_now(),
			      "there is a NAT between this host and the gateway, through which no gateway is used");
		negotiator_answer(negotiator, out->child.child, -EPROTONOSUPPORT);
		agent_event(negotiator->agent, &failed);
		return;
	}
	if (is_of_proof(negotiator, out) && negotiator->proof.withdrawn) {
		negotiator_answer(negotiator, out->child.child, -EKEYREVOKED);
		return;
	}
	if (!remember_child(negotiator, pair, out)) {
		negotiator_answer(negotiator, out->child.child, -ENOBUFS);
		return;
	}
	chronicle_child(negotiator_journal(negotiator), pair, out, agent_now());
	if (out->child.responder && out->child.install_in && out->child.install_out)
		later = succession_add(negotiator->succession, pair, out->sa, &out->child.keys);
	tell_child(negotiator, EVENT_CHILD_UP, pair, out, out->child.install_out && !later);
}

static void on_child_quiet(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	if (!succession_quiet(negotiator->succession, pair, out->child.keys.spi_in_be))
		tell_child(negotiator, EVENT_CHILD_QUIET, pair, out, true);
}

static void on_child_down(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct known_child *known = negotiator_child(negotiator, pair, out->child.keys.spi_in_be);

	if (known) {
		status_lifetime(&negotiator->lifetimes, (agent_now() - known->since_ns) / NSTIME_S);
		forget_child(negotiator, known);
	}
	chronicle_child_down(negotiator_journal(negotiator), pair, out, agent_now());
	succession_down(negotiator->succession, pair, out->child.keys.spi_in_be);
	tell_child(negotiator, EVENT_CHILD_DOWN, pair, out, true);
}

uint64_t negotiator_wall_s(void)
{
	return (uint64_t)time(NULL);
}

/* Sticky from now on, for the least time; discovery says its name, and whether its key lasts longer. */
static void on_up(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct question question = {
		.asker = ASKER_STORE, .of = out->sa, .pair = *pair, .gateway = gateway_of(out), .tag = out->tag
	};
	struct known_peer peer = { .addr = pair->remote, .name = "" };
	uint64_t trust = out->tag >> TAG_TRUST_SHIFT;
	char text[PAIR_TEXT_MAX];

	log_info("%s: the peer has proved %s, as %s", pair_format(text, pair),
		 out->up.auth == IKE_AUTH_NULL ? "nothing, which is enough for its group" : "its key",
		 out->up.responder ? "initiator" : "responder");
	negotiator->proof = (struct proof){
		.sa = out->sa,
		.verified = out->up.auth == IKE_AUTH_SIGNATURE && trust && trust < TRUST_OPPORTUNISTIC,
		.was_sticky = known_has(negotiator->known, &pair->remote, negotiator_wall_s()),
	};
	if (!negotiator->proof.verified)
		return;
	memcpy(peer.key, out->up.key, sizeof(peer.key));
	memcpy(question.key, out->up.key, sizeof(question.key));
	known_put(negotiator->known, &peer, negotiator_wall_s());
	negotiator_ask(negotiator, &question);
}

static void on_down(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct core_event event = { .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };
	char text[PAIR_TEXT_MAX];

	chronicle_down(negotiator_journal(negotiator), pair, out, out->tag & TAG_OURS, agent_now());
	if (out->down.was_up)
		log_info("%s: IKE SA ended: %s", pair_format(text, pair), ike_reason_name(out->down.reason));
	else if (out->down.reason != IKE_SUPERSEDED)
		log_info("%s: negotiation failed: %s%s%s", pair_format(text, pair), ike_reason_name(out->down.reason),
			 out->down.notify ? ", the peer said " : "",
			 out->down.notify ? ike_notify_name(out->down.notify) : "");
	if (out->tag & TAG_OURS && !out->down.was_up && out->down.reason != IKE_SUPERSEDED)
		agent_event(negotiator->agent, &event);
}

/*
 * Behind its NAT the peer has another port now, and goes on with the same SAs; or another address. Whether its key is bound to that
 * one, too, nobody has asked yet, and the pair is another: this SA ends, and the next packet makes a new one.
 */
static void on_child_moved(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	bool same = addr_equal(&pair->remote, &out->path.remote);

	char text[ADDR_TEXT_MAX];

	journal_write(negotiator_journal(negotiator), pair, "moved", agent_now(), "its NAT made it %s port %u%s",
		      addr_format(text, &out->path.remote), out->path.remote_port, same ? "" : ": begins anew");
	if (!same) {
		ike_close(negotiator->ike, out->sa, agent_now());
		return;
	}
	succession_use(negotiator->succession, pair); /* what waits knows the old port; and the peer was heard */
	tell_child(negotiator, EVENT_CHILD_MOVED, pair, out, true);
}

/* Whose the output is: a Child SA stays with the pair that it was made for. */
static struct hf_pair pair_of(const struct negotiator *negotiator, const struct ike_output *out)
{
	struct hf_pair pair = out->pair;
	const struct known_child *known = NULL;

	if (out->type == IKE_CHILD_USE || out->type == IKE_CHILD_QUIET || out->type == IKE_CHILD_DOWN ||
	    out->type == IKE_CHILD_MOVED)
		known = negotiator_child(negotiator, &pair, out->child.keys.spi_in_be);
	if (known)
		pair.remote = known->remote;
	return pair;
}

static void take(struct negotiator *negotiator, const struct ike_output *out)
{
	struct hf_pair pair = pair_of(negotiator, out);

	switch (out->type) {
	case IKE_SEND:
		udp_send(negotiator->udp, &out->path, out->datagram);
		break;
	case IKE_ASK_KEY:
		/* It has sent IKE_AUTH, so its address is its own; the name may be anybody's. */
		if (out->ask.responder && out->ask.id.type == IKE_ID_FQDN)
			discover_hint(negotiator->discover, &pair.remote, out->ask.id.data);
		negotiator_ask(negotiator, &(struct question){ .asker = ASKER_ENGINE,
							       .of = out->sa,
							       .pair = pair,
							       .gateway = gateway_of(out),
							       .tag = out->tag });
		break;
	case IKE_UP:
		chronicle_proof(negotiator_journal(negotiator), &pair, out, negotiator->ike, agent_now());
		on_up(negotiator, &pair, out);
		break;
	case IKE_CHILD_UP:
		on_child_up(negotiator, &pair, out);
		break;
	case IKE_CHILD_USE:
		tell_child(negotiator, EVENT_CHILD_USE, &pair, out, true);
		break;
	case IKE_CHILD_QUIET:
		on_child_quiet(negotiator, &pair, out);
		break;
	case IKE_CHILD_DOWN:
		on_child_down(negotiator, &pair, out);
		break;
	case IKE_CHILD_MOVED:
		on_child_moved(negotiator, &pair, out);
		break;
	case IKE_DOWN:
		on_down(negotiator, &pair, out);
		break;
	case IKE_REPLACED:
		break;
	}
}

static void arm(struct negotiator *negotiator)
{
	uint64_t deadline = ike_deadline(negotiator->ike), span;
	struct timeval wait;

	if (deadline == NSTIME_NEVER) {
		evtimer_del(negotiator->timer);
		return;
	}
	/* What is due runs in this turn of the loop at the latest: no stream of datagrams may put it off. */
	span = nstime_until(deadline, agent_now());
	if (span < NSTIME_MS && evtimer_pending(negotiator->timer, NULL))
		return;
	wait.tv_sec = (time_t)(span / NSTIME_S);
	wait.tv_usec = (suseconds_t)(span % NSTIME_S / NSTIME_US + 1);
	evtimer_add(negotiator->timer, &wait);
}

void negotiator_settle(struct negotiator *negotiator)
{
	struct ike_output out;
	bool more = true;

	if (negotiator->settling)
		return; /* further up the stack: it goes on there */
	negotiator->settling = true;
	while (more) {
		more = ike_next(negotiator->ike, &out);
		if (more) {
			take(negotiator, &out);
			secret_wipe(&out, sizeof(out));
		}
		while (negotiator->verdict_count) {
			struct verdict verdict = negotiator->verdicts[--negotiator->verdict_count];

			ike_installed(negotiator->ike, verdict.child, verdict.error, agent_now());
			more = true;
		}
	}
	negotiator->settling = false;
	arm(negotiator);
}

void negotiator_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;

	(void)fd;
	(void)what;
	ike_expire(negotiator->ike, agent_now());
	negotiator_settle(negotiator);
}

void negotiator_on_datagram(void *arg, const struct ike_path *path, struct view datagram)
{
	const struct hf_pair pair = { .local = path->local, .remote = path->remote };
	struct negotiator *negotiator = arg;

	ike_datagram(negotiator->ike, path, datagram, agent_now());
	negotiator_settle(negotiator);
	succession_heard(negotiator->succession, &pair);
	if (!negotiator->asked)
		return;
	negotiator->asked = false;
	agent_event(negotiator->agent, &(struct core_event){ .type = EVENT_ASKED, .pair = pair });
}

void negotiator_on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;

	(void)what;
	udp_ready(negotiator->udp, fd);
}
