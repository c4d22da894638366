// SPDX-License-Identifier: Apache-2.0
/*
 * A test driver: the IKE engine with real sockets and the kernel's SAs, without the rest of the agent. It answers each
 * question of the engine with what the command line gave it, so it proves the engine's speech on the wire and nothing
 * about policy. Foreign daemons are its peers in the ike_* scenarios. Not part of the product.
 *
 *   ikepeer [--key FILE] [--peer-key FILE]... [--psk TEXT] [--null] [--id NAME] [--peer-id NAME]
 *           [--connect ADDRESS]... [--respond] [--answer-delay MS] [--initial-contact] [--control FIFO] [--keylog FILE]
 *           [--kex 31,19,14] [--cbc] [--pfs] [--fragment-size N] [--force-encap] [--always-cookie] [--fail-open]
 *           [--child-life SECONDS] [--sa-life SECONDS] [--port N] [--encap-port N] [--sas-max N]
 *           [--no-kernel] [--quiet] [--load PER-SECOND --from ADDRESS] [--shield INTERFACE]
 *
 * --key:      our private key, PEM;  --peer-key: a public key of a peer that is accepted, PEM (SubjectPublicKeyInfo)
 * --respond:  peers may start; without it they are told that no key of theirs is known
 * --control:  commands, one a line: connect ADDRESS, rekey-child, rekey-ike, probe, close, close-child, forget: about the
 *             newest SA that is up; load PER-SECOND, counts
 * --no-kernel: SAs are not installed, for a kernel without ESP
 * --quiet:    only READY, ERROR and answers to commands
 * --load:     set-ups with the one --connect at a steady pace, each from another address (65,536 from --from on) and closed when it
 *             is up
 * --shield:   the product's shield (agent/daemon/doorkeeper.c) in front of this engine
 *
 * One event a line on standard output: READY, UP, CHILD_UP, CHILD_USE, CHILD_QUIET, CHILD_DOWN, REPLACED, MOVED, DOWN.
 */
#include <signal.h>
#include <stdlib.h>

#include "ikepeer.h"

static struct ikepeer peer;

static void on_end(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	(void)arg;
	event_base_loopbreak(peer.base);
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct event *term, *interrupt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	options_parse(&peer.options, argc, argv);
	peer.base = event_base_new();
	if (!peer.base || engine_open(&peer, &err) < 0 || commands_open(&peer, &err) < 0) {
		fprintf(stderr, "ikepeer: %s\n", err.text);
		return 1;
	}
	term = evsignal_new(peer.base, SIGTERM, on_end, NULL);
	interrupt = evsignal_new(peer.base, SIGINT, on_end, NULL);
	event_add(term, NULL);
	event_add(interrupt, NULL);
	say("READY");
	for (size_t i = 0; i < peer.options.connects && !peer.options.load_per_second; i++)
		engine_connect(&peer, &peer.options.connect[i]);
	load_start(&peer);
	event_base_dispatch(peer.base);
	event_free(term);
	event_free(interrupt);
	engine_close(&peer);
	event_base_free(peer.base);
	return 0;
}
