// SPDX-License-Identifier: Apache-2.0
/*
 * Keys from DNSSEC: what a set of IPSECKEY records is for an address, and what all the answers together mean. Every row of evidence that an attacker could
 * wish for is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discover/judge.h"
#include "discover/record.h"

static struct hf_addr address;
static uint8_t rdata[DNS_RECORDS_MAX][128];

/* ---- records ----------------------------------------------------------------------------------- */

/* An Ed25519 key, all of whose octets are `fill`, behind a gateway. */
static struct view record_of(size_t i, enum record_gateway gateway, const void *octets, size_t len, uint8_t fill)
{
	rdata[i][0] = 10;
	rdata[i][1] = (uint8_t)gateway;
	rdata[i][2] = RECORD_KEY_EDDSA;
	if (len)
		memcpy(&rdata[i][3], octets, len);
	memset(&rdata[i][3 + len], fill, 32);
	return view_of(rdata[i], 3 + len + 32);
}

static void expect_keys(const struct dns_reply *reply, size_t keys, bool wrong, const char *why)
{
	static struct keyset keyset;

	keyset_read(&keyset, reply, &address, "1.2.0.192.in-addr.arpa.");
	assert_int_equal(keyset.keys, keys);
	assert_int_equal(keyset.wrong, wrong);
	if (!strstr(keyset.why, why))
		fail_msg("\"%s\" does not say \"%s\"", keyset.why, why);
}

static void test_gateways(void **state)
{
	static const uint8_t own[] = { 192, 0, 2, 1 }, other[] = { 192, 0, 2, 2 };
	static const char own_name[] = "\001"
				       "1\001"
				       "2\001"
				       "0\003"
				       "192\007"
				       "IN-ADDR\004"
				       "arpa",
			  cname[] = "\001"
				    "h\003"
				    "net",
			  foreign[] = "\002"
				      "gw\003"
				      "net";
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .count = 1, .why = "" };

	(void)state;
	reply.data[0] = record_of(0, RECORD_GATEWAY_NONE, NULL, 0, 1);
	expect_keys(&reply, 1, false, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, own, sizeof(own), 1);
	expect_keys(&reply, 1, false, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, other, sizeof(other), 1);
	expect_keys(&reply, 0, false, "a gateway, 192.0.2.2");
	reply.data[0] = record_of(0, RECORD_GATEWAY_NAME, own_name, sizeof(own_name), 1);
	expect_keys(&reply, 1, false, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_NAME, cname, sizeof(cname), 1);
	expect_keys(&reply, 0, false, "a gateway, h.net.");
	reply.owner = "h.net";
	expect_keys(&reply, 1, false, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_NAME, foreign, sizeof(foreign), 1);
	expect_keys(&reply, 0, false, "a gateway, gw.net.");
	/* One of each: the host's own counts. */
	reply.count = 2;
	reply.data[1] = record_of(1, RECORD_GATEWAY_NONE, NULL, 0, 2);
	expect_keys(&reply, 1, false, "a gateway, gw.net.");
}

static void expect_gateway(const struct dns_reply *reply, const char *gateway, const char *name, size_t keys,
			   const char *why)
{
	static struct keyset keyset;
	char text[ADDR_TEXT_MAX];

	keyset_read(&keyset, reply, &address, "1.2.0.192.in-addr.arpa.");
	keyset_read_gateway(&keyset, reply, &address);
	assert_int_equal(keyset.keys, keys);
	assert_int_equal(keyset_has_gateway(&keyset), *gateway || *name);
	assert_string_equal(addr_is_none(&keyset.gateway) ? "" : addr_format(text, &keyset.gateway), gateway);
	assert_string_equal(keyset.gateway_name, name);
	if (!strstr(keyset.why, why))
		fail_msg("\"%s\" does not say \"%s\"", keyset.why, why);
}

