// SPDX-License-Identifier: Apache-2.0
/*
 * What anybody with a zone can publish: IPSECKEY RDATA and names in it. What was read is written as the same octets, a key that was accepted becomes the same
 * key again, and a name survives its text.
 */
#include <stdlib.h>
#include <string.h>

#include "discover/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_name(struct view name)
{
	uint8_t wire[DNAME_WIRE_MAX];
	char text[DNAME_TEXT_MAX];
	size_t len = 0;

	demand(dname_parse(wire, &len, dname_format(text, name)) == 0);
	demand(view_equal(name, view_of(wire, len)) && dname_equal(name, view_of(wire, len)));
}

static void check_key(const struct record *record)
{
	uint8_t spki[SPKI_MAX], memory[SPKI_MAX], twice[SPKI_MAX];
	size_t len = sizeof(spki), twice_len = sizeof(twice);
	struct record again = { 0 };
	struct err err = ERR_NONE;

	if (record_spki(spki, &len, record, &err) < 0) {
		demand(err.text[0]);
		return;
	}
	demand(spki_check(NULL, view_of(spki, len)) == 0);
	demand(record_set_key(&again, memory, view_of(spki, len)) == 0);
	demand(again.algorithm == record->algorithm);
	demand(record_spki(twice, &twice_len, &again, &err) == 0);
	demand(view_equal(view_of(spki, len), view_of(twice, twice_len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char text[RECORD_TEXT_MAX];
	static uint8_t again[1 << 16];
	size_t again_len = sizeof(again);
	static bool started;
	struct record record;
	struct err err = ERR_NONE;

	if (!started)
		demand(crypto_init(NULL) == 0);
	started = true;
	if (record_read(&record, view_of(data, len), &err) < 0) {
		demand(err.text[0]);
		return 0;
	}
	if (record.gateway_type == RECORD_GATEWAY_NAME)
		check_name(record.name);
	check_key(&record);
	demand(record_format(text, &record) < 0 || strlen(text) < sizeof(text));
	demand(record_write(again, &again_len, &record) == 0);
	demand(view_equal(view_of(data, len), view_of(again, again_len)));
	return 0;
}
