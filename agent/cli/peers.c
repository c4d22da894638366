// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast peers [ADDRESS]` and `holdfast explain ADDRESS`: whom this host knows, how each was proved and what its SAs carried;
 * and for one of them what would happen to a packet and what has happened so far. `holdfast forget ADDRESS` begins anew with it.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "cli/client.h"
#include "cli/event_line.h"
#include "cli/print.h"
#include "cli/show.h"
#include "holdfast/control.h"

#define COLUMN 13

/* Of the table: an address this long at most stands beside the rest, an IPv6 address may need a line of its own. */
#define PEER_WIDTH 24

static const char *octets_of(char out[PRINT_SPAN_MAX], const json_t *pair, const char *direction)
{
	const json_t *use = json_object_get(pair, direction);

	return use ? print_octets(out, (uint64_t)client_number(use, "bytes")) : strcpy(out, "-");
}

/* ---- all of them ---- */

static void show_row(const json_t *pair)
{
	char span[PRINT_SPAN_MAX], sent[PRINT_SPAN_MAX], received[PRINT_SPAN_MAX], proof[96];
	const char *remote = client_text(pair, "remote"), *name = client_text(pair, "name");
	const char *source = client_text(pair, "key_source");

	print_text(PRINT_PLAIN, "%-*s", PEER_WIDTH, remote);
	if (strlen(remote) > PEER_WIDTH)
		print_text(PRINT_PLAIN, "\n%*s", PEER_WIDTH, "");
	print_text(show_state_colour(client_text(pair, "state")), " %-9.9s", client_text(pair, "state"));
	snprintf(proof, sizeof(proof), "%s%s%s", *client_text(pair, "key") ? source : "-",
		 *client_text(pair, "key") && *name ? ", " : "", *client_text(pair, "key") ? name : "");
	print_text(PRINT_PLAIN, " %-10s %-18.18s %6s %8s\n", print_span(span, (uint64_t)client_number(pair, "since")),
		   proof, octets_of(sent, pair, "sent"), octets_of(received, pair, "received"));
}

static void show_table(const json_t *peers)
{
	const json_t *pair;
	size_t index;

	if (!json_array_size(peers)) {
		print_text(PRINT_PLAIN, "No peers: nothing was sent yet to an address that is to be protected.\n");
		return;
	}
	print_text(PRINT_BOLD, "%-*s %-9s %-10s %-18s %6s %8s\n", PEER_WIDTH, "PEER", "STATE", "SINCE", "PROVED BY",
		   "SENT", "RECEIVED");
	json_array_foreach(peers, index, pair)
		show_row(pair);
}

/* ---- one of them ---- */

static void show_sa(const json_t *pair, const char *label, const char *spi, const char *use)
{
	const json_t *counters = json_object_get(pair, use);
	const char *suite = client_text(pair, "suite");
	char octets[PRINT_SPAN_MAX];

	if (counters)
		print_item(PRINT_PLAIN, COLUMN, label, "SA %s, %s, %lld packet%s, %s", client_text(pair, spi),
			   *suite ? suite : "of an earlier agent", client_number(counters, "packets"),
			   client_number(counters, "packets") == 1 ? "" : "s",
			   print_octets(octets, (uint64_t)client_number(counters, "bytes")));
}

static void show_pair(const json_t *pair)
{
	const char *state = client_text(pair, "state"), *verdict = client_text(pair, "verdict");
	const char *source = client_text(pair, "key_source"), *key = client_text(pair, "key");
	const char *name = client_text(pair, "name");
	const json_t *left = json_object_get(pair, "seconds_left");
	char span[PRINT_SPAN_MAX], until[PRINT_SPAN_MAX] = "";

	print_text(PRINT_BOLD, "%s -> %s: ", client_text(pair, "local"), client_text(pair, "remote"));
	print_text(show_state_colour(state), "%s", *state ? state : "not known now");
	print_text(PRINT_PLAIN, "%s%s\n", *state ? " for " : "",
		   *state ? print_span(span, (uint64_t)client_number(pair, "since")) : "");
	if (json_is_integer(left))
		print_span(until, (uint64_t)json_integer_value(left));
	if (*verdict)
		print_item(PRINT_PLAIN, COLUMN, "gate", "%s%s%s", verdict, *until ? ", for another " : "", until);
	if (json_is_true(json_object_get(pair, "sticky")))
		print_item(PRINT_PLAIN, COLUMN, "memory",
			   "was reached securely, or its answers are forged: not in clear now");
	if (*client_text(pair, "failure"))
		print_item(PRINT_WARN, COLUMN, "last try", "%s (%lld in a row)", client_text(pair, "failure"),
			   client_number(pair, "failures"));
	if (*key)
		print_item(PRINT_PLAIN, COLUMN, "proved", "by %s%s%s, key SHA-256 %s..", *source ? source : "its key",
			   *name ? ", as " : "", name, key);
	else if (*client_text(pair, "ike"))
		print_item(PRINT_WARN, COLUMN, "proved", "nothing, with which its group is content (auth = any)");
	if (*client_text(pair, "gateway"))
		print_item(PRINT_PLAIN, COLUMN, "gateway",
			   "%s, in front of it: the key is the gateway's, and ESP ends there",
			   client_text(pair, "gateway"));
	if (*client_text(pair, "ike"))
		print_item(PRINT_PLAIN, COLUMN, "ike", "%s", client_text(pair, "ike"));
	show_sa(pair, "out", "spi_out", "sent");
	show_sa(pair, "in", "spi_in", "received");
}

