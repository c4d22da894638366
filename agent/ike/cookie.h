// SPDX-License-Identifier: Apache-2.0
/*
 * Stateless cookies (RFC 7296 2.6): version | HMAC-SHA-256(secret, version | time | Ni | address | port | SPIi), truncated. The same octets are
 * made by the XDP program later on, so the form is fixed here and in tests/vectors/cookie.json.
 * And crash tokens (RFC 6290): HMAC-SHA-256(secret, SPIi | SPIr).
 */
#ifndef IKE_COOKIE_H
#define IKE_COOKIE_H

#include "base/bytes.h"
#include "base/nstime.h"
#include "base/secret.h"
#include "ike/ike.h"

#define COOKIE_LEN 20 /* 1 version, 3 time (seconds / 8, low 24 bits), 16 hash */
#define COOKIE_SECRET_LEN 32
#define COOKIE_LIFE_NS (16ull * NSTIME_S) /* at least 8 s, at most 16 */
#define COOKIE_ROTATE_NS (120ull * NSTIME_S)

struct cookie_jar {
	uint8_t secret[2][COOKIE_SECRET_LEN]; /* by version & 1 */
	uint8_t version;
	uint64_t rotate_ns; /* when the next secret is due; 0 = at once */
};

/* cookie_rotate takes new random octets when it is time; `random` as in struct ike_host. */
void cookie_rotate(struct cookie_jar *jar, const struct ike_host *host, uint64_t now);

int cookie_make(uint8_t out[COOKIE_LEN], const struct cookie_jar *jar, const struct ike_path *path,
		const uint8_t spi_i[8], struct view ni, uint64_t now);

/* cookie_check: 0 when it is ours, for this sender, and fresh; -EBADMSG otherwise. */
int cookie_check(struct view cookie, const struct cookie_jar *jar, const struct ike_path *path, const uint8_t spi_i[8],
		 struct view ni, uint64_t now);

#define CRASH_TOKEN_LEN 32
int crash_token_make(uint8_t out[CRASH_TOKEN_LEN], const uint8_t secret[32], const uint8_t spi_i[8],
		     const uint8_t spi_r[8]);

#endif
