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

#define COOKIE_SLOT_NS (COOKIE_LIFE_NS / 2)
#define COOKIE_SLOTS 0x1000000u /* 24 bits of slots: four years */
#define COOKIE_STAMP_LEN 4	/* version and time */
#define COOKIE_HASH_LEN (COOKIE_LEN - COOKIE_STAMP_LEN)

void cookie_rotate(struct cookie_jar *jar, const struct ike_host *host, uint64_t now)
{
	if (jar->rotate_ns && now < jar->rotate_ns)
		return;
	/* The first time the other secret is drawn as well: it counts as the former one, and must not be guessable zeros. */
	if (!jar->rotate_ns)
		host->random(host->arg, jar->secret[jar->version & 1], COOKIE_SECRET_LEN);
	jar->version++;
	host->random(host->arg, jar->secret[jar->version & 1], COOKIE_SECRET_LEN);
	jar->rotate_ns = nstime_add(now, COOKIE_ROTATE_NS);
}

static uint32_t slot_of(uint64_t now)
{
	return (uint32_t)(now / COOKIE_SLOT_NS) & (COOKIE_SLOTS - 1);
}

/* HMAC-SHA-256(secret, version | time | Ni | address | port | SPIi), of which the first 16 octets count. */
static int bake(uint8_t out[SHA256_LEN], const uint8_t secret[COOKIE_SECRET_LEN], const uint8_t stamp[COOKIE_STAMP_LEN],
		const struct ike_path *path, const uint8_t spi_i[8], struct view ni)
{
	const uint8_t port_be[] = { (uint8_t)(path->remote_port >> 8), (uint8_t)path->remote_port };
	const struct view parts[] = { view_of(stamp, COOKIE_STAMP_LEN), ni, VIEW_OF(path->remote.octet),
				      VIEW_OF(port_be), view_of(spi_i, SPI_LEN) };
	const struct prf *prf = prf_find(PRF_HMAC_SHA2_256);

	if (!prf)
		return -ENOTSUP;
	return prf_of(prf, out, view_of(secret, COOKIE_SECRET_LEN), parts, 5);
}

int cookie_make(uint8_t out[COOKIE_LEN], const struct cookie_jar *jar, const struct ike_path *path,
		const uint8_t spi_i[8], struct view ni, uint64_t now)
{
	const uint32_t slot = slot_of(now);
	const uint8_t stamp[COOKIE_STAMP_LEN] = { jar->version, (uint8_t)(slot >> 16), (uint8_t)(slot >> 8),
						  (uint8_t)slot };
	uint8_t hash[SHA256_LEN];
	const int error = bake(hash, jar->secret[jar->version & 1], stamp, path, spi_i, ni);

	if (error)
		return error;
	memcpy(out, stamp, COOKIE_STAMP_LEN);
	memcpy(out + COOKIE_STAMP_LEN, hash, COOKIE_HASH_LEN);
	return 0;
}

int cookie_check(struct view cookie, const struct cookie_jar *jar, const struct ike_path *path, const uint8_t spi_i[8],
		 struct view ni, uint64_t now)
{
	uint8_t hash[SHA256_LEN], version;
	uint32_t slot, age;
	int error;

	if (cookie.len != COOKIE_LEN)
		return -EBADMSG;
	version = cookie.at[0];
	slot = (uint32_t)cookie.at[1] << 16 | (uint32_t)cookie.at[2] << 8 | cookie.at[3];
	age = (slot_of(now) - slot) & (COOKIE_SLOTS - 1);
	if ((version != jar->version && version != (uint8_t)(jar->version - 1)) || age > 1)
		return -EBADMSG;
	error = bake(hash, jar->secret[version & 1], cookie.at, path, spi_i, ni);
	if (error)
		return error;
	return crypto_equal(view_of(hash, COOKIE_HASH_LEN), view_of(cookie.at + COOKIE_STAMP_LEN, COOKIE_HASH_LEN))
		       ? 0
		       : -EBADMSG;
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
