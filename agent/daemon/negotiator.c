// SPDX-License-Identifier: Apache-2.0
/*
 * See negotiator.h. One settling after each call into the engine: its outputs are carried out in order, what the kernel said to
 * new SAs goes back, until nothing is left; only then the timer is set.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nstime.h"
#include "base/own.h"
#include "base/table.h"
#include "control/status.h"
#include "daemon/chronicle.h"
#include "daemon/hostkey.h"
#include "daemon/internal.h"
#include "daemon/negotiator.h"
#include "daemon/succession.h"
#include "discover/discover.h"
#include "discover/keytext.h"
#include "discover/known.h"
#include "net/udp.h"

/* Questions to discovery that wait for their answer, from the core and from the engine. */
#define QUESTIONS_MAX 4096

/* Tags of IKE SAs: whether this host started it, and the trust of the keys that the engine was given. */
#define TAG_OURS 1
#define TAG_TRUST_SHIFT 8

/* How often the store of known peers is looked through for those whose time is over. */
#define KNOWN_LOOK_S 3600

enum asker { ASKER_CORE, ASKER_ENGINE, ASKER_STORE, ASKER_OPERATOR };

struct question {
	enum asker asker;
	struct handle of; /* peer, or IKE SA */
	struct hf_pair pair;
	uint64_t tag;
	uint8_t key[SHA256_LEN]; /* STORE: that was proved */
};

/* Who was the last to prove a key: what its Child SA is told with. */
struct proof {
	struct handle sa;
	bool verified;	 /* by a signature, with a key of verified trust */
	bool was_sticky; /* before this */
};

/* A Child SA that the core knows by its inbound SPI. */
struct known_child {
	struct handle child;
	struct hf_pair key;
	bool answered; /* the engine knows what the kernel said */
};

struct verdict {
	struct handle child;
	int error;
};

#define VERDICTS_MAX 64

struct negotiator {
	struct agent *agent;
	struct ike *ike;
	void *ike_memory, *pool_memory[2], *table_memory;
	struct pool questions, children;
	struct table by_spi;
	struct udp *udp;
	struct discover *discover;
	struct sign_key *key;
	struct event *timer, *known_timer, *sockets[UDP_SOCKETS];
	struct known *known;
	struct proof proof;
	struct succession *succession;
	struct verdict verdicts[VERDICTS_MAX];
	size_t verdict_count;
	bool settling;
	char key_text[KEYTEXT_MAX];  /* this host's public key, "" = none */
	char problem[ERR_TEXT_MAX];  /* "" = none */
	struct foresight *foresight; /* of the operator's question that is being asked, NULL = none */
};

/* What discovery says at once. */
struct foresight {
	char *out;
	size_t out_max;
	bool usable;
};

/* ---- children by SPI ---- */

static struct hf_pair key_of(const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct hf_pair key = { .local = pair->local };

	memcpy(&key.remote, &spi_in_be, sizeof(spi_in_be));
	return key;
}

static struct known_child *find_child(const struct negotiator *negotiator, const struct hf_pair *pair,
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
	*known = (struct known_child){ .child = out->child.child, .key = key_of(pair, out->child.keys.spi_in_be) };
	if (!table_put(&negotiator->by_spi, &known->key, handle.index))
		return true;
	pool_put(&negotiator->children, handle);
	return false;
}

/* ---- the engine's outputs ---- */

static void answer_child(struct negotiator *negotiator, struct handle child, int error)
{
	/* One output makes one CHILD_UP, and it is answered before the next is drawn. */
	if (negotiator->verdict_count < VERDICTS_MAX)
		negotiator->verdicts[negotiator->verdict_count++] = (struct verdict){ child, error };
}

static struct journal *journal_of(const struct negotiator *negotiator)
{
	return negotiator->agent->journal;
}

static void tell_child(struct negotiator *negotiator, enum core_event_type type, const struct hf_pair *pair,
		       const struct ike_output *out, bool install_out)
{
	struct core_event event = { .type = type, .pair = *pair };
	const struct proof *proof = &negotiator->proof;

	event.up.child = out->child.keys;
	event.up.responder = out->child.responder;
	event.up.in = out->child.install_in;
	event.up.out = install_out;
	if (proof->sa.generation == out->sa.generation && proof->sa.index == out->sa.index) {
		event.up.proved = proof->verified;
		event.sticky = proof->was_sticky;
	}
	agent_event(negotiator->agent, &event);
	secret_wipe(&event, sizeof(event));
}