/* Where there is no key of the host itself, one gateway's: whatever the order of the answer. */
static void test_gateway_chosen(void **state)
{
	static const uint8_t near[] = { 192, 0, 2, 2 }, far[] = { 192, 0, 2, 3 }, loop[] = { 127, 0, 0, 1 },
			     many[] = { 224, 0, 0, 9 }, six[16] = { 0x20, 1, 0xd, 0xb8, 1 };
	static const char name[] = "\002"
				   "gw\003"
				   "net";
	/* Octets that take four characters each in a text. */
	static const uint8_t odd[67] = { [0] = 63, [64] = 1 };
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .count = 1, .why = "" };

	(void)state;
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, near, sizeof(near), 1);
	expect_gateway(&reply, "192.0.2.2", "", 1, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_NAME, name, sizeof(name), 1);
	expect_gateway(&reply, "", "gw.net.", 1, "");
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, loop, sizeof(loop), 1);
	expect_gateway(&reply, "", "", 0, "its gateway, 127.0.0.1, is no address");
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, many, sizeof(many), 1);
	expect_gateway(&reply, "", "", 0, "its gateway, 224.0.0.9, is no address");
	reply.data[0] = record_of(0, RECORD_GATEWAY_V6, six, sizeof(six), 1);
	expect_gateway(&reply, "", "", 0, "other family");
	reply.data[0] = record_of(0, RECORD_GATEWAY_NAME, odd, sizeof(odd), 1);
	expect_gateway(&reply, "", "", 0, "longer than names of hosts are");
	/* Two of one precedence: the lower one, with both its keys. One that cannot be used is passed over. */
	reply.count = 4;
	reply.data[0] = record_of(0, RECORD_GATEWAY_V4, far, sizeof(far), 1);
	reply.data[1] = record_of(1, RECORD_GATEWAY_V4, near, sizeof(near), 2);
	reply.data[2] = record_of(2, RECORD_GATEWAY_V4, loop, sizeof(loop), 4);
	reply.data[3] = record_of(3, RECORD_GATEWAY_V4, near, sizeof(near), 3);
	rdata[2][0] = 1;
	expect_gateway(&reply, "192.0.2.2", "", 2, "");
	rdata[0][0] = 9;
	expect_gateway(&reply, "192.0.2.3", "", 1, "");
	/* A key of the host itself comes before all of them. */
	reply.data[3] = record_of(3, RECORD_GATEWAY_NONE, NULL, 0, 3);
	expect_gateway(&reply, "", "", 1, "");
	/* One malformed record is as bad here. */
	reply.data[3].len--;
	expect_gateway(&reply, "", "", 0, "EdDSA key has 31");
	reply = (struct dns_reply){ .status = DNS_NO_DATA, .security = DNS_SECURE, .why = "" };
	expect_gateway(&reply, "", "", 0, "");
}

/* The lowest usable address of a gateway's name; another one is another gateway. */
static void test_gateway_resolved(void **state)
{
	static const uint8_t octets[4][4] = { { 192, 0, 2, 9 }, { 127, 0, 0, 1 }, { 192, 0, 2, 1 }, { 192, 0, 2, 8 } };
	static struct keyset keyset, old;
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .count = 4, .ttl_s = 20, .why = "" };
	struct hf_addr lowest;

	(void)state;
	keyset = (struct keyset){ .keys = 1, .gateway_name = "gw.net.", .ttl_s = 300 };
	old = keyset;
	for (size_t i = 0; i < 4; i++)
		reply.data[i] = view_of(octets[i], 4);
	keyset_resolve(&keyset, &reply, &address);
	assert_int_equal(addr_parse(&lowest, "192.0.2.8", NULL), 0);
	assert_true(addr_equal(&keyset.gateway, &lowest));
	assert_int_equal(keyset.ttl_s, 20);
	assert_false(keyset_covers(&keyset, &old));
	assert_true(keyset_covers(&keyset, &keyset));
	/* Only itself, and what is none. */
	keyset.gateway = (struct hf_addr){ 0 };
	reply.count = 3;
	reply.data[0] = view_of(octets, 16);
	keyset_resolve(&keyset, &reply, &address);
	assert_true(addr_is_none(&keyset.gateway));
}

