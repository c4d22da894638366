// SPDX-License-Identifier: Apache-2.0
/*
 * Known answers from tests/vectors: an array of objects with an "id" and fields in hex. A file, entry or field that is not there
 * fails the test that asks for it.
 */
#ifndef UNIT_KAT_H
#define UNIT_KAT_H

#include <jansson.h>

#include "base/bytes.h"

/* kat_load reads tests/vectors/NAME; the caller gives it back with json_decref. */
json_t *kat_load(const char *name);

/* kat_entry is the object with that id, valid as long as the file. */
const json_t *kat_entry(const json_t *file, const char *id);

/* kat_hex is a field's octets, valid until the 64th later call. */
struct view kat_hex(const json_t *object, const char *field);

/* kat_int is a number. */
long long kat_int(const json_t *object, const char *field);

/* kat_same fails unless the octets are those of the field. */
void kat_same(const json_t *object, const char *field, const void *octets, size_t len);

#endif