static void on_child_up(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	bool later = false;

	if (!remember_child(negotiator, pair, out)) {
		answer_child(negotiator, out->child.child, -ENOBUFS);
		return;
	}
	chronicle_child(journal_of(negotiator), pair, out, agent_now());
	if (out->child.responder && out->child.install_in && out->child.install_out)
		later = succession_add(negotiator->succession, pair, &out->child.keys);
	tell_child(negotiator, EVENT_CHILD_UP, pair, out, out->child.install_out && !later);
}

static void on_child_quiet(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	succession_use(negotiator->succession, pair);
	tell_child(negotiator, EVENT_CHILD_QUIET, pair, out, true);
}

static void on_child_down(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct known_child *known = find_child(negotiator, pair, out->child.keys.spi_in_be);

	if (known)
		forget_child(negotiator, known);
	chronicle_child_down(journal_of(negotiator), pair, out, agent_now());
	succession_use(negotiator->succession, pair);
	tell_child(negotiator, EVENT_CHILD_DOWN, pair, out, true);
}

static void ask(struct negotiator *negotiator, const struct question *like);

static uint64_t wall_s(void)
{
	return (uint64_t)time(NULL);
}

/* Sticky from now on, for the least time; discovery says its name, and whether its key lasts longer. */
static void on_up(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct question question = { .asker = ASKER_STORE, .pair = *pair };
	struct known_peer peer = { .addr = pair->remote, .name = "" };
	uint64_t trust = out->tag >> TAG_TRUST_SHIFT;
	char text[PAIR_TEXT_MAX];

	log_info("%s: the peer has proved its key, as %s", pair_format(text, pair),
		 out->up.responder ? "initiator" : "responder");
	negotiator->proof = (struct proof){
		.sa = out->sa,
		.verified = out->up.auth == IKE_AUTH_SIGNATURE && trust && trust < TRUST_OPPORTUNISTIC,
		.was_sticky = known_has(negotiator->known, &pair->remote, wall_s()),
	};
	if (!negotiator->proof.verified)
		return;
	memcpy(peer.key, out->up.key, sizeof(peer.key));
	memcpy(question.key, out->up.key, sizeof(question.key));
	known_put(negotiator->known, &peer, wall_s());
	ask(negotiator, &question);
}

static void on_down(struct negotiator *negotiator, const struct hf_pair *pair, const struct ike_output *out)
{
	struct core_event event = { .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };
	char text[PAIR_TEXT_MAX];

	chronicle_down(journal_of(negotiator), pair, out, out->tag & TAG_OURS, agent_now());
	if (out->down.was_up)
		log_info("%s: IKE SA ended: %s", pair_format(text, pair), ike_reason_name(out->down.reason));
	else if (out->down.reason != IKE_SUPERSEDED)
		log_info("%s: negotiation failed: %s%s%s", pair_format(text, pair), ike_reason_name(out->down.reason),
			 out->down.notify ? ", the peer said " : "",
			 out->down.notify ? ike_notify_name(out->down.notify) : "");
	if (out->tag & TAG_OURS && !out->down.was_up && out->down.reason != IKE_SUPERSEDED)
		agent_event(negotiator->agent, &event);
}

