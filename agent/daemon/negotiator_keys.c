// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to discovery: the core wants to know whether a peer has a key, the engine which keys are acceptable, the operator what would
 * be found. Answers come at once or later.
 */
#include "daemon/negotiator_internal.h"

/* What a source says, and what policy says to it. */
#define REASON_MAX 400

/* ---- discovery ---- */

void negotiator_ask(struct negotiator *negotiator, const struct question *like)
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

/* A key that discovery vouches for. */
static bool is_verified(const struct discover_answer *answer)
{
	return answer->outcome == DISCOVER_KEYS && answer->trust < TRUST_OPPORTUNISTIC;
}

/*
 * The group is content with a peer that proves nothing. Never where a key is known, nor with a host that has proved one before: then who
 * comes without is somebody else (P4).
 */
static bool needs_no_proof(const struct negotiator *negotiator, const struct hf_pair *pair,
			   const struct discover_answer *answer)
{
	const struct policy *policy = &negotiator->agent->config.policy;

	return policy->ways[policy_group(policy, &pair->remote)].auth_any && !is_verified(answer) &&
	       !known_is_damaged(negotiator->known) &&
	       !known_has(negotiator->known, &pair->remote, negotiator_wall_s());
}

static bool is_usable(const struct negotiator *negotiator, const struct hf_pair *pair,
		      const struct discover_answer *answer)
{
	return is_verified(answer) || (answer->outcome == DISCOVER_KEYS && needs_no_proof(negotiator, pair, answer));
}

/* The core has asked although it may begin with anybody: a gateway is another than the host. */
static bool asks_anybody(const struct negotiator *negotiator, const struct hf_pair *pair)
{
	const struct policy *policy = &negotiator->agent->config.policy;

	return policy->ways[policy_group(policy, &pair->remote)].probe_always;
}

