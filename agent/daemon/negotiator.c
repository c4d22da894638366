// SPDX-License-Identifier: Apache-2.0
/*
 * See negotiator.h. Opening and closing of all that it needs, and the core's orders, handed to the engine.
 */
#include "daemon/negotiator_internal.h"

/* ---- the core's orders ---- */

static void lookup(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)agent;
	negotiator_ask(arg, &(struct question){ .asker = ASKER_CORE, .of = peer, .pair = *pair });
}

void negotiator_start(struct negotiator *negotiator, const struct hf_pair *pair, const struct hf_addr *gateway,
		      bool initial_contact)
{
	enum hf_group group = policy_group(&negotiator->agent->config.policy, &pair->remote);
	bool through = !addr_is_none(gateway);
	char text[ADDR_TEXT_MAX];
	struct ike_connect connect = {
		.path = { .local = pair->local, .remote = through ? *gateway : pair->remote },
		.behind = through ? pair->remote : *gateway,
		.tag = TAG_OURS,
		.fail_open = group == HF_GROUP_PRIVATE_OR_CLEAR &&
			     !known_has(negotiator->known, &pair->remote, negotiator_wall_s()),
		.initial_contact = initial_contact,
	};
	struct core_event failed = { .type = EVENT_NEGOTIATION_FAILED, .pair = *pair };

	journal_write(negotiator_journal(negotiator), pair, "ike", agent_now(), "IKE starts%s%s, %s",
		      through ? " with the gateway " : "", through ? addr_format(text, gateway) : "",
		      connect.fail_open ? "gives up after 7.5 s without an answer" : "gives up after a minute");
	if (!ike_connect(negotiator->ike, &connect, agent_now()).generation)
		agent_event(negotiator->agent, &failed);
	negotiator_settle(negotiator);
}

static void negotiate(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair,
		      const struct hf_addr *gateway)
{
	(void)agent;
	(void)peer;
	/* The core asks for a pair without SAs: whatever the peer still has of an earlier life of ours is stale. */
	negotiator_start(arg, pair, gateway, true);
}

static void abandon(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	(void)peer;
	succession_forget(negotiator->succession, pair);
	ike_close_pair(negotiator->ike, pair, agent_now());
	negotiator_settle(negotiator);
}

static void installed(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be, int error)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = negotiator_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (!known || known->answered)
		return;
	known->answered = true;
	negotiator_answer(negotiator, known->child, error);
	negotiator_settle(negotiator);
}

static void rekey(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = negotiator_child(negotiator, pair, spi_in_be);
	struct question question = { .asker = ASKER_ADOPTED, .pair = *pair };
	struct peer_view view;

	if (known) {
		ike_rekey_child(negotiator->ike, known->child, agent_now());
		negotiator_settle(negotiator);
	} else {
		/*
		 * An earlier agent's. Nothing of that IKE SA is left here, but its Child SAs are, and in use: the peer must not
		 * drop them before it has others. It asks the old IKE SA whether it lives, and finds out (docs/COLLISIONS.md U11). The
		 * key that they were made with may have been withdrawn while nobody was here.
		 */
		known_key(negotiator->known, question.key, &pair->remote);
		if (core_find(agent->core, &view, pair))
			question.gateway = view.gateway;
		negotiator_ask(negotiator, &question);
	}
}

static void moved(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be,
		  const struct hf_addr *remote, uint16_t port)
{
	struct negotiator *negotiator = arg;
	const struct known_child *known = negotiator_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (!known)
		return; /* an earlier agent's: its successor comes from where the peer is then */
	ike_child_moved(negotiator->ike, known->child, remote, port, agent_now());
	negotiator_settle(negotiator);
}

static void probe(void *arg, struct agent *agent, const struct hf_pair *pair, bool soon)
{
	struct negotiator *negotiator = arg;

	(void)agent;
	ike_probe_pair(negotiator->ike, pair, soon, agent_now());
	negotiator_settle(negotiator);
}

static void heard(void *arg, const struct hf_addr *resolver, struct view message)
{
	const struct negotiator *negotiator = arg;

	discover_hear(negotiator->discover, resolver, message);
}