static void take(struct negotiator *negotiator, const struct ike_output *out)
{
	struct hf_pair pair = { .local = out->path.local, .remote = out->path.remote };

	switch (out->type) {
	case IKE_SEND:
		udp_send(negotiator->udp, &out->path, out->datagram);
		break;
	case IKE_ASK_KEY:
		ask(negotiator,
		    &(struct question){ .asker = ASKER_ENGINE, .of = out->sa, .pair = pair, .tag = out->tag });
		break;
	case IKE_UP:
		chronicle_proof(journal_of(negotiator), &pair, out, negotiator->ike, agent_now());
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
		/* Its NAT gave the peer another port: the kernel's SAs name the old one. A fresh SA finds it. */
		ike_close(negotiator->ike, out->sa, agent_now());
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

static void settle(struct negotiator *negotiator)
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

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;

	(void)fd;
	(void)what;
	ike_expire(negotiator->ike, agent_now());
	settle(negotiator);
}

static void on_datagram(void *arg, const struct ike_path *path, struct view datagram)
{
	struct negotiator *negotiator = arg;

	ike_datagram(negotiator->ike, path, datagram, agent_now());
	settle(negotiator);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;

	(void)what;
	udp_ready(negotiator->udp, fd);
}

/* ---- discovery ---- */

static void ask(struct negotiator *negotiator, const struct question *like)
{
	struct handle handle = pool_take(&negotiator->questions);
	struct question *question = pool_get(&negotiator->questions, handle);
	struct core_event failed = { .type = EVENT_LOOKUP_FAILED, .peer = like->of, .pair = like->pair };
	struct ike_answer none = { .tag = like->tag };

	if (question) {
		*question = *like;
		discover_ask(negotiator->discover, (uint64_t)handle.generation << 32 | handle.index,
			     &like->pair.remote);
	} else if (like->asker == ASKER_CORE) {
		agent_event(negotiator->agent, &failed);
	} else if (like->asker == ASKER_ENGINE) {
		ike_answer(negotiator->ike, like->of, &none, agent_now());
	}
}

/* Who is only encrypted to, not known, is good enough for no group yet. */
static bool is_usable(const struct discover_answer *answer)
{
	return answer->outcome == DISCOVER_KEYS && answer->trust < TRUST_OPPORTUNISTIC;
}

static void answer_core(struct negotiator *negotiator, const struct question *question,
			const struct discover_answer *answer)
{
	struct core_event event = { .type = EVENT_LOOKUP_FAILED, .peer = question->of, .pair = question->pair };
	struct err err = ERR_NONE;

	if (is_usable(answer)) {
		/* Who was known is not known any more, but only who has a key can have been. */
		event.type = EVENT_KEY;
		event.sticky = known_is_damaged(negotiator->known);
	} else if (answer->outcome == DISCOVER_NO_KEY) {
		/* A proof that there is none, as good as the one that there was. */
		event.type = EVENT_NO_KEY;
		if (known_forget(negotiator->known, &question->pair.remote) &&
		    agent_unstick(negotiator->agent, &err) < 0)
			log_error("%s", err.text);
	}
	agent_event(negotiator->agent, &event);
}

/* The key that was proved is among those that discovery names now: its name and its end are the peer's. */
static void answer_store(struct negotiator *negotiator, const struct question *question,
			 const struct discover_answer *answer)
{
	struct known_peer peer = {
		.addr = question->pair.remote,
		.name = answer->name ? answer->name : "",
		.key_until_s = answer->until_s,
	};

	if (!is_usable(answer))
		return;
	memcpy(peer.key, question->key, sizeof(peer.key));
	known_put(negotiator->known, &peer, wall_s());
}

static void answer_engine(struct negotiator *negotiator, const struct question *question,
			  const struct discover_answer *answer)
{
	enum hf_group group = policy_group(&negotiator->agent->config.policy, &question->pair.remote);
	struct ike_answer keys = { .tag = question->tag };
	char text[PAIR_TEXT_MAX];

	if (is_usable(answer) && group_answers(group)) {
		keys.tag |= (uint64_t)answer->trust << TAG_TRUST_SHIFT;
		keys.keys = answer->keys;
		for (size_t i = 0; i < answer->keys; i++)
			keys.spki[i] = answer->spki[i];
	} else {
		log_info("%s: no key that its group accepts: %s", pair_format(text, &question->pair),
			 group_answers(group) ? answer->reason : "the group wants no SAs");
	}
	ike_answer(negotiator->ike, question->of, &keys, agent_now());
	settle(negotiator);
}

static void answer_operator(struct negotiator *negotiator, const struct discover_answer *answer)
{
	struct foresight *foresight = negotiator->foresight;
	char name[64];

	if (!foresight)
		return;
	foresight->usable = is_usable(answer);
	log_escape(name, sizeof(name), answer->name, strlen(answer->name));
	snprintf(foresight->out, foresight->out_max, "%s%s%s", answer->reason, *name ? ", its name is " : "", name);
}

static bool foresee(void *arg, const struct hf_addr *remote, char *out, size_t out_max)
{
	struct negotiator *negotiator = arg;
	struct foresight foresight = { .out = out, .out_max = out_max };
	struct hf_pair pair = { .remote = *remote };

	*out = '\0';
	negotiator->foresight = &foresight;
	ask(negotiator, &(struct question){ .asker = ASKER_OPERATOR, .pair = pair });
	negotiator->foresight = NULL;
	return foresight.usable;
}

static void on_found(void *arg, uint64_t id, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct handle handle = { .index = (uint32_t)id, .generation = (uint32_t)(id >> 32) };
	struct negotiator *negotiator = arg;
	struct question *known = pool_get(&negotiator->questions, handle), question;

	(void)addr;
	if (!known)
		return;
	question = *known;
	pool_put(&negotiator->questions, handle);
	/* The engine asks for this host's own attempt what the core has asked just before. */
	if (question.asker == ASKER_CORE || (question.asker == ASKER_ENGINE && !(question.tag & TAG_OURS)))
		chronicle_found(journal_of(negotiator), &question.pair, answer, is_usable(answer),
				question.asker == ASKER_ENGINE, agent_now());
	switch (question.asker) {
	case ASKER_CORE:
		answer_core(negotiator, &question, answer);
		break;
	case ASKER_ENGINE:
		answer_engine(negotiator, &question, answer);
		break;
	case ASKER_STORE:
		answer_store(negotiator, &question, answer);
		break;
	case ASKER_OPERATOR:
		answer_operator(negotiator, answer);
		break;
	}
}

/* ---- the core's orders ---- */

static void lookup(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)agent;
	ask(arg, &(struct question){ .asker = ASKER_CORE, .of = peer, .pair = *pair });
}