static void test_many_keys(void **state)
{
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .why = "" };

	(void)state;
	for (reply.count = 0; reply.count < DISCOVER_KEYS_MAX; reply.count++)
		reply.data[reply.count] =
			record_of(reply.count, RECORD_GATEWAY_NONE, NULL, 0, (uint8_t)(reply.count + 1));
	expect_keys(&reply, DISCOVER_KEYS_MAX, false, "");
	/* The same key twice is one. */
	reply.data[1] = record_of(1, RECORD_GATEWAY_NONE, NULL, 0, 1);
	expect_keys(&reply, DISCOVER_KEYS_MAX - 1, false, "");
	reply.count = 1000;
	expect_keys(&reply, 0, true, "1000 records");
	/* So many are not validated at all. */
	reply = (struct dns_reply){ .security = DNS_BOGUS, .count = 1000, .why = "validation failure" };
	expect_keys(&reply, 0, true, "1000 records");
}

static void test_wrong_record(void **state)
{
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .count = 2, .why = "" };

	(void)state;
	reply.data[0] = record_of(0, RECORD_GATEWAY_NONE, NULL, 0, 1);
	reply.data[1] = record_of(1, RECORD_GATEWAY_NONE, NULL, 0, 2);
	reply.data[1].len--;
	expect_keys(&reply, 0, true, "EdDSA key has 31 octets");
	/* An algorithm of the future takes nothing away. */
	reply.data[1] = record_of(1, RECORD_GATEWAY_NONE, NULL, 0, 2);
	rdata[1][2] = 9;
	expect_keys(&reply, 1, false, "algorithm 9");
	reply = (struct dns_reply){ .security = DNS_BOGUS, .why = "signature expired" };
	expect_keys(&reply, 0, false, "signature expired");
}

/* ---- judgments --------------------------------------------------------------------------------- */

/* One letter for what an answer is: its status (d data, n no data, x no such name, f failed), its security (s, i, b). */
static void set_answer(enum dns_status *status, enum dns_security *security, const char *word)
{
	*status = word[0] == 'd' ? DNS_DATA : word[0] == 'n' ? DNS_NO_DATA : word[0] == 'x' ? DNS_NO_NAME : DNS_FAILED;
	*security = word[1] == 's' ? DNS_SECURE : word[1] == 'b' ? DNS_BOGUS : DNS_INSECURE;
}

static void set_keys(struct keyset *keys, const char *word, uint8_t fill)
{
	set_answer(&keys->status, &keys->security, word);
	keys->ttl_s = 300;
	keys->records = keys->keys = keys->status == DNS_DATA;
	keys->len[0] = 44;
	memset(keys->spki[0], fill, 44);
	/* A third letter: wrong, or unusable. */
	keys->wrong = word[2] == 'w';
	if (word[2])
		keys->keys = 0;
	snprintf(keys->why, sizeof(keys->why), "%s", word[2] || word[0] == 'f' ? "why" : "");
}

struct name_row {
	const char *from; /* "pointer", "hint" */
	const char *addresses, *keys;
	uint8_t key;
};

struct row {
	const char *reverse, *pointer;
	struct name_row names[2];
	enum discover_outcome outcome;
	enum discover_trust trust;
	const char *flags; /* "u": unsure, "ub": bogus as well */
	const char *reason;
};

static void set_evidence(struct judge_evidence *evidence, const struct row *row)
{
	memset(evidence, 0, sizeof(*evidence));
	set_keys(&evidence->reverse, row->reverse, 1);
	set_answer(&evidence->pointer.status, &evidence->pointer.security, row->pointer);
	evidence->pointer.ttl_s = 200;
	for (size_t i = 0; i < 2 && row->names[i].from; i++) {
		struct judge_name *name = &evidence->name[evidence->names++];

		snprintf(name->name, sizeof(name->name), "host%zu.example", i);
		name->is_pointed = row->names[i].from[0] == 'p';
		set_answer(&name->addresses.status, &name->addresses.security, row->names[i].addresses);
		name->addresses.ttl_s = 100;
		/* "ds-": addresses, but not this one */
		name->addresses.holds = name->addresses.status == DNS_DATA && !row->names[i].addresses[2];
		set_keys(&name->keys, row->names[i].keys, row->names[i].key);
	}
}

#define NOBODY DISCOVER_FAILED, 0
#define PROVED_NONE DISCOVER_NO_KEY, 0
#define OPPORTUNISTIC DISCOVER_KEYS, TRUST_OPPORTUNISTIC
#define FORWARD DISCOVER_KEYS, TRUST_FORWARD
#define REVERSE DISCOVER_KEYS, TRUST_REVERSE