int peers_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct hf_addr address;
	const json_t *list, *pair;
	json_t *request, *answer;
	size_t index;

	if (argc > 1)
		return cli_usage("peers", "peers takes one address, or none");
	if (argc && addr_parse(&address, argv[0], &err) < 0)
		return cli_usage("peers", "%s", err.text);
	request = argc ? client_request_for(CONTROL_PEERS, argv[0]) : client_request(CONTROL_PEERS);
	if (client_ask_all(cli, &answer, request, CONTROL_PEERS, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		print_json(answer);
		return EXIT_DONE;
	}
	list = json_object_get(answer, CONTROL_PEERS);
	if (!argc) {
		show_table(list);
	} else {
		json_array_foreach(list, index, pair)
			show_pair(pair);
		if (!json_array_size(list))
			print_text(PRINT_PLAIN, "%s is no peer now: see holdfast explain %s\n", argv[0], argv[0]);
	}
	json_decref(answer);
	return EXIT_DONE;
}

static void show_explanation(const json_t *answer)
{
	const char *prefix = client_text(answer, CONTROL_PREFIX);
	const json_t *pair, *event, *sentence;
	size_t index, step;

	print_text(PRINT_BOLD, "%s: %s\n", client_text(answer, CONTROL_ADDRESS), client_text(answer, CONTROL_GROUP));
	if (*prefix)
		print_item(PRINT_PLAIN, COLUMN, "reason", "%s, %s:%lld", prefix, client_text(answer, CONTROL_FILE),
			   client_number(answer, CONTROL_LINE));
	else
		print_item(PRINT_PLAIN, COLUMN, "reason", "no prefix covers it, so the default group does");
	if (*client_text(answer, CONTROL_DISCOVERY))
		print_item(PRINT_PLAIN, COLUMN, "key", "%s", client_text(answer, CONTROL_DISCOVERY));
	json_array_foreach(json_object_get(answer, CONTROL_WOULD), index, sentence)
		print_item(PRINT_PLAIN, COLUMN, index ? "" : "would", "%s", json_string_value(sentence) ?: "?");
	json_array_foreach(json_object_get(answer, CONTROL_PAIRS), index, pair) {
		print_text(PRINT_PLAIN, "\n");
		show_pair(pair);
		json_array_foreach(json_object_get(pair, CONTROL_EVENTS), step, event)
			event_line_show(event, "");
	}
	if (!index)
		print_text(PRINT_PLAIN, "\nNothing has happened yet between this host and it.\n");
}

int explain_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct hf_addr address;
	json_t *answer;

	if (argc != 1)
		return cli_usage("explain", "explain takes one address");
	if (addr_parse(&address, argv[0], &err) < 0)
		return cli_usage("explain", "%s", err.text);
	if (client_ask(cli, &answer, client_request_for(CONTROL_EXPLAIN, argv[0]), &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		print_json(answer);
		return EXIT_DONE;
	}
	show_explanation(answer);
	json_decref(answer);
	return EXIT_DONE;
}

int forget_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct hf_addr address;
	json_t *answer;

	if (argc != 1)
		return cli_usage("forget", "forget takes one address");
	if (addr_parse(&address, argv[0], &err) < 0)
		return cli_usage("forget", "%s", err.text);
	if (client_ask(cli, &answer, client_request_for(CONTROL_FORGET, argv[0]), &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		print_json(answer);
		return EXIT_DONE;
	}
	print_text(PRINT_PLAIN, "%s is forgotten: the next packet to it starts anew\n", argv[0]);
	json_decref(answer);
	return EXIT_DONE;
}