static void start(struct negotiator *negotiator, const struct hf_pair *pair, bool initial_contact)
{
	enum hf_group group = policy_group(&negotiator->agent->config.policy, &pair->remote);
	struct ike_connect connect = {
		.path = { .local = pair->local, .remote = pair->remote },
		.tag = TAG_OURS,
		.fail_open = group == HF_GROUP_PRIVATE_OR_CLEAR &&
			     !known_has(negotiator->known, &pair->remote, wall_s()),
		.initial_contact = initial_contact,
	};
	struct core_event failed = { .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };

	journal_write(journal_of(negotiator), pair, "ike", agent_now(), "IKE starts, %s",
		      connect.fail_open ? "gives up after 7.5 s without an answer" : "gives up after a minute");
	if (!ike_connect(negotiator->ike, &connect, agent_now()).generation)
		agent_event(negotiator->agent, &failed);
	settle(negotiator);
}

static void negotiate(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)agent;
	(void)peer;
	/* The core asks for a pair without SAs: whatever the peer still has of an earlier life of ours is stale. */
	start(arg, pair, true);
}

static void abandon(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	(void)peer;
	succession_forget(negotiator->succession, pair);
	ike_close_pair(negotiator->ike, pair, agent_now());
	settle(negotiator);
}

static void installed(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be, int error)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = find_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (!known || known->answered)
		return;
	known->answered = true;
	answer_child(negotiator, known->child, error);
	settle(negotiator);
}

static void rekey(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = find_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (known) {
		ike_rekey_child(negotiator->ike, known->child, agent_now());
		settle(negotiator);
	} else {
		/*
		 * An earlier agent's. Nothing of that IKE SA is left here, but its Child SAs are, and in use: the peer must not
		 * drop them before it has others. It asks the old IKE SA whether it lives, and finds out (IKEV2.md 2.1 U11).
		 */
		start(negotiator, pair, false);
	}
}

static void probe(void *arg, struct agent *agent, const struct hf_pair *pair)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	ike_probe_pair(negotiator->ike, pair, agent_now());
	settle(negotiator);
}

static bool sticky(void *arg, const struct hf_addr *remote)
{
	const struct negotiator *negotiator = arg;

	return known_has(negotiator->known, remote, wall_s());
}

static void each_sticky(void *arg, void (*see)(void *see_arg, const struct hf_addr *remote), void *see_arg)
{
	const struct negotiator *negotiator = arg;

	known_each(negotiator->known, see, see_arg);
}

static bool forget(void *arg, const struct hf_addr *remote)
{
	struct negotiator *negotiator = arg;

	return known_forget(negotiator->known, remote);
}