/* What discovery says, as a fact for the core. `anybody`: a host that nobody knows will do as well. */
static void tell_core(struct negotiator *negotiator, const struct question *question,
		      const struct discover_answer *answer, bool anybody)
{
	struct core_event event = { .type = EVENT_LOOKUP_FAILED, .pair = question->pair };
	struct err err = ERR_NONE;

	if (question->asker == ASKER_CORE)
		event.peer = question->of;
	/* Who forges what is said about a host must not get its packets in clear for that. */
	event.sticky = answer->bogus;
	if (!is_usable(negotiator, &question->pair, answer) && answer->outcome == DISCOVER_NO_KEY) {
		/* A proof that there is none, as good as the one that there was. */
		event.type = EVENT_NO_KEY;
		if (known_forget(negotiator->known, &question->pair.remote) &&
		    agent_unstick(negotiator->agent, &err) < 0)
			log_error("%s", err.text);
	}
	if (is_usable(negotiator, &question->pair, answer) ||
	    (anybody && needs_no_proof(negotiator, &question->pair, answer))) {
		/* Who was known is not known any more, but only who has a key can have been. */
		event.type = EVENT_KEY;
		event.sticky = known_is_damaged(negotiator->known);
		event.gateway = answer->gateway;
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

	if (negotiator_is_withdrawn(answer, question)) {
		/* The answer may have taken long enough for somebody else to be the last who proved a key. */
		negotiator->proof.withdrawn |= negotiator->proof.sa.index == question->of.index &&
					       negotiator->proof.sa.generation == question->of.generation;
		negotiator_answer_review(negotiator, question, answer);
		return;
	}
	if (!is_verified(answer))
		return;
	memcpy(peer.key, question->key, sizeof(peer.key));
	known_put(negotiator->known, &peer, negotiator_wall_s());
}

static void answer_engine(struct negotiator *negotiator, const struct question *question,
			  const struct discover_answer *answer)
{
	const struct policy *policy = &negotiator->agent->config.policy;
	enum hf_group group = policy_group(policy, &question->pair.remote);
	struct ike_answer keys = { .tag = question->tag };
	char text[PAIR_TEXT_MAX];

	/* The core has not asked before: it hears now what it is about. */
	if (question->tag & TAG_OURS && policy->ways[group].probe_always && !policy->ways[group].gateways)
		tell_core(negotiator, question, answer, true);
	if (group_answers(group) && !addr_equal(&answer->gateway, &question->gateway)) {
		log_info("%s: the key is of another than whom IKE goes on with: %s", pair_format(text, &question->pair),
			 answer->reason);
	} else if (group_answers(group) && is_usable(negotiator, &question->pair, answer)) {
		keys.tag |= (uint64_t)answer->trust << TAG_TRUST_SHIFT;
		keys.keys = answer->keys;
		for (size_t i = 0; i < answer->keys; i++)
			keys.spki[i] = answer->spki[i];
	} else if (group_answers(group) && needs_no_proof(negotiator, &question->pair, answer)) {
		keys.null = true;
	} else {
		log_info("%s: no key that its group accepts: %s", pair_format(text, &question->pair),
			 group_answers(group) ? answer->reason : "the group wants no SAs");
	}
	ike_answer(negotiator->ike, question->of, &keys, agent_now());
	negotiator_settle(negotiator);
}

static void answer_operator(struct negotiator *negotiator, const struct hf_pair *pair,
			    const struct discover_answer *answer)
{
	struct foresight *foresight = negotiator->foresight;
	char name[64];

	if (!foresight)
		return;
	foresight->usable = is_usable(negotiator, pair, answer);
	foresight->forged = answer->bogus;
	log_escape(name, sizeof(name), answer->name, strlen(answer->name));
	snprintf(foresight->out, foresight->out_max, "%s%s%s", answer->reason, *name ? ", its name is " : "", name);
}

bool negotiator_foresee(void *arg, const struct hf_addr *remote, bool *forged, char *out, size_t out_max)
{
	struct negotiator *negotiator = arg;
	struct foresight foresight = { .out = out, .out_max = out_max };
	struct hf_pair pair = { .remote = *remote };

	*out = '\0';
	negotiator->foresight = &foresight;
	negotiator_ask(negotiator, &(struct question){ .asker = ASKER_OPERATOR, .pair = pair });
	negotiator->foresight = NULL;
	*forged = foresight.forged;
	return foresight.usable;
}

/* Why a host may not be reached through the gateway that its record names; NULL = it may. */
static const char *bar_gateway(const struct negotiator *negotiator, const struct hf_pair *pair,
			       const struct hf_addr *gateway)
{
	const struct policy *policy = &negotiator->agent->config.policy;
	enum hf_group group = policy_group(policy, &pair->remote);

	if (!policy->ways[group].gateways)
		return "its group does not allow it (gateways = no)";
	if (!policy_allows_gateway(policy, group, gateway))
		return "the gateway is in group block";
	if (agent_is_local(negotiator->agent, gateway))
		return "the gateway is this host";
	return NULL;
}

/*
 * A gateway that may not be used is as good as a record that says nothing: no key, and nothing follows for what stands. Whose zone it
 * is can never have this host's packets go another way than policy lets them.
 */
static struct discover_answer judge_gateway(const struct negotiator *negotiator, const struct hf_pair *pair,
					    const struct discover_answer *answer, char *reason, size_t max)
{
	const char *why = addr_is_none(&answer->gateway) ? NULL : bar_gateway(negotiator, pair, &answer->gateway);

	if (!why)
		return *answer;
	snprintf(reason, max, "%s; not used: %s", answer->reason, why);
	return (struct discover_answer){
		.outcome = DISCOVER_FAILED, .unsure = true, .name = answer->name, .reason = reason
	};
}

void negotiator_on_found(void *arg, uint64_t id, const struct hf_addr *addr, const struct discover_answer *found)
{
	struct handle handle = { .index = (uint32_t)id, .generation = (uint32_t)(id >> 32) };
	struct negotiator *negotiator = arg;
	struct question *known = pool_get(&negotiator->questions, handle), question;
	struct discover_answer judged, *answer = &judged;
	char reason[REASON_MAX];

	(void)addr;
	if (!known)
		return;
	question = *known;
	pool_put(&negotiator->questions, handle);
	judged = judge_gateway(negotiator, &question.pair, found, reason, sizeof(reason));
	/* The engine asks for this host's own attempt what the core has asked just before. */
	if (question.asker == ASKER_CORE || (question.asker == ASKER_ENGINE && !(question.tag & TAG_OURS)))
		chronicle_found(negotiator_journal(negotiator), &question.pair, answer,
				is_usable(negotiator, &question.pair, answer), question.asker == ASKER_ENGINE,
				agent_now());
	switch (question.asker) {
	case ASKER_CORE:
		tell_core(negotiator, &question, answer, asks_anybody(negotiator, &question.pair));
		break;
	case ASKER_ENGINE:
		answer_engine(negotiator, &question, answer);
		break;
	case ASKER_STORE:
		answer_store(negotiator, &question, answer);
		break;
	case ASKER_REVIEW:
		negotiator_answer_review(negotiator, &question, answer);
		break;
	case ASKER_ADOPTED:
		if (!negotiator_answer_review(negotiator, &question, answer))
			negotiator_start(negotiator, &question.pair, &question.gateway, false);
		break;
	case ASKER_OPERATOR:
		answer_operator(negotiator, &question.pair, answer);
		break;
	}
}
