// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast publish --check`: does the world see this host's records, signed? For each name what is there, and where something is missing, what and who can
 * mend it. A host counts as found when each of its addresses is, by the reverse tree or by the name.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/publish.h"
#include "cli/query.h"

#define TYPE_SOA 6
#define TYPE_DS 43
#define TYPE_DNSKEY 48
#define TEXT_MAX (2 * DNAME_TEXT_MAX + 300)

struct check {
	struct query *query;
	const struct publish *publish;
	json_t *results;
	bool by_name;			/* the name's record is good */
	bool found[SELF_ADDRESSES_MAX]; /* the address's is */
};

static void own_query(struct query **query)
{
	query_close(*query);
}

/* ---- what is there ---------------------------------------------------------------------------- */

/* One answer, as far as anything here asks. */
struct seen {
	const struct self *self;
	enum dns_status status;
	enum dns_security security;
	uint32_t ttl_s;
	size_t ours, others; /* keys */
	struct view data;    /* that is looked for */
	bool holds;
	char why[QUERY_SAY_MAX];
};

static void take(struct seen *seen, const struct dns_reply *reply)
{
	seen->status = reply->status;
	seen->security = reply->security;
	seen->ttl_s = reply->ttl_s;
	snprintf(seen->why, sizeof(seen->why), "%s", reply->why);
}

static void on_keys(void *arg, const struct dns_reply *reply)
{
	struct seen *seen = arg;

	take(seen, reply);
	for (size_t i = 0; i < reply->count && i < DNS_RECORDS_MAX; i++) {
		uint8_t spki[SPKI_MAX];
		size_t len = sizeof(spki);
		struct record record;

		if (record_read(&record, reply->data[i], NULL) == 0 && record_spki(spki, &len, &record, NULL) == 0 &&
		    view_equal(view_of(spki, len), view_of(seen->self->spki, seen->self->spki_len)))
			seen->ours++;
		else
			seen->others++;
	}
}

static void on_data(void *arg, const struct dns_reply *reply)
{
	struct seen *seen = arg;

	take(seen, reply);
	for (size_t i = 0; i < reply->count && i < DNS_RECORDS_MAX; i++)
		seen->holds |= view_equal(reply->data[i], seen->data);
}

static struct seen ask(const struct check *check, const char *name, uint16_t type, struct view data)
{
	struct seen seen = { .self = &check->publish->self, .data = data };

	query_ask(check->query, name, type, type == RECORD_TYPE ? on_keys : on_data, &seen);
	return seen;
}

/* ---- why it is not good ------------------------------------------------------------------------ */

/* The zone a name is in: the nearest name above with a SOA record. "" = not found out. */
static void find_zone(const struct check *check, char out[DNAME_TEXT_MAX], const char *name)
{
	uint8_t wire[DNAME_WIRE_MAX];
	size_t len = 0, at = 0;

	out[0] = '\0';
	if (dname_parse(wire, &len, name) < 0)
		return;
	for (; at < len; at += 1 + (size_t)wire[at]) {
		char above[DNAME_TEXT_MAX];

		dname_format(above, view_of(wire + at, len - at));
		if (ask(check, above, TYPE_SOA, VIEW_NONE).status == DNS_DATA) {
			strcpy(out, above);
			return;
		}
	}
}

static void say_unsigned(const struct check *check, char *out, const char *name)
{
	char zone[DNAME_TEXT_MAX];

	find_zone(check, zone, name);
	if (!*zone)
		snprintf(out, TEXT_MAX, "not signed, and it cannot be found out which zone it is in");
	else if (ask(check, zone, TYPE_DNSKEY, VIEW_NONE).status != DNS_DATA)
		snprintf(out, TEXT_MAX,
			 "not signed: zone %s has no keys; sign it, then give its DS record to who runs the zone above",
			 zone);
	else if (ask(check, zone, TYPE_DS, VIEW_NONE).status != DNS_DATA)
		snprintf(out, TEXT_MAX,
			 "not signed for others: no DS of zone %s in the zone above; give it to who runs that", zone);
	else
		snprintf(out, TEXT_MAX,
			 "not signed for others: a zone above %s is not signed, or no trust anchor covers it", zone);
}

static void say_missing(const struct check *check, char *out, const struct publish_record *record,
			const struct seen *seen)
{
	static const char *const nobodys[] = { ".", "arpa.", "in-addr.arpa.", "ip6.arpa." };
	char zone[DNAME_TEXT_MAX];

	if (seen->status == DNS_NO_DATA) {
		snprintf(out, TEXT_MAX, "not published: the name is there, without a key");
		return;
	}
	find_zone(check, zone, record->name);
	for (size_t i = 0; record->addr && i < sizeof(nobodys) / sizeof(nobodys[0]); i++) {
		if (strcmp(zone, nobodys[i]) == 0) {
			snprintf(
				out, TEXT_MAX,
				"no reverse zone: nobody below %s has one for this address; ask who gave the address, or be found by name",
				zone);
			return;
		}
	}
	snprintf(out, TEXT_MAX, "not published: no such name in zone %s", *zone ? zone : "(unknown)");
}