static void note_gone(void *arg, const struct hf_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	log_info("%s: not reached for so long that its prefix's group decides again", addr_format(text, addr));
	*(bool *)arg = true;
}

static void on_known_timer(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;
	struct err err = ERR_NONE;
	bool any = false;

	(void)fd;
	(void)what;
	known_expire(negotiator->known, wall_s(), note_gone, &any);
	if (any && agent_unstick(negotiator->agent, &err) < 0)
		log_error("%s", err.text);
}

static void gone(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = find_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (!known)
		return;
	if (!known->answered) {
		known->answered = true;
		answer_child(negotiator, known->child, -ECANCELED);
	} else {
		ike_close_child(negotiator->ike, known->child, agent_now());
	}
	settle(negotiator);
}

static void report(void *arg, struct status *status)
{
	struct negotiator *negotiator = arg;
	struct discover_counts found;
	struct ike_counts ike;

	ike_count(negotiator->ike, &ike);
	discover_count(negotiator->discover, &found);
	status->keying = (struct status_keying){
		.present = true,
		.key = negotiator->key_text,
		.half_open = ike.half_open,
		.established = ike.established,
		.sas_max = ike.sas_max,
		.children = ike.children,
		.initiated = ike.initiated,
		.responded = ike.responded,
		.auth_failed = ike.auth_failed,
		.pinned = found.hosts_pinned,
		.listed = found.hosts_listed,
		.directory_serial = found.directory_serial,
		.directory_expires_s = found.directory_expires_s,
		.directories_rejected = found.rejected,
	};
}

static const char *problem(void *arg, size_t index)
{
	struct negotiator *negotiator = arg;

	if (negotiator->problem[0] && index-- == 0)
		return negotiator->problem;
	if (known_problem(negotiator->known) && index-- == 0)
		return known_problem(negotiator->known);
	return discover_problem(negotiator->discover, index);
}

static int reload(void *arg, struct agent *agent, const struct config *config, struct err *err)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	(void)config;
	return discover_reload(negotiator->discover, err);
}

/* ---- life ---- */

static uint32_t take_spi(void *arg, const struct hf_pair *pair)
{
	struct negotiator *negotiator = arg;
	struct err err = ERR_NONE;
	uint32_t spi_be = 0;

	if (xfrm_spi_alloc(negotiator->agent->nl, &spi_be, &pair->remote, &pair->local, NETLINK_REQID_BASE, &err) < 0)
		log_error("%s", err.text);
	return spi_be;
}

static int open_engine(struct negotiator *negotiator, const struct config *config, struct err *err)
{
	uint32_t sas = config->limits.peers < LIMIT_IKE_SAS ? config->limits.peers : LIMIT_IKE_SAS;
	struct ike_options options = {
		.sas_max = sas,
		.host = { .arg = negotiator, .random = hostkey_random, .spi = take_spi },
		.key = negotiator->key,
	};
	uint32_t children = sas + sas / 8;

	hostkey_crash_secret(options.crash_secret, config->state);
	hostkey_random(NULL, options.table_seed, sizeof(options.table_seed));
	negotiator->ike_memory = calloc(1, ike_memory(&options));
	negotiator->pool_memory[0] = calloc(1, pool_memory(QUESTIONS_MAX, sizeof(struct question)));
	negotiator->pool_memory[1] = calloc(1, pool_memory(children, sizeof(struct known_child)));
	negotiator->table_memory = calloc(1, table_memory(children));
	if (!negotiator->ike_memory || !negotiator->pool_memory[0] || !negotiator->pool_memory[1] ||
	    !negotiator->table_memory)
		return err_set(err, -ENOMEM, "no memory for %u IKE SAs: lower [limits] peers", sas);
	pool_init(&negotiator->questions, negotiator->pool_memory[0], QUESTIONS_MAX, sizeof(struct question));
	pool_init(&negotiator->children, negotiator->pool_memory[1], children, sizeof(struct known_child));
	table_init(&negotiator->by_spi, negotiator->table_memory, children, options.table_seed);
	negotiator->ike = ike_init(negotiator->ike_memory, &options, err);
	secret_wipe(&options, sizeof(options));
	return negotiator->ike ? 0 : -EINVAL;
}

