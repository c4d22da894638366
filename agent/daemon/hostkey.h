// SPDX-License-Identifier: Apache-2.0
/*
 * What makes this host itself: its private key, the secret by which peers believe that it was restarted, and the kernel's random
 * octets that secrets are drawn from.
 */
#ifndef DAEMON_HOSTKEY_H
#define DAEMON_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/crypto.h"

/*
 * hostkey_load reads the private key. A missing file is an error only when it was `given`; *out is then NULL. `problem` becomes one line
 * about what an operator should mend all the same, or stays as it is.
 */
int hostkey_load(struct sign_key **out, char problem[ERR_TEXT_MAX], const char *path, bool given, struct err *err);

/* hostkey_state makes the folder `state` where there is none, its last part only. What is wrong with it its users will say. */
void hostkey_state(const char *state);

/*
 * hostkey_crash_secret is RFC 6290's secret: as old as the host, so that a restarted agent can tell its peers that it forgot their
 * SAs. Made in the folder `state` when there is none.
 */
void hostkey_crash_secret(uint8_t out[32], const char *state);

/* hostkey_random never fails. `arg` is not used: it has the form of the engine's source. */
void hostkey_random(void *arg, void *out, size_t len);

#endif
