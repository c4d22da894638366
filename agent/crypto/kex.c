// SPDX-License-Identifier: Apache-2.0
/*
 * Key exchange methods by their IANA number, see crypto.h. Here are the table and the checks that all have in common, above all the exact length:
 * OpenSSL would take one octet 00 for a point (IKEV2's own length fields are the peer's, CVE-2023-41913). The arithmetic is in kex_*.c.
 */
#include "crypto/internal.h"

struct row {
	struct kex kex;
	int (*open)(void);
	void (*close)(void);
	bool ready;
};

/*
 * Random octets: for P-256 and P-384 16 more than the order has, so that reduction leaves a bias below 2^-128; modp2048 320 bits, RFC 3526's
 * higher estimate for an exponent; ML-KEM d | z of FIPS 203, of which encapsulation uses the first 32.
 */
static struct row rows[] = {
	{ .kex = { 31, "Curve25519", 32, 32, 32, 32, 1, false, &kex_x25519 },
	  .open = kex_x25519_open,
	  .close = kex_x25519_close },
	{ .kex = { 19, "P-256", 48, 64, 64, 32, 2, false, &kex_p256 }, .open = kex_p256_open, .close = kex_p256_close },
	{ .kex = { 20, "P-384", 64, 96, 96, 48, 40, false, &kex_p384 }, .open = kex_p384_open, .close = kex_p384_close },
	{ .kex = { 14, "modp2048", 40, 256, 256, 256, 10, false, &kex_modp2048 },
	  .open = kex_modp2048_open,
	  .close = kex_modp2048_close },
	{ .kex = { 36, "ML-KEM-768", 64, 1184, 1088, 32, 2, true, &kex_mlkem768 },
	  .open = kex_mlkem768_open,
	  .close = kex_mlkem768_close },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct kex *stand_in;

void kex_stand_in(const struct kex *kex)
{
	stand_in = kex;
}

const struct kex *kex_find(uint16_t id)
{
	if (stand_in && stand_in->id == id)
		return stand_in;
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].kex.id == id && rows[i].ready)
			return &rows[i].kex;
	return NULL;
}

static const struct kex_impl *impl_of(const struct kex *kex)
{
	return kex->impl;
}

int kex_start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	int rc = impl_of(kex)->start(kex, value, mine);

	if (rc)
		secret_wipe(value, kex->start_len);
	return rc;
}

int kex_respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		const struct kex_private *mine)
{
	int rc = -EBADMSG;

	if (theirs.len == kex->start_len)
		rc = impl_of(kex)->respond(kex, value, shared, theirs, mine);
	if (rc) {
		secret_wipe(value, kex->answer_len);
		secret_wipe(shared, kex->shared_len);
	}
	return rc;
}

int kex_finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	int rc = -EBADMSG;

	if (theirs.len == kex->answer_len)
		rc = impl_of(kex)->finish(kex, shared, theirs, mine);
	if (rc)
		secret_wipe(shared, kex->shared_len);
	return rc;
}

int kex_init(struct err *err)
{
	size_t found = 0;

	for (size_t i = 0; i < ROWS; i++) {
		rows[i].ready = rows[i].open() == 0;
		if (!rows[i].ready)
			rows[i].close();
		found += rows[i].ready;
	}
	ERR_clear_error();
	return found ? 0
		     : err_set(err, -ENOTSUP, "OpenSSL on this machine has no key exchange that IKEv2 can use here");
}

void kex_clear(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].close();
		rows[i].ready = false;
	}
}