static const struct row rows[] = {
	/* the reverse tree decides, whatever else there is */
	{ "ds", "ns", { { 0 } }, REVERSE, "", "1 key in the reverse tree, secure" },
	{ "ds", "fi", { { "hint", "ds", "ds", 2 } }, REVERSE, "", "reverse tree" },
	{ "db", "ds", { { "pointer", "ds", "ds", 2 } }, NOBODY, "ub", "is bogus" },
	{ "fb", "ds", { { "pointer", "ds", "ds", 2 } }, NOBODY, "ub", "is bogus" },
	{ "dsw", "ds", { { "pointer", "ds", "ds", 2 } }, NOBODY, "ub", "wrong record" },
	{ "dsu", "ds", { { "pointer", "ds", "ds", 2 } }, NOBODY, "u", "can be used: why" },
	/* what could not be asked is no no, and nothing weaker takes its place */
	{ "fi", "ds", { { "pointer", "ds", "ds", 2 } }, NOBODY, "u", "could not be asked for its key" },
	{ "fi", "fi", { { 0 } }, NOBODY, "u", "could not be asked for its key" },
	{ "ns", "fi", { { 0 } }, NOBODY, "u", "could not be asked for the address's name" },
	{ "ns", "fb", { { "hint", "ds", "ns", 2 } }, NOBODY, "u", "could not be asked for the address's name" },
	{ "ns", "ds", { { "pointer", "fi", "ds", 2 } }, NOBODY, "u", "host0.example, the address's name, could not" },
	{ "ns", "ds", { { "pointer", "ds", "fi", 2 } }, NOBODY, "u", "host0.example, the address's name, could not" },
	{ "ns", "ds", { { "pointer", "fb", "ds", 2 } }, NOBODY, "u", "host0.example, the address's name, could not" },
	/* proved that there is none */
	{ "ns", "ns", { { 0 } }, PROVED_NONE, "", "proved" },
	{ "xs", "xs", { { 0 } }, PROVED_NONE, "", "proved" },
	{ "xs", "ds", { { "pointer", "ds", "ns", 0 } }, PROVED_NONE, "", "proved" },
	{ "xs", "ds", { { "pointer", "ds-", "ds", 2 } }, PROVED_NONE, "", "proved" },
	{ "xs", "xs", { { "hint", "fi", "fi", 0 } }, PROVED_NONE, "", "proved" },
	/* a poisoned hint: a name with a bad zone, a name of somebody else's */
	{ "xs", "xs", { { "hint", "ds", "fb", 0 } }, PROVED_NONE, "", "proved" },
	{ "xs", "xs", { { "hint", "ds", "dsw", 0 } }, PROVED_NONE, "", "proved" },
	{ "xs", "xs", { { "hint", "ds-", "ds", 2 } }, PROVED_NONE, "", "proved" },
	/* nobody signs: nothing is proved */
	{ "ni", "ni", { { 0 } }, NOBODY, "u", "nobody signs there" },
	{ "xi", "xs", { { 0 } }, NOBODY, "u", "nobody signs there" },
	{ "diu", "ni", { { 0 } }, NOBODY, "u", "nobody signs there: why" },
	{ "di", "ni", { { 0 } }, OPPORTUNISTIC, "", "not signed" },
	{ "diw", "ni", { { 0 } }, NOBODY, "u", "nobody signs there: why" },
	/* by name: confirmed by the reverse tree */
	{ "ns", "ds", { { "pointer", "ds", "ds", 2 } }, FORWARD, "", "which the reverse tree confirms" },
	{ "ni", "ds", { { "pointer", "ds", "ds", 2 } }, FORWARD, "", "which the reverse tree confirms" },
	{ "ns", "ds", { { "hint", "ds", "ds", 3 }, { "pointer", "ds", "ds", 2 } }, FORWARD, "", "at host1.example" },
	{ "ns", "ds", { { "pointer", "ds", "ds", 2 }, { "pointer", "ds", "ds", 2 } }, FORWARD, "", "at host0.example" },
	{ "ns", "ds", { { "pointer", "ds", "ns", 0 }, { "pointer", "ds", "ds", 2 } }, FORWARD, "", "at host1.example" },
	{ "ns",
	  "ds",
	  { { "pointer", "ds", "ds", 2 }, { "pointer", "ds", "ds", 3 } },
	  OPPORTUNISTIC,
	  "",
	  "and others at" },
	{ "ns", "ds", { { "pointer", "ds", "dsw", 2 } }, NOBODY, "ub", "host0.example has a wrong record" },
	{ "ns", "ds", { { "pointer", "ds", "fb", 2 } }, NOBODY, "u", "host0.example" },
	/* and by name, confirmed by nobody */
	{ "ns", "ns", { { "hint", "ds", "ds", 2 } }, OPPORTUNISTIC, "", "which nothing confirms" },
	{ "ni", "di", { { "pointer", "ds", "ds", 2 } }, OPPORTUNISTIC, "", "which nothing confirms" },
	{ "ns", "ds", { { "pointer", "di", "ds", 2 } }, OPPORTUNISTIC, "", "which nothing confirms" },
	{ "ns", "ds", { { "pointer", "ds", "di", 2 } }, OPPORTUNISTIC, "", "which nothing confirms" },
	{ "ni", "ni", { { "hint", "di", "di", 2 } }, OPPORTUNISTIC, "", "which nothing confirms" },
	/* a poisoned one beside a good one: nobody knows which is which, so neither is in the other's way */
	{ "ns",
	  "ns",
	  { { "hint", "ds", "ds", 2 }, { "hint", "ds", "ds", 3 } },
	  OPPORTUNISTIC,
	  "",
	  "2 keys at host0.example and other names, which nothing confirms" },
	{ "ns",
	  "ns",
	  { { "hint", "ds", "ds", 2 }, { "hint", "ds", "ds", 2 } },
	  OPPORTUNISTIC,
	  "",
	  "1 key at host0.example and other names" },
	{ "ns",
	  "ns",
	  { { "hint", "ds-", "ds", 2 }, { "hint", "ds", "ds", 3 } },
	  OPPORTUNISTIC,
	  "",
	  "1 key at host1.example, which nothing confirms" },
};

