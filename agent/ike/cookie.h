// SPDX-License-Identifier: Apache-2.0
/*
 * Stateless cookies (RFC 7296 2.6), as holdfast/cookie.h defines them: the shield in BPF makes and checks the same ones.
 * And crash tokens (RFC 6290): HMAC-SHA-256(secret, SPIi | SPIr).
 */
#ifndef IKE_COOKIE_H
#define IKE_COOKIE_H

#include "base/bytes.h"
#include "base/nstime.h"
#include "base/secret.h"
#include "holdfast/cookie.h"
#include "ike/ike.h"

#define COOKIE_LEN HF_COOKIE_LEN
#define COOKIE_SECRET_LEN HF_COOKIE_SECRET_LEN
#define COOKIE_LIFE_NS (2 * HF_COOKIE_SLOT_NS) /* at least 8 s, at most 16 */
#define COOKIE_ROTATE_NS (120ull * NSTIME_S)

struct cookie_jar {
	struct hf_cookie_secret secret[2]; /* by version & 1 */
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