static int open_known(struct negotiator *negotiator, const struct config *config, struct err *err)
{
	uint8_t seed[SIPHASH_KEY];
	char path[4096];
	int error;

	hostkey_random(NULL, seed, sizeof(seed));
	snprintf(path, sizeof(path), "%s/known.db", config->state);
	error = known_open(&negotiator->known, path, seed, wall_s(), err);
	if (error == 0 && known_problem(negotiator->known))
		log_error("%s", known_problem(negotiator->known));
	return error;
}

static int watch_sockets(struct negotiator *negotiator, struct event_base *base, struct err *err)
{
	const struct timeval known_look = { .tv_sec = KNOWN_LOOK_S };

	negotiator->timer = evtimer_new(base, on_timer, negotiator);
	negotiator->succession = succession_new(negotiator->agent);
	negotiator->known_timer = event_new(base, -1, EV_PERSIST, on_known_timer, negotiator);
	if (!negotiator->timer || !negotiator->succession || !negotiator->known_timer)
		return err_set(err, -ENOMEM, "no memory for the event loop");
	event_add(negotiator->known_timer, &known_look);
	for (unsigned int i = 0; i < UDP_SOCKETS; i++) {
		int fd = udp_fd(negotiator->udp, i);

		if (fd < 0)
			continue;
		negotiator->sockets[i] = event_new(base, fd, EV_READ | EV_PERSIST, on_socket, negotiator);
		if (!negotiator->sockets[i])
			return err_set(err, -ENOMEM, "no memory for the event loop");
		event_add(negotiator->sockets[i], NULL);
	}
	return 0;
}

static int open_all(void *arg, struct agent *agent, const struct config *config, struct err *err)
{
	struct negotiator *negotiator = arg;
	const struct discover_options discover = {
		.pins = config->pins_line || access(config->pins, F_OK) == 0 ? config->pins : NULL,
		.directory = config->directory,
		.directory_key = config->directory_key,
		.directory_id = config->directory_id,
		.state_dir = config->state,
	};
	const struct udp_options udp = { 0 };
	int error = crypto_init(err);

	negotiator->agent = agent;
	if (!error)
		hostkey_state(config->state);
	if (!error)
		error = hostkey_load(&negotiator->key, negotiator->problem, config->key, config->key_line != 0, err);
	if (!error && negotiator->key)
		keytext_format(negotiator->key_text, sign_key_spki(negotiator->key));
	if (!error)
		error = open_known(negotiator, config, err);
	if (!error)
		error = open_engine(negotiator, config, err);
	if (!error)
		error = discover_open(&negotiator->discover, &discover, agent_base(agent), on_found, NULL, negotiator,
				      err);
	if (!error)
		error = udp_open(&negotiator->udp, &udp, on_datagram, negotiator, err);
	if (!error)
		error = watch_sockets(negotiator, agent_base(agent), err);
	return error;
}

static void close_all(void *arg, struct agent *agent)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	for (unsigned int i = 0; i < UDP_SOCKETS; i++)
		if (negotiator->sockets[i])
			event_free(negotiator->sockets[i]);
	if (negotiator->timer)
		event_free(negotiator->timer);
	succession_free(negotiator->succession);
	if (negotiator->known_timer)
		event_free(negotiator->known_timer);
	known_close(negotiator->known);
	if (negotiator->udp)
		udp_close(negotiator->udp);
	if (negotiator->discover)
		discover_close(negotiator->discover);
	if (negotiator->ike)
		ike_clear(negotiator->ike);
	free(negotiator->ike_memory);
	free(negotiator->pool_memory[0]);
	free(negotiator->pool_memory[1]);
	free(negotiator->table_memory);
	sign_key_free(negotiator->key);
	*negotiator = (struct negotiator){ 0 };
}

const struct keying negotiator_keying = {
	.open = open_all,
	.close = close_all,
	.reload = reload,
	.lookup = lookup,
	.negotiate = negotiate,
	.abandon = abandon,
	.installed = installed,
	.rekey = rekey,
	.gone = gone,
	.probe = probe,
	.sticky = sticky,
	.each_sticky = each_sticky,
	.forget = forget,
	.report = report,
	.foresee = foresee,
	.problem = problem,
};

struct negotiator *negotiator_new(void)
{
	return calloc(1, sizeof(struct negotiator));
}

void negotiator_free(struct negotiator *negotiator)
{
	free(negotiator);
}
