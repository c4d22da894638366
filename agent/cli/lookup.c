// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast lookup`: what the DNS says about an address or a name, question by question, and what an agent would make of it. Nothing is remembered and no
 * agent is asked; pins and a directory, which come before the DNS, are explain's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/query.h"
#include "discover/dname.h"
#include "discover/keytext.h"

#define ADDRESSES_MAX 8

static void own_query(struct query **query)
{
	query_close(*query);
}

/* ---- one address ------------------------------------------------------------------------------ */

struct finding {
	struct hf_addr addr;
	json_t *json; /* what was found */
};

static void add(json_t *questions, const char *name, const char *type, const char *answer, enum dns_security security,
		uint32_t ttl_s, const char *note)
{
	json_array_append_new(questions,
			      json_pack("{ss ss ss ss sI ss}", "name", name, "type", type, "answer", answer, "security",
					query_security(security), "ttl", (json_int_t)ttl_s, "note", note));
}

static void add_keys(json_t *questions, const char *name, const struct keyset *keys)
{
	char say[QUERY_SAY_MAX], note[KEYSET_WHY_MAX + 64] = "";

	if (keys->status == DNS_DATA && keys->security != DNS_BOGUS)
		snprintf(note, sizeof(note), "%zu record%s, %zu of them with a key of the host%s%s", keys->records,
			 keys->records == 1 ? "" : "s", keys->keys, *keys->why ? ": " : "", keys->why);
	add(questions, name, "IPSECKEY", query_say(say, keys->status, keys->security, keys->why), keys->security,
	    keys->ttl_s, note);
}

static void add_fact(json_t *questions, const char *name, const char *type, const struct judge_fact *fact,
		     const char *note)
{
	char say[QUERY_SAY_MAX];

	add(questions, name, type, query_say(say, fact->status, fact->security, ""), fact->security, fact->ttl_s, note);
}

static void add_names(json_t *questions, const struct judge_evidence *evidence, const struct hf_addr *addr)
{
	for (size_t i = 0; i < evidence->names; i++) {
		const struct judge_name *name = &evidence->name[i];

		add_fact(questions, name->name, addr_is_v4(addr) ? "A" : "AAAA", &name->addresses,
			 name->addresses.holds		      ? "the address is among them"
			 : name->addresses.status == DNS_DATA ? "the address is not among them"
							      : "");
		add_keys(questions, name->name, &name->keys);
	}
}

static json_t *keys_json(const struct keyset *keys)
{
	json_t *list = json_array();

	for (size_t i = 0; keys && i < keys->keys; i++) {
		char text[KEYTEXT_MAX];

		if (keytext_format(text, view_of(keys->spki[i], keys->len[i])) == 0)
			json_array_append_new(list, json_string(text));
	}
	return list;
}

static void on_evidence(void *arg, const struct judge_evidence *evidence)
{
	static const char *const outcomes[] = {
		[DISCOVER_KEYS] = "keys", [DISCOVER_NO_KEY] = "no key", [DISCOVER_FAILED] = "failed"
	};
	struct finding *finding = arg;
	char reverse[DNAME_REVERSE_MAX], text[ADDR_TEXT_MAX], pointed[JUDGE_NAMES_MAX * DISCOVER_NAME_MAX] = "";
	json_t *questions = json_array();
	struct judgment judgment;

	judge_all(&judgment, evidence, 0);
	dname_reverse(reverse, &finding->addr);
	add_keys(questions, reverse, &evidence->reverse);
	/* When the reverse tree has decided, nothing else was waited for. */
	if (!judge_reverse(&evidence->reverse)) {
		for (size_t i = 0; i < evidence->names; i++)
			if (evidence->name[i].is_pointed)
				snprintf(pointed + strlen(pointed), sizeof(pointed) - strlen(pointed), "%s%s",
					 *pointed ? " " : "", evidence->name[i].name);
		add_fact(questions, reverse, "PTR", &evidence->pointer, pointed);
		add_names(questions, evidence, &finding->addr);
	}
	finding->json = json_pack("{ss so ss ss sb ss sI ss so}", "address", addr_format(text, &finding->addr),
				  "questions", questions, "outcome", outcomes[judgment.outcome], "trust",
				  judgment.outcome == DISCOVER_KEYS ? discover_trust_name(judgment.trust) : "none",
				  "bogus", judgment.bogus, "host", judgment.name, "ttl", (json_int_t)judgment.ttl_s,
				  "reason", judgment.reason, "keys",
				  keys_json(judgment.outcome == DISCOVER_KEYS ? judgment.keys : NULL));
}

/* ---- a name ----------------------------------------------------------------------------------- */

struct addresses {
	struct hf_addr addr[ADDRESSES_MAX];
	size_t count;
	json_t *questions;
	const char *name, *type;
};