static void test_judgments(void **state)
{
	static struct judge_evidence evidence;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct judgment judgment;

		set_evidence(&evidence, row);
		judge_all(&judgment, &evidence, 0);
		if (judgment.outcome != row->outcome || judgment.trust != row->trust ||
		    judgment.unsure != (strchr(row->flags, 'u') != NULL) ||
		    judgment.bogus != (strchr(row->flags, 'b') != NULL) || !strstr(judgment.reason, row->reason))
			fail_msg("row %zu (%s %s): outcome %d, trust %d%s%s, %s", i, row->reverse, row->pointer,
				 judgment.outcome, judgment.trust, judgment.unsure ? ", unsure" : "",
				 judgment.bogus ? ", bogus" : "", judgment.reason);
		assert_true(judgment.ttl_s > 0);
		assert_int_equal(judgment.outcome == DISCOVER_KEYS, judgment.keys != NULL);
		/* What decides early decides the same. */
		if (judge_reverse(&evidence.reverse)) {
			struct judge_evidence early = { .reverse = evidence.reverse };
			struct judgment again;

			judge_all(&again, &early, 0);
			assert_int_equal(again.outcome, judgment.outcome);
			assert_string_equal(again.reason, judgment.reason);
		}
	}
}

struct gateway_row {
	const char *name; /* "" = the record has its address */
	const char *addresses, *beyond;
	bool resolved, foreign;
	enum discover_outcome outcome;
	const char *reason;
};

static const struct gateway_row gateway_rows[] = {
	{ "", "fi", "xs", true, false, DISCOVER_KEYS, "1 key of its gateway, 192.0.2.7, in the reverse tree, secure" },
	{ "", "fi", "di", true, true, DISCOVER_KEYS,
	  "its gateway, 192.0.2.7" }, /* nobody signs that it is behind one */
	{ "", "fi", "ds", true, false, DISCOVER_KEYS, "its gateway, 192.0.2.7" },
	{ "", "fi", "dsu", true, true, DISCOVER_FAILED, "is itself behind a gateway" },
	{ "", "fi", "fi", true, false, DISCOVER_FAILED,
	  "could not be asked whether its gateway, 192.0.2.7, is behind" },
	{ "", "fi", "fb", true, false, DISCOVER_FAILED, "could not be asked whether its gateway" },
	{ "gw.net.", "ds", "xs", true, false, DISCOVER_KEYS, "its gateway, 192.0.2.7" },
	{ "gw.net.", "ds", "xs", false, false, DISCOVER_FAILED, "gw.net., has no address that can be used" },
	{ "gw.net.", "di", "xs", false, false, DISCOVER_FAILED, "gw.net., has addresses that nobody signs" },
	{ "gw.net.", "fi", "xs", false, false, DISCOVER_FAILED, "gw.net., could not be asked for its address" },
	{ "gw.net.", "fb", "xs", false, false, DISCOVER_FAILED, "gw.net., could not be asked for its address" },
};

