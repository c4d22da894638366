// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine says: sent, installed, answered, and told in one line each.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"
#include "ikepeer.h"

#define TEXT_MAX 300

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static const char *identity(char out[TEXT_MAX], const struct ike_identity *id)
{
	int at = snprintf(out, TEXT_MAX, "%u:", id->type);

	if (id->type == 2)
		log_escape(out + at, TEXT_MAX - (size_t)at, id->data.at, id->data.len);
	else
		for (size_t i = 0; i < id->data.len && i < 64; i++)
			at += snprintf(out + at, TEXT_MAX - (size_t)at, "%02x", id->data.at[i]);
	return out;
}

static void answer(struct ikepeer *peer, struct handle sa, bool responder)
{
	const struct options *options = &peer->options;
	struct ike_answer answer = { 0 };

	if (!responder || options->respond) {
		answer.keys = options->keys;
		for (size_t i = 0; i < options->keys; i++)
			answer.spki[i] = view_of(options->spki[i], options->spki_len[i]);
		answer.psk = view_of(options->psk.octets, options->psk.len);
		answer.null = options->null;
	}
	if (options->peer_id)
		answer.peer = (struct ike_identity){ 2, view_of(options->peer_id, strlen(options->peer_id)) };
	if (options->null)
		answer.own.type = 13; /* ID_NULL: whoever proves nothing claims nothing (RFC 7619 2.2) */
	else if (options->id)
		answer.own = (struct ike_identity){ 2, view_of(options->id, strlen(options->id)) };
	ike_answer(peer->ike, sa, &answer, engine_now());
}

static void on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct ask *ask = arg;

	(void)fd;
	(void)what;
	ask->used = false;
	event_free(ask->timer);
	answer(ask->peer, ask->sa, ask->responder);
	engine_settle(ask->peer);
}

/* The engine wants all its outputs drawn before the next call, so even "at once" is a turn of the loop later. */
static void on_ask(struct ikepeer *peer, const struct ike_output *output)
{
	unsigned int ms = peer->options.answer_delay_ms;
	struct timeval delay = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };
	char text[TEXT_MAX];

	tell(peer, "ASK sa=%u.%u %s id=%s null=%d", output->sa.index, output->sa.generation,
	     output->ask.responder ? "responder" : "initiator", identity(text, &output->ask.id), output->ask.null);
	for (struct ask *ask = peer->asks; ask < peer->asks + ASKS_MAX; ask++) {
		if (ask->used)
			continue;
		*ask = (struct ask){ peer, NULL, output->sa, output->ask.responder, true };
		ask->timer = evtimer_new(peer->base, on_delay, ask);
		event_add(ask->timer, &delay);
		return;
	}
}

static const char *auth_name(enum ike_auth auth)
{
	switch (auth) {
	case IKE_AUTH_SIGNATURE:
		return "signature";
	case IKE_AUTH_PSK:
		return "psk";
	case IKE_AUTH_NULL:
		return "null";
	}
	return "?";
}

static void say_child(const struct ikepeer *peer, const char *what, const struct ike_output *output)
{
	const struct child *child = &output->child.keys;
	static const char *const algorithms[] = { "gcm256", "gcm128", "chacha20" };

	tell(peer, "%s sa=%u.%u child=%u.%u in=%08x out=%08x %s%s %s%s %s in:%d out:%d replaces=%08x replaced=%d", what,
	     output->sa.index, output->sa.generation, output->child.child.index, output->child.child.generation,
	     ntohl(child->spi_in_be), ntohl(child->spi_out_be),
	     child->algorithm < CHILD_ALGORITHMS ? algorithms[child->algorithm] : "?", child->esn ? "-esn" : "",
	     child->tunnel ? "tunnel" : "transport", child->encap ? "-encap" : "",
	     output->child.responder ? "responder" : "initiator", output->child.install_in, output->child.install_out,
	     ntohl(output->child.replaces_in_be), output->child.replaced);
}

static bool same(struct handle a, struct handle b)
{
	return a.index == b.index && a.generation == b.generation;
}

static void on_up(struct ikepeer *peer, const struct ike_output *output)
{
	char text[TEXT_MAX], remote[ADDR_TEXT_MAX];

	peer->last_sa = output->sa;
	tell(peer, "UP sa=%u.%u %s auth=%s id=%s remote=%s port=%u", output->sa.index, output->sa.generation,
	     output->up.responder ? "responder" : "initiator", auth_name(output->up.auth),
	     identity(text, &output->up.id), addr_format(remote, &output->path.remote), output->path.remote_port);
}

static void on_child_up(struct ikepeer *peer, const struct ike_output *output)
{
	int error = sas_up(peer, output);

	say_child(peer, "CHILD_UP", output);
	if (!error) {
		peer->last_child = output->child.child;
		load_up(peer, output->sa);
	}
	if (peer->installed_count < CHILDREN_MAX)
		peer->installed[peer->installed_count++] = (struct installed){ output->child.child, error };
}

static void on_down(struct ikepeer *peer, const struct ike_output *output)
{
	char reason[TEXT_MAX];

	snprintf(reason, sizeof(reason), "%s", ike_reason_name(output->down.reason));
	for (char *at = reason; *at; at++)
		*at = *at == ' ' ? '-' : *at;
	if (same(peer->last_sa, output->sa))
		peer->last_sa = HANDLE_NONE;
	load_down(peer, output->down.was_up);
	tell(peer, "DOWN sa=%u.%u reason=%s was_up=%d notify=%u", output->sa.index, output->sa.generation, reason,
	     output->down.was_up, output->down.notify);
}

void outputs_take(struct ikepeer *peer, struct ike_output *output)
{
	switch (output->type) {
	case IKE_SEND:
		udp_send(peer->udp, &output->path, output->datagram);
		break;
	case IKE_ASK_KEY:
		on_ask(peer, output);
		break;
	case IKE_UP:
		on_up(peer, output);
		break;
	case IKE_REPLACED:
		if (same(peer->last_sa, output->replaced.old))
			peer->last_sa = output->sa;
		tell(peer, "REPLACED sa=%u.%u old=%u.%u", output->sa.index, output->sa.generation,
		     output->replaced.old.index, output->replaced.old.generation);
		break;
	case IKE_CHILD_UP:
		on_child_up(peer, output);
		break;
	case IKE_CHILD_USE:
		sas_use(peer, output);
		say_child(peer, "CHILD_USE", output);
		break;
	case IKE_CHILD_QUIET:
		sas_quiet(peer, output);
		say_child(peer, "CHILD_QUIET", output);
		break;
	case IKE_CHILD_DOWN:
		sas_down(peer, output);
		say_child(peer, "CHILD_DOWN", output);
		break;
	case IKE_CHILD_MOVED:
		sas_moved(peer, output);
		say_child(peer, "MOVED", output);
		break;
	case IKE_DOWN:
		on_down(peer, output);
		break;
	}
	/* CHILD_UP and CHILD_USE carry keys. */
	if (output->type == IKE_CHILD_UP || output->type == IKE_CHILD_USE)
		secret_wipe(&output->child.keys, sizeof(output->child.keys));
}
