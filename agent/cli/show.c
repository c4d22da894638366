// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast status`: the agent's answer for people. Only what bites: a line whose numbers are all zero is left out.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/print.h"
#include "cli/show.h"
#include "holdfast/control.h"

#define COLUMN 15
#define LIST_MAX SHOW_LIST_MAX

/* A counter or state by its field, and how a person would call it. */
struct word {
	const char *field, *text;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct word states[] = {
	{ "secure", "secure" },		  { "handoff", "turning secure" },
	{ "install", "being installed" }, { "negotiate", "negotiating" },
	{ "lookup", "being looked up" },  { "clear", "in clear" },
	{ "denied", "denied" },		  { "idle", "idle" },
};

static const struct word failures[] = {
	{ "no_key", "no key" },
	{ "lookup", "lookup failed" },
	{ "negotiation", "no answer or no agreement" },
	{ "kernel", "refused by the kernel" },
	{ "foreign", "source not of this host" },
};

static const struct word sealed[] = {
	{ "out_esp", "out" },
	{ "in_esp", "in" },
};

static const struct word clear[] = {
	{ "out_clear", "out by decision" }, { "out_by_policy", "out by policy" }, { "in_pass", "in" },
	{ "out_exempt", "out exempt" },	    { "in_exempt", "in exempt" },
};

static const struct word held[] = {
	{ "held", "in all" },
	{ "held_stray", "raced with an SA" },
	{ "held_sealed", "ESP in turn" },
};

static const struct word released[] = {
	{ "released_sealed", "sealed" },
	{ "released_clear", "in clear" },
	{ "passed_sealed", "ESP in turn" },
	{ "told_sender", "senders told" },
};

static const struct word dropped[] = {
	{ "drop_block", "blocked" },	     { "drop_pair_full", "pair's queue full" },
	{ "drop_slots_full", "no slot" },    { "drop_queues_full", "no queue" },
	{ "drop_too_big", "too big" },	     { "drop_copy", "not copied" },
	{ "drop_reinjected", "not sealed" }, { "drop_race", "lost a race" },
	{ "drop_malformed", "malformed" },   { "in_drop_clear", "in: clear from a private host" },
	{ "in_drop_block", "in: blocked" },  { "in_drop_malformed", "in: malformed" },
};

static const struct word given_up[] = {
	{ "drop_expired", "too old" },
	{ "drop_denied", "denied" },
	{ "drop_too_big", "larger than the path" },
	{ "drop_error", "refused by the kernel" },
	{ "drop_changed", "verdict changed" },
	{ "drop_malformed", "malformed" },
};

static const struct word shield[] = {
	{ "cookies_sent", "asked for a cookie" },
	{ "cookies_good", "brought it" },
	{ "cookies_bad", "a wrong one" },
	{ "proven_dropped", "too many of one host or site" },
	{ "init_malformed", "without a nonce" },
	{ "malformed", "malformed" },
	{ "odd_dropped", "of no use" },
	{ "unanswerable", "from nobody" },
	{ "answer_failed", "not answered" },
	{ "clear_dropped", "in clear, dropped" },
	{ "esp_spread", "ESP handed to a processor" },
};

static void append(char out[LIST_MAX], const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, LIST_MAX - used, "%s%s", used ? ", " : "", text);
}

/* "12 out, 3 in": the counters that are not zero. */
static void list_counters(char list[LIST_MAX], const json_t *json, const struct word *words, size_t count)
{
	char one[96];

	for (size_t i = 0; i < count; i++) {
		long long number = client_number(json, words[i].field);

		if (!number)
			continue;
		snprintf(one, sizeof(one), "%lld %s", number, words[i].text);
		append(list, one);
	}
}

void show_states(char out[SHOW_LIST_MAX], const json_t *peers)
{
	*out = '\0';
	list_counters(out, peers, states, COUNT(states));
}

