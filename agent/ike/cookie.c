// SPDX-License-Identifier: Apache-2.0
/*
 * Cookies and crash tokens. A cookie binds nonce, address, port and SPI of an IKE_SA_INIT request to a secret of this
 * host and to the time, so nothing has to be remembered of who was sent one (RFC 7296 2.6). A crash token proves that
 * a host that lost its SAs is the one that had them (RFC 6290 5.1). When to ask for the one or send the other is not
 * decided here.
 */
#include "ike/cookie.h"

#include <errno.h>
#include <string.h>

#include "ike/proposal.h"
#include "ike/wire.h"

#define COOKIE_HASH_LEN (COOKIE_LEN - HF_COOKIE_STAMP_LEN)

void cookie_rotate(struct cookie_jar *jar, const struct ike_host *host, uint64_t now)
{
	if (jar->rotate_ns && now < jar->rotate_ns)
		return;
	/* The first time the other secret is drawn as well: it counts as the former one, and must not be guessable zeros. */
	if (!jar->rotate_ns)
		host->random(host->arg, &jar->secret[jar->version & 1], COOKIE_SECRET_LEN);
	jar->version++;
	host->random(host->arg, &jar->secret[jar->version & 1], COOKIE_SECRET_LEN);
	jar->rotate_ns = nstime_add(now, COOKIE_ROTATE_NS);
}

/* The hash under the secret that the stamp names. */
static int bake(uint8_t out[COOKIE_HASH_LEN], const struct cookie_jar *jar, const uint8_t stamp[HF_COOKIE_STAMP_LEN],
		const struct ike_path *path, const uint8_t spi_i[8], struct view ni)
{
	struct hf_cookie_input input = {
		.port = { (uint8_t)(path->remote_port >> 8), (uint8_t)path->remote_port },
		.ni_len = { (uint8_t)(ni.len >> 8), (uint8_t)ni.len },
		.addr = path->remote,
	};
	uint64_t hash;

	if (ni.len > HF_COOKIE_NI_MAX)
		return -EBADMSG;
	memcpy(input.stamp, stamp, sizeof(input.stamp));
	memcpy(input.spi_i, spi_i, SPI_LEN);
	if (ni.len)
		memcpy(input.ni, ni.at, ni.len);
	hash = hf_cookie_hash(&jar->secret[stamp[0] & 1], &input, (uint32_t)ni.len);
	memcpy(out, &hash, sizeof(hash));
	return 0;
}

int cookie_make(uint8_t out[COOKIE_LEN], const struct cookie_jar *jar, const struct ike_path *path,
		const uint8_t spi_i[8], struct view ni, uint64_t now)
{
	uint8_t stamp[HF_COOKIE_STAMP_LEN], hash[COOKIE_HASH_LEN];
	int error;

	hf_cookie_stamp(stamp, jar->version, now);
	error = bake(hash, jar, stamp, path, spi_i, ni);
	if (error)
		return error;
	memcpy(out, stamp, sizeof(stamp));
	memcpy(out + sizeof(stamp), hash, sizeof(hash));
	return 0;
}

int cookie_check(struct view cookie, const struct cookie_jar *jar, const struct ike_path *path, const uint8_t spi_i[8],
		 struct view ni, uint64_t now)
{
	uint8_t hash[COOKIE_HASH_LEN];
	int error;

	if (cookie.len != COOKIE_LEN || !hf_cookie_is_fresh(cookie.at, jar->version, now))
		return -EBADMSG;
	error = bake(hash, jar, cookie.at, path, spi_i, ni);
	if (error)
		return error;
	return crypto_equal(VIEW_OF(hash), view_of(cookie.at + HF_COOKIE_STAMP_LEN, COOKIE_HASH_LEN)) ? 0 : -EBADMSG;
}

int crash_token_make(uint8_t out[CRASH_TOKEN_LEN], const uint8_t secret[32], const uint8_t spi_i[8],
		     const uint8_t spi_r[8])
{
	const struct view parts[] = { view_of(spi_i, SPI_LEN), view_of(spi_r, SPI_LEN) };
	const struct prf *prf = prf_find(PRF_HMAC_SHA2_256);

	if (!prf)
		return -ENOTSUP;
	return prf_of(prf, out, view_of(secret, 32), parts, 2);
}
