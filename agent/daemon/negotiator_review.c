// SPDX-License-Identifier: Apache-2.0
/*
 * Keys that are withdrawn while SAs stand that were made with them (DESIGN 6). When a source of keys changed, every IKE SA's peer is
 * asked for again, some in each turn of the loop, so that a large fleet's directory delays no packet; whose key is listed still
 * keeps its SAs. A source that cannot say anything now ends nothing. Who has another key in the DNS, where roll-overs are made of
 * lives of records, has new SAs before the old ones go (renewal.h).
 */
#include "daemon/negotiator_internal.h"

/* IKE SAs looked at in one turn, 3 us each. */
#define REVIEW_LOOKS 256

/* SAs ended in one turn: some six orders to the kernel and a message each, 0.2 ms. */
#define REVIEW_ENDS 16

/* SAs with a key that is not there any more: IKEv2 makes others within seconds, if the peer is there at all. */
#define RENEW_MAX_S 3600

bool negotiator_is_withdrawn(const struct discover_answer *answer, const struct question *question)
{
	static const uint8_t unknown[SHA256_LEN];
	uint8_t listed[SHA256_LEN];

	if (answer->outcome != DISCOVER_KEYS)
		return !answer->unsure;
	if (!addr_equal(&answer->gateway, &question->gateway))
		return true;
	if (memcmp(question->key, unknown, SHA256_LEN) == 0)
		return false;
	for (size_t i = 0; i < answer->keys; i++)
		if (hash_sha256(listed, &answer->spki[i], 1) < 0 || memcmp(listed, question->key, SHA256_LEN) == 0)
			return false;
	return true;
}

/*
 * The SAs that are asked about came from the DNS as well: a list that no longer has a key means it at once. Through another gateway there
 * can be no SA beside the old ones.
 */
static bool is_rolled_over(const struct question *question, const struct discover_answer *answer)
{
	uint64_t trust = question->tag >> TAG_TRUST_SHIFT;

	return question->asker == ASKER_REVIEW && answer->outcome == DISCOVER_KEYS &&
	       addr_equal(&answer->gateway, &question->gateway) && trust >= TRUST_REVERSE &&
	       (answer->trust == TRUST_REVERSE || answer->trust == TRUST_FORWARD);
}

/* The old SAs may go on for one more life of the record. */
static bool renew(struct negotiator *negotiator, const struct question *question, const struct discover_answer *answer)
{
	uint64_t now_s = negotiator_wall_s(), left_s = answer->until_s > now_s ? answer->until_s - now_s : 0;
	char text[PAIR_TEXT_MAX];

	if (!renewals_begin(negotiator->renewals, &question->pair, &question->gateway, question->key,
			    (left_s < RENEW_MAX_S ? left_s : RENEW_MAX_S) * NSTIME_S))
		return false;
	log_info("%s: the peer's key is another one now, new SAs are made: %s", pair_format(text, &question->pair),
		 answer->reason);
	chronicle_renewed(negotiator_journal(negotiator), &question->pair, answer, agent_now());
	return true;
}

bool negotiator_answer_review(struct negotiator *negotiator, const struct question *question,
			      const struct discover_answer *answer)
{
	struct core_event event = { .type = EVENT_KEY_GONE, .pair = question->pair };
	char text[PAIR_TEXT_MAX];

	if (!negotiator_is_withdrawn(answer, question))
		return false;
	if (is_rolled_over(question, answer) && renew(negotiator, question, answer))
		return true;
	negotiator->review_ended++;
	log_info("%s: SAs ended, the key that they were made with was withdrawn: %s",
		 pair_format(text, &question->pair), answer->reason);
	chronicle_withdrawn(negotiator_journal(negotiator), &question->pair, answer, agent_now());
	agent_event(negotiator->agent, &event);
	/* An attempt of ours that was under way. */
	event.type = EVENT_NEGOTIATION_FAILED;
	if (question->asker == ASKER_STORE && question->tag & TAG_OURS)
		agent_event(negotiator->agent, &event);
	/* One without Child SAs could make some. */
	ike_close(negotiator->ike, question->of, agent_now());
	negotiator_settle(negotiator);
	return true;
}

/* Whether the key came from discovery, and proved who the peer is. */
static bool is_reviewed(const struct ike_view *view)
{
	uint64_t trust = view->tag >> TAG_TRUST_SHIFT;

	return view->established && trust && trust < TRUST_OPPORTUNISTIC;
}

/* Descriptors that are ready have their turn between two slices. */
static void soon(struct negotiator *negotiator)
{
	struct timeval wait = { 0 };

	if (pool_count(&negotiator->questions) == QUESTIONS_MAX)
		wait.tv_usec = 100000; /* until some of them are answered */
	evtimer_add(negotiator->review_timer, &wait);
}

static bool has_time(const struct negotiator *negotiator)
{
	return negotiator->review_ended < REVIEW_ENDS && pool_count(&negotiator->questions) < QUESTIONS_MAX;
}

void negotiator_on_review(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;
	struct ike_view view;
	bool more = true;

	(void)fd;
	(void)what;
	negotiator->review_ended = 0;
	for (unsigned int i = 0; more && i < REVIEW_LOOKS && has_time(negotiator); i++) {
		struct question question = { .asker = ASKER_REVIEW };

		more = ike_after(negotiator->ike, &view, &negotiator->review_place);
		if (!more || !is_reviewed(&view))
			continue;
		question.of = view.sa;
		question.tag = view.tag;
		question.pair = view.pair;
		if (!addr_equal(&view.pair.remote, &view.path.remote))
			question.gateway = view.path.remote;
		memcpy(question.key, view.key, sizeof(question.key));
		negotiator_ask(negotiator, &question);
	}
	if (more)
		soon(negotiator);
}

void negotiator_review(void *arg)
{
	struct negotiator *negotiator = arg;

	negotiator->review_place = 0;
	soon(negotiator);
}