enum print_colour show_state_colour(const char *state)
{
	if (strcmp(state, "secure") == 0)
		return PRINT_GOOD;
	if (strcmp(state, "denied") == 0)
		return PRINT_BAD;
	return strcmp(state, "clear") == 0 ? PRINT_WARN : PRINT_PLAIN;
}

static void show_counters(const char *label, const json_t *json, const struct word *words, size_t count,
			  enum print_colour colour)
{
	char list[LIST_MAX] = "";

	list_counters(list, json, words, count);
	if (*list)
		print_item(colour, COLUMN, label, "%s", list);
}

static void show_interfaces(const json_t *list)
{
	char names[LIST_MAX] = "";
	const json_t *name;
	size_t index;

	json_array_foreach(list, index, name)
		append(names, json_string_value(name) ? json_string_value(name) : "?");
	print_item(*names ? PRINT_PLAIN : PRINT_BAD, COLUMN, "interfaces", "%s",
		   *names ? names : "none: nothing is protected");
}

static void show_policies(const json_t *json)
{
	static const char *const groups[] = { "private", "private-or-clear", "clear-or-private", "clear", "block" };
	char list[LIST_MAX] = "", one[64];

	for (size_t i = 0; i < COUNT(groups); i++) {
		if (!client_number(json, groups[i]))
			continue;
		snprintf(one, sizeof(one), "%lld %s", client_number(json, groups[i]), groups[i]);
		append(list, one);
	}
	print_item(PRINT_PLAIN, COLUMN, "prefixes", "%s%sall else %s", list, *list ? "; " : "",
		   client_text(json, "default"));
}

static void show_use(const char *label, const json_t *json, const char *what)
{
	if (client_number(json, "used"))
		print_item(PRINT_PLAIN, COLUMN, label, "%lld of %lld %s", client_number(json, "used"),
			   client_number(json, "max"), what);
}

/* "12 established, 3 half open" and who this host is; then whom it knows, and until when. */
static void show_keying(const json_t *ike, const json_t *discovery)
{
	static const struct word sas[] = {
		{ "established", "established" },
		{ "half_open", "half open" },
		{ "authentication_failed", "authentication failed" },
	};
	static const struct word known[] = {
		{ "pinned", "pinned" },
		{ "listed", "in the directory" },
		{ "directories_rejected", "directories rejected" },
		{ "dns_remembered", "addresses remembered from DNSSEC" },
		{ "dns_asking", "being asked for now" },
		{ "dns_refused", "not asked, because too many were" },
		{ "hints", "names heard that addresses may have" },
		{ "hints_refused", "names not taken: a resolver's answers had too many" },
	};
	long long expires = client_number(discovery, "directory_expires"), left = expires - (long long)time(NULL);
	char list[LIST_MAX] = "", span[PRINT_SPAN_MAX];

	if (!ike)
		return;
	show_counters("ike", ike, sas, COUNT(sas), PRINT_PLAIN);
	if (*client_text(ike, "key"))
		print_item(PRINT_PLAIN, COLUMN, "this host", "%s", client_text(ike, "key"));
	list_counters(list, discovery, known, COUNT(known));
	print_item(PRINT_PLAIN, COLUMN, "keys known", "%s", *list ? list : "none");
	if (expires)
		print_item(left > 0 ? PRINT_PLAIN : PRINT_BAD, COLUMN, "directory", "serial %lld, %s %s",
			   client_number(discovery, "directory_serial"), left > 0 ? "valid for" : "expired for",
			   print_span(span, (uint64_t)(left > 0 ? left : -left)));
}