static bool sticky(void *arg, const struct hf_addr *remote)
{
	const struct negotiator *negotiator = arg;

	return known_has(negotiator->known, remote, negotiator_wall_s());
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
	known_expire(negotiator->known, negotiator_wall_s(), note_gone, &any);
	/* Keys have an end of their own, of which nobody is told. */
	negotiator_review(negotiator);
	if (any && agent_unstick(negotiator->agent, &err) < 0)
		log_error("%s", err.text);
}

/* A disk that was full is asked again soon: what it does not hold a crash takes away. */
static void on_catch_up(evutil_socket_t fd, short what, void *arg)
{
	struct negotiator *negotiator = arg;

	(void)fd;
	(void)what;
	known_catch_up(negotiator->known, negotiator_wall_s());
}

static void gone(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be)
{
	struct negotiator *negotiator = arg;
	struct known_child *known = negotiator_child(negotiator, pair, spi_in_be);

	(void)agent;
	if (!known)
		return;
	if (!known->answered) {
		known->answered = true;
		negotiator_answer(negotiator, known->child, -ECANCELED);
	} else {
		ike_close_child(negotiator->ike, known->child, agent_now());
	}
	negotiator_settle(negotiator);
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
		.ike = ike,
		.lifetimes = negotiator->lifetimes,
		.renewals_full = renewals_refused(negotiator->renewals),
		.asked = found.asked,
		.keys = found.keys,
		.no_key = found.no_key,
		.failed = found.failed,
		.known = known_count(negotiator->known),
		.pinned = found.hosts_pinned,
		.listed = found.hosts_listed,
		.directory_serial = found.directory_serial,
		.directory_expires_s = found.directory_expires_s,
		.directories_rejected = found.rejected,
		.dns_remembered = found.dns_findings,
		.dns_asking = found.dns_hunts,
		.dns_refused = found.dns_refused,
		.hints = found.hints,
		.hints_refused = found.hints_refused,
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

static int take_key(struct negotiator *negotiator, const struct config *config, struct err *err)
{
	char problem[ERR_TEXT_MAX] = "";
	struct sign_key *key = NULL;
	int error = hostkey_load(&key, problem, config->key, config->key_line != 0, err);

	if (error)
		return error;
	memcpy(negotiator->problem, problem, sizeof(problem));
	if (!key)
		return 0; /* the one that was there is better than none */
	if (negotiator->ike)
		error = ike_use_key(negotiator->ike, key);
	sign_key_free(negotiator->key);
	negotiator->key = key;
	keytext_format(negotiator->key_text, sign_key_spki(key));
	return error ? err_set(err, error, "%s: it cannot be named", config->key) : 0;
}

/* What stands with the key of before goes on; peers that find another one in the DNS make new SAs. */
static int reload(void *arg, struct agent *agent, const struct config *config, struct err *err)
{
	struct negotiator *negotiator = arg;
	int error = take_key(negotiator, config, err);

	(void)agent;
	return error ? error : discover_reload(negotiator->discover, err);
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

/* The peer asks after an IKE SA that died with an earlier agent; what to do about it is told when the engine has returned. */
static bool survives(void *arg, const struct hf_pair *pair)
{
	struct negotiator *negotiator = arg;
	struct peer_view view;

	if (!core_find(negotiator->agent->core, &view, pair) || view.state != PEER_SECURE || !view.orphaned)
		return false;
	negotiator->asked = true;
	return true;
}

static int open_engine(struct negotiator *negotiator, const struct config *config, struct err *err)
{
	uint32_t sas = config->limits.peers < LIMIT_IKE_SAS ? config->limits.peers : LIMIT_IKE_SAS;
	struct ike_options options = {
		.sas_max = sas,
		.host = { .arg = negotiator, .random = hostkey_random, .spi = take_spi, .survives = survives },
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
	error = known_open(&negotiator->known, path, seed, negotiator_wall_s(), err);
	if (error == 0 && known_problem(negotiator->known))
		log_error("%s", known_problem(negotiator->known));
	return error;
}

static int watch_sockets(struct negotiator *negotiator, struct event_base *base, struct err *err)
{
	const struct timeval known_look = { .tv_sec = KNOWN_LOOK_S }, catch_up = { .tv_sec = KNOWN_CATCH_UP_S };

	negotiator->timer = evtimer_new(base, negotiator_on_timer, negotiator);
	negotiator->review_timer = evtimer_new(base, negotiator_on_review, negotiator);
	negotiator->succession = succession_new(negotiator);
	negotiator->renewals = renewals_new(negotiator);
	negotiator->known_timer = event_new(base, -1, EV_PERSIST, on_known_timer, negotiator);
	negotiator->catch_up_timer = event_new(base, -1, EV_PERSIST, on_catch_up, negotiator);
	if (!negotiator->timer || !negotiator->succession || !negotiator->known_timer || !negotiator->catch_up_timer ||
	    !negotiator->review_timer || !negotiator->renewals)
		return err_set(err, -ENOMEM, "no memory for the event loop");
	event_add(negotiator->known_timer, &known_look);
	event_add(negotiator->catch_up_timer, &catch_up);
	for (unsigned int i = 0; i < UDP_SOCKETS; i++) {
		int fd = udp_fd(negotiator->udp, i);

		if (fd < 0)
			continue;
		negotiator->sockets[i] = event_new(base, fd, EV_READ | EV_PERSIST, negotiator_on_socket, negotiator);
		if (!negotiator->sockets[i])
			return err_set(err, -ENOMEM, "no memory for the event loop");
		event_add(negotiator->sockets[i], NULL);
	}
	return 0;
}

struct finder {
	struct negotiator *negotiator;
	const struct hf_addr *remote;
};

static void tell_found(void *arg, const struct hf_addr *local)
{
	const struct finder *finder = arg;
	struct core_event event = { .type = EVENT_KEY_FOUND, .pair = { .local = *local, .remote = *finder->remote } };

	if (addr_is_v4(local) == addr_is_v4(finder->remote))
		agent_event(finder->negotiator->agent, &event);
}

static void on_appeared(void *arg, const struct hf_addr *remote)
{
	struct negotiator *negotiator = arg;

	agent_each_address(negotiator->agent, tell_found, &(struct finder){ negotiator, remote });
}

static int open_discovery(struct negotiator *negotiator, const struct config *config, struct err *err)
{
	struct hf_addr resolvers[LIMIT_RESOLVERS];
	struct discover_options options = {
		.pins = config->pins_line || access(config->pins, F_OK) == 0 ? config->pins : NULL,
		.directory = config->directory,
		.directory_key = config->directory_key,
		.directory_id = config->directory_id,
		.directory_ca = config->directory_ca,
		.state_dir = config->state,
		.appeared = on_appeared,
		.dnssec = config->dnssec != CONFIG_DNSSEC_OFF,
		.dnssec_anchors = config->dnssec_anchors,
		.dnssec_roots = config->dnssec_roots,
		.resolvers = config->resolvers,
		.resolver_count = config->resolver_count,
	};

	if (config->dnssec == CONFIG_DNSSEC_RECURSION) {
		options.resolver_count = 0;
	} else if (!config->resolver_count) {
		options.resolvers = resolvers;
		options.resolver_count = resolvers_local(resolvers, LIMIT_RESOLVERS);
	}
	return discover_open(&negotiator->discover, &options, agent_base(negotiator->agent), negotiator_on_found,
			     negotiator_review, negotiator, err);
}

static int open_all(void *arg, struct agent *agent, const struct config *config, struct err *err)
{
	struct negotiator *negotiator = arg;
	const struct udp_options udp = { 0 };
	int error = crypto_init(err);

	negotiator->agent = agent;
	if (!error)
		hostkey_state(config->state);
	if (!error)
		error = take_key(negotiator, config, err);
	if (!error)
		error = open_known(negotiator, config, err);
	if (!error)
		error = open_engine(negotiator, config, err);
	if (!error)
		error = open_discovery(negotiator, config, err);
	if (!error)
		error = udp_open(&negotiator->udp, &udp, negotiator_on_datagram, negotiator, err);
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
	if (negotiator->review_timer)
		event_free(negotiator->review_timer);
	succession_free(negotiator->succession);
	renewals_free(negotiator->renewals);
	if (negotiator->known_timer)
		event_free(negotiator->known_timer);
	if (negotiator->catch_up_timer)
		event_free(negotiator->catch_up_timer);
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

static void cookies(void *arg, struct ike_cookies *out, uint64_t now)
{
	ike_cookies(((struct negotiator *)arg)->ike, out, now);
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
	.moved = moved,
	.probe = probe,
	.heard = heard,
	.sticky = sticky,
	.each_sticky = each_sticky,
	.forget = forget,
	.cookies = cookies,
	.report = report,
	.foresee = negotiator_foresee,
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
