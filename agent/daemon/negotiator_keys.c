// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to discovery: the core wants to know whether a peer has a key, the engine which keys are acceptable, the operator what would
 * be found. Answers come at once or later.
 */
#include "daemon/negotiator_internal.h"

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

	if (negotiator_is_withdrawn(answer, question->key)) {
		negotiator->proof.withdrawn = true;
		negotiator_answer_review(negotiator, question, answer);
		return;
	}
	if (!is_usable(answer))
		return;
	memcpy(peer.key, question->key, sizeof(peer.key));
	known_put(negotiator->known, &peer, negotiator_wall_s());
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
	negotiator_settle(negotiator);
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

bool negotiator_foresee(void *arg, const struct hf_addr *remote, char *out, size_t out_max)
{
	struct negotiator *negotiator = arg;
	struct foresight foresight = { .out = out, .out_max = out_max };
	struct hf_pair pair = { .remote = *remote };

	*out = '\0';
	negotiator->foresight = &foresight;
	negotiator_ask(negotiator, &(struct question){ .asker = ASKER_OPERATOR, .pair = pair });
	negotiator->foresight = NULL;
	return foresight.usable;
}

void negotiator_on_found(void *arg, uint64_t id, const struct hf_addr *addr, const struct discover_answer *answer)
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
		chronicle_found(negotiator_journal(negotiator), &question.pair, answer, is_usable(answer),
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
	case ASKER_REVIEW:
		negotiator_answer_review(negotiator, &question, answer);
		break;
	case ASKER_ADOPTED:
		if (!negotiator_answer_review(negotiator, &question, answer))
			negotiator_start(negotiator, &question.pair, false);
		break;
	case ASKER_OPERATOR:
		answer_operator(negotiator, answer);
		break;
	}
}