static void on_addresses(void *arg, const struct dns_reply *reply)
{
	struct addresses *addresses = arg;
	char say[QUERY_SAY_MAX], note[400] = "", text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < reply->count && i < DNS_RECORDS_MAX && addresses->count < ADDRESSES_MAX; i++) {
		struct hf_addr *addr = &addresses->addr[addresses->count];

		if (reply->data[i].len != 4 && reply->data[i].len != 16)
			continue;
		*addr = addr_from_octets(reply->data[i].at, reply->data[i].len);
		snprintf(note + strlen(note), sizeof(note) - strlen(note), "%s%s", *note ? " " : "",
			 addr_format(text, addr));
		addresses->count++;
	}
	add(addresses->questions, addresses->name, addresses->type,
	    query_say(say, reply->status, reply->security, reply->why), reply->security, reply->ttl_s, note);
}

static void find_addresses(struct query *query, struct addresses *addresses, const char *name)
{
	addresses->name = name;
	addresses->type = "A";
	query_ask(query, name, DNS_TYPE_A, on_addresses, addresses);
	addresses->type = "AAAA";
	query_ask(query, name, DNS_TYPE_AAAA, on_addresses, addresses);
}

/* ---- shown ------------------------------------------------------------------------------------ */

static const char *string_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static void show_questions(const json_t *questions)
{
	size_t i;
	json_t *question;

	json_array_foreach(questions, i, question) {
		const char *security = string_of(question, "security"), *note = string_of(question, "note");

		print_text(strcmp(security, "bogus") == 0    ? PRINT_BAD
			   : strcmp(security, "secure") == 0 ? PRINT_GOOD
							     : PRINT_PLAIN,
			   "  %s %s\n", string_of(question, "name"), string_of(question, "type"));
		print_item(PRINT_PLAIN, 6, "", "%s%s%s, for %lld s", string_of(question, "answer"), *note ? "; " : "",
			   note, (long long)json_integer_value(json_object_get(question, "ttl")));
	}
}

static void show_finding(const json_t *finding)
{
	bool has_keys = json_array_size(json_object_get(finding, "keys")) > 0;
	size_t i;
	json_t *key;

	print_text(PRINT_BOLD, "%s\n", string_of(finding, "address"));
	show_questions(json_object_get(finding, "questions"));
	print_text(has_keys ? PRINT_GOOD : PRINT_WARN, "  trust: %s\n", string_of(finding, "trust"));
	print_item(PRINT_PLAIN, 6, "", "%s", string_of(finding, "reason"));
	json_array_foreach(json_object_get(finding, "keys"), i, key)
		print_text(PRINT_PLAIN, "      %s\n", json_string_value(key));
}

/* 0 when each address has keys that prove something, as a script would ask. */
static int conclude(const struct cli *cli, json_t *questions, json_t *findings, const struct err *err)
{
	int rc = json_array_size(findings) ? EXIT_DONE : EXIT_FAILED;
	size_t i;
	json_t *finding;

	json_array_foreach(findings, i, finding)
		if (!json_array_size(json_object_get(finding, "keys")))
			rc = EXIT_FAILED;
	if (err->text[0]) {
		json_decref(questions);
		json_decref(findings);
		return cli_fail(cli, err);
	}
	if (cli->json) {
		print_json(json_pack("{so so}", "questions", questions, "addresses", findings));
		return rc;
	}
	show_questions(questions);
	json_array_foreach(findings, i, finding)
		show_finding(finding);
	if (!json_array_size(findings))
		print_text(PRINT_WARN, "no address, so nobody to find a key of\n");
	json_decref(questions);
	json_decref(findings);
	return rc;
}

int lookup_command(const struct cli *cli, int argc, char **argv)
{
	OWN(own_query) struct query *query = NULL;
	struct addresses addresses = { .count = 0 };
	char names[1][DISCOVER_NAME_MAX];
	struct err err = ERR_NONE;
	uint8_t wire[DNAME_WIRE_MAX];
	const char *hint = argc == 2 ? argv[1] : NULL;
	json_t *findings;
	size_t len;
	bool is_address;

	if (argc < 1 || argc > 2)
		return cli_usage("lookup",
				 "lookup takes an address or a name; behind an address a name that it may have");
	is_address = addr_parse(&addresses.addr[0], argv[0], NULL) == 0;
	if (!is_address && argc == 2)
		return cli_usage("lookup", "%s is no address, and only behind one stands another word", argv[0]);
	hint = is_address ? hint : argv[0];
	if (hint && (dname_parse(wire, &len, hint) < 0 || strlen(hint) >= DISCOVER_NAME_MAX))
		return cli_usage("lookup", "\"%s\" is neither an address nor a name of the DNS", hint);
	if (crypto_init(&err) < 0 || query_open(&query, cli, &err) < 0)
		return cli_fail(cli, &err);
	addresses.count = is_address;
	addresses.questions = json_array();
	findings = json_array();
	if (!is_address)
		find_addresses(query, &addresses, hint);
	if (hint)
		strcpy(names[0], hint);
	for (size_t i = 0; i < addresses.count && !err.text[0]; i++) {
		struct finding finding = { .addr = addresses.addr[i] };

		if (query_hunt(query, &finding.addr, (const char(*)[DISCOVER_NAME_MAX])names, hint ? 1 : 0, on_evidence,
			       &finding, &err) == 0)
			json_array_append_new(findings, finding.json);
	}
	return conclude(cli, addresses.questions, findings, &err);
}