/* A gateway that cannot be used, or of which it is not known, is no proof of anything else. */
static void test_gateway_judged(void **state)
{
	static struct judge_evidence evidence;

	(void)state;
	for (size_t i = 0; i < sizeof(gateway_rows) / sizeof(gateway_rows[0]); i++) {
		const struct gateway_row *row = &gateway_rows[i];
		struct judge_gateway *gateway = &evidence.gateway;
		struct judgment judgment;

		memset(&evidence, 0, sizeof(evidence));
		set_keys(&evidence.reverse, "ds", 1);
		snprintf(evidence.reverse.gateway_name, sizeof(evidence.reverse.gateway_name), "%s", row->name);
		if (row->resolved)
			addr_parse(&evidence.reverse.gateway, "192.0.2.7", NULL);
		set_answer(&gateway->addresses.status, &gateway->addresses.security, row->addresses);
		set_keys(&gateway->keys, row->beyond, 2);
		gateway->keys.foreign = row->foreign;
		judge_all(&judgment, &evidence, 0);
		if (judgment.outcome != row->outcome || judgment.bogus ||
		    judgment.unsure != (row->outcome == DISCOVER_FAILED) || !strstr(judgment.reason, row->reason))
			fail_msg("row %zu: outcome %d%s, %s", i, judgment.outcome, judgment.unsure ? ", unsure" : "",
				 judgment.reason);
		assert_int_equal(judgment.outcome == DISCOVER_KEYS, judgment.keys != NULL);
		assert_true(judgment.ttl_s > 0);
	}
}

static uint32_t life_of(const struct row *row, uint32_t reverse_s, unsigned int failures)
{
	static struct judge_evidence evidence;
	struct judgment judgment;

	set_evidence(&evidence, row);
	evidence.reverse.ttl_s = reverse_s;
	judge_all(&judgment, &evidence, failures);
	return judgment.ttl_s;
}

static void test_lives(void **state)
{
	static const struct row reverse = { .reverse = "ds", .pointer = "ns" },
				none = { .reverse = "xs", .pointer = "xs" },
				failed = { .reverse = "fi", .pointer = "fi" },
				bare = { .reverse = "ni", .pointer = "ni" };
	static const struct row forward = { .reverse = "ns",
					    .pointer = "ds",
					    .names = { { "pointer", "ds", "ds", 2 } } };
	static const uint32_t failures[] = { 30, 60, 120, 240, 300, 300 };

	(void)state;
	assert_int_equal(life_of(&reverse, 300, 0), 300);
	assert_int_equal(life_of(&reverse, 0, 0), 60);
	assert_int_equal(life_of(&reverse, 1 << 30, 0), 86400);
	/* The least of pointer (200), addresses (100) and keys (300). */
	assert_int_equal(life_of(&forward, 5, 0), 100);
	assert_int_equal(life_of(&none, 100, 0), 100);
	assert_int_equal(life_of(&none, 86400, 0), 900);
	assert_int_equal(life_of(&bare, 86400, 7), 60);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(life_of(&failed, 0, i), failures[i]);
	assert_int_equal(life_of(&failed, 0, 4000000000u), 300);
}

static int start(void **state)
{
	(void)state;
	return addr_parse(&address, "192.0.2.1", NULL) == 0 ? crypto_init(NULL) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_wrong_record),
		cmocka_unit_test(test_judgments),
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_gateway_chosen),
		cmocka_unit_test(test_gateway_resolved),
		cmocka_unit_test(test_gateway_judged),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
