// SPDX-License-Identifier: Apache-2.0
/*
 * Reading known answers, see kat.h. Tests run from anywhere when HF_SRC names the tree, else from its root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kat.h"

#define HEX_OCTETS 4096
#define HEX_SLOTS 64

json_t *kat_load(const char *name)
{
	const char *root = getenv("HF_SRC");
	json_error_t error;
	char path[4096];
	json_t *file;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s", root ? root : ".", name);
	file = json_load_file(path, 0, &error);
	if (!file)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return file;
}

const json_t *kat_entry(const json_t *file, const char *id)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(file, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "id")), id))
			return entry;
	fail_msg("no entry '%s'", id);
	return NULL;
}

static unsigned int nibble(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		fail_msg("'%c' is not hex", c);
	return (unsigned int)(at - digits);
}

struct view kat_hex(const json_t *object, const char *field)
{
	static uint8_t octets[HEX_SLOTS][HEX_OCTETS];
	static unsigned int next;
	uint8_t *out = octets[next++ % HEX_SLOTS];
	const char *text = json_string_value(json_object_get(object, field));
	size_t len, i;

	if (!text)
		fail_msg("no field '%s'", field);
	len = strlen(text);
	assert_true(len % 2 == 0 && len / 2 <= HEX_OCTETS);
	for (i = 0; i < len / 2; i++)
		out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	return view_of(out, len / 2);
}

long long kat_int(const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	if (!json_is_integer(value))
		fail_msg("no number '%s'", field);
	return json_integer_value(value);
}

void kat_same(const json_t *object, const char *field, const void *octets, size_t len)
{
	const struct view want = kat_hex(object, field);

	assert_int_equal(len, want.len);
	assert_memory_equal(octets, want.at, len);
}