/* One word for scripts, and a sentence. True when the record is good. */
static bool judge(const struct check *check, const char **state, char *out, const struct publish_record *record)
{
	struct seen seen = ask(check, record->name, RECORD_TYPE, VIEW_NONE);

	if (seen.security == DNS_BOGUS) {
		*state = "bogus";
		snprintf(out, TEXT_MAX, "bogus: %s", seen.why);
	} else if (seen.status == DNS_FAILED) {
		*state = "unknown";
		snprintf(out, TEXT_MAX, "nobody answers: %s", seen.why);
	} else if (seen.status != DNS_DATA) {
		*state = "missing";
		say_missing(check, out, record, &seen);
	} else if (!seen.ours) {
		*state = "stale";
		snprintf(
			out, TEXT_MAX,
			"stale: %zu other key%s there, not this host's; a new record is seen within %u s of being served",
			seen.others, seen.others > 1 ? "s are" : " is", seen.ttl_s);
	} else if (seen.security != DNS_SECURE) {
		*state = "unsigned";
		say_unsigned(check, out, record->name);
	} else if (seen.others) {
		*state = "good";
		snprintf(out, TEXT_MAX,
			 "secure, for %u s; beside %zu other key%s: take old ones away when nobody uses them",
			 seen.ttl_s, seen.others, seen.others > 1 ? "s" : "");
	} else {
		*state = "good";
		snprintf(out, TEXT_MAX, "secure, for %u s", seen.ttl_s);
	}
	return strcmp(*state, "good") == 0;
}

/* ---- by name ----------------------------------------------------------------------------------- */

static const char *what_of(const struct seen *seen)
{
	return seen->security == DNS_BOGUS    ? "is bogus"
	       : seen->status == DNS_FAILED   ? "cannot be asked for"
	       : !seen->holds		      ? "lacks it"
	       : seen->security != DNS_SECURE ? "is not signed"
					      : NULL;
}

/* Whether an address is found by the name: both must name each other, signed. */
static bool confirm(const struct check *check, char *out, const struct publish_record *name,
		    const struct publish_record *address)
{
	uint8_t wire[DNAME_WIRE_MAX];
	size_t len = 0, octets_len;
	const uint8_t *octets = addr_octets(address->addr, &octets_len);
	struct seen forward, back;
	const char *wrong;

	dname_parse(wire, &len, name->name);
	forward = ask(check, name->name, octets_len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA, view_of(octets, octets_len));
	back = ask(check, address->name, DNS_TYPE_PTR, view_of(wire, len));
	wrong = what_of(&forward);
	if (wrong)
		snprintf(out, TEXT_MAX, "not by name: %s record of %s %s", octets_len == 4 ? "A" : "AAAA", name->name,
			 wrong);
	else if ((wrong = what_of(&back)))
		snprintf(out, TEXT_MAX, "not by name: PTR record of %s %s", address->name, wrong);
	else
		snprintf(out, TEXT_MAX, "by name: it and %s name each other, signed", name->name);
	return !wrong;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void add(const struct check *check, const char *name, const char *state, const char *text)
{
	json_array_append_new(check->results, json_pack("{ss ss ss}", "name", name, "state", state, "text", text));
}

static bool check_all(struct check *check)
{
	const struct publish *publish = check->publish;
	const struct publish_record *last = &publish->record[publish->count - 1];
	char text[TEXT_MAX], addr[ADDR_TEXT_MAX];
	const char *state;
	bool all = true;

	for (size_t i = 0; i < publish->count; i++) {
		const struct publish_record *record = &publish->record[i];
		bool good = judge(check, &state, text, record);

		add(check, record->name, state, text);
		if (record->addr)
			check->found[i] = good;
		else
			check->by_name = good;
	}
	for (size_t i = 0; i < publish->self.count; i++) {
		if (check->by_name) {
			bool good = confirm(check, text, last, &publish->record[i]);

			add(check, addr_format(addr, publish->record[i].addr), good ? "good" : "unconfirmed", text);
			check->found[i] |= good;
		}
		all &= check->found[i];
	}
	return all && (publish->self.count || check->by_name);
}

int publish_check(const struct cli *cli, const struct publish *publish)
{
	OWN(own_query) struct query *query = NULL;
	struct check check = { .publish = publish };
	struct err err = ERR_NONE;
	json_t *result;
	size_t i;
	bool all;

	if (query_open(&query, cli, &err) < 0)
		return cli_fail(cli, &err);
	check.query = query;
	check.results = json_array();
	all = check_all(&check);
	if (cli->json) {
		print_json(json_pack("{sb so}", "found", all, "checks", check.results));
		return all ? EXIT_DONE : EXIT_FAILED;
	}
	json_array_foreach(check.results, i, result) {
		bool good = strcmp(json_string_value(json_object_get(result, "state")), "good") == 0;

		print_text(good ? PRINT_GOOD : PRINT_WARN, "%s\n", json_string_value(json_object_get(result, "name")));
		print_item(PRINT_PLAIN, 4, "", "%s", json_string_value(json_object_get(result, "text")));
	}
	json_decref(check.results);
	print_text(all ? PRINT_GOOD : PRINT_WARN, "%s\n",
		   all ? "Others can find each address of this host, and prove that the key is its own."
		       : "Not every address of this host can be found with a key that is proved.");
	return all ? EXIT_DONE : EXIT_FAILED;
}