/* "up (eth0 native alone): 12 asked for a cookie, 3 brought it" */
static void show_shield(const json_t *json)
{
	char where[LIST_MAX] = "", list[LIST_MAX] = "", one[128];
	bool up = client_number(json, "up");
	const json_t *how;
	const char *name;

	if (!json)
		return;
	json_object_foreach(json_object_get(json, "interfaces"), name, how) {
		const char *company = client_text(json_object_get(json, "company"), name);

		snprintf(one, sizeof(one), "%s %s%s%s", name, json_string_value(how) ? json_string_value(how) : "?",
			 *company ? " " : "", company);
		append(where, one);
	}
	list_counters(list, json_object_get(json, "messages"), shield, COUNT(shield));
	print_item(up ? PRINT_WARN : PRINT_PLAIN, COLUMN, "shield", "%s (%s)%s%s", up ? "up" : "down", where,
		   *list ? ": " : "", list);
}

static void show_limits(const json_t *list)
{
	const json_t *limit;
	size_t index;

	if (json_array_size(list))
		print_text(PRINT_WARN, "Limits that were reached\n");
	json_array_foreach(list, index, limit) {
		print_item(PRINT_PLAIN, 21, client_text(limit, "limit"), "%lld %s", client_number(limit, "times"),
			   client_text(limit, "effect"));
		print_item(PRINT_PLAIN, 21, "", "to do: %s", client_text(limit, "advice"));
	}
}

static void show_problems(const json_t *list)
{
	const json_t *problem;
	size_t index;

	if (json_array_size(list))
		print_text(PRINT_BAD, "Problems\n");
	json_array_foreach(list, index, problem)
		print_item(PRINT_PLAIN, 5, "-", "%s", json_string_value(problem) ? json_string_value(problem) : "?");
}

static void show_status(const json_t *status)
{
	const json_t *packets = json_object_get(status, "packets"), *held_now = json_object_get(status, "held");
	const json_t *agent = json_object_get(status, "released");
	const char *attach = client_text(status, "attach"), *config = client_text(status, "config");
	char span[PRINT_SPAN_MAX];

	print_text(PRINT_BOLD, "holdfast %s", client_text(status, CONTROL_VERSION));
	print_text(PRINT_PLAIN, ", pid %lld, running for %s\n", client_number(status, CONTROL_PID),
		   print_span(span, (uint64_t)client_number(status, "uptime")));
	print_item(PRINT_PLAIN, COLUMN, "kernel", "%s, %s%s", client_text(status, "kernel"),
		   *attach ? "attached with " : "not attached", attach);
	print_item(PRINT_PLAIN, COLUMN, "config", "%s", *config ? config : "none, defaults");
	show_interfaces(json_object_get(status, "interfaces"));
	show_policies(json_object_get(status, "policies"));
	show_counters("pairs", json_object_get(status, "peers"), states, COUNT(states), PRINT_PLAIN);
	show_counters("failures", json_object_get(status, "failures"), failures, COUNT(failures), PRINT_WARN);
	show_keying(json_object_get(status, "ike"), json_object_get(status, "discovery"));
	show_shield(json_object_get(status, "shield"));
	show_use("waiting", json_object_get(held_now, "packets"), "packets");
	show_use("", json_object_get(held_now, "big_packets"), "big packets");
	show_use("", json_object_get(held_now, "pairs"), "pairs");
	show_counters("sealed", packets, sealed, COUNT(sealed), PRINT_PLAIN);
	show_counters("in clear", packets, clear, COUNT(clear), PRINT_PLAIN);
	show_counters("held", packets, held, COUNT(held), PRINT_PLAIN);
	show_counters("released", agent, released, COUNT(released), PRINT_PLAIN);
	show_counters("dropped", packets, dropped, COUNT(dropped), PRINT_WARN);
	show_counters("given up", agent, given_up, COUNT(given_up), PRINT_WARN);
	show_limits(json_object_get(status, "limits"));
	show_problems(json_object_get(status, "problems"));
}

int show_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	json_t *status = NULL;

	(void)argv;
	if (argc)
		return cli_usage("status", "status takes no words behind it");
	if (client_ask(cli, &status, client_request(CONTROL_STATUS), &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		print_json(status);
		return EXIT_DONE;
	}
	show_status(status);
	json_decref(status);
	return EXIT_DONE;
}
