// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads written: what we offer, and what we answer (RFC 7296 3.3.1 to 3.3.5); and the names of transforms as the registry
 * has them, for people.
 */
#include "ike/proposal.h"

#define LAST 0
#define MORE_PROPOSALS 2
#define MORE_TRANSFORMS 3
#define KEY_LENGTH_TV 0x800e /* attribute 14 in the short form */
#define TRANSFORM_LEN 8
#define ATTRIBUTE_LEN 4

static void write_transform(struct writer *out, const struct transform *transform, bool last)
{
	write_u8(out, last ? LAST : MORE_TRANSFORMS);
	write_u8(out, 0);
	write_u16(out, transform->bits ? TRANSFORM_LEN + ATTRIBUTE_LEN : TRANSFORM_LEN);
	write_u8(out, transform->type);
	write_u8(out, 0);
	write_u16(out, transform->id);
	if (transform->bits) {
		write_u16(out, KEY_LENGTH_TV);
		write_u16(out, transform->bits);
	}
}

static void write_proposal(struct writer *out, uint8_t number, uint8_t protocol, struct view spi,
			   const struct transform *transforms, size_t count, bool last)
{
	size_t start = out->len;

	write_u8(out, last ? LAST : MORE_PROPOSALS);
	write_u8(out, 0);
	write_u16(out, 0);
	write_u8(out, number);
	write_u8(out, protocol);
	write_u8(out, (uint8_t)spi.len);
	write_u8(out, (uint8_t)count);
	write_view(out, spi);
	for (size_t i = 0; i < count; i++)
		write_transform(out, &transforms[i], i + 1 == count);
	put_u16(out, start + 2, (uint16_t)(out->len - start));
}

void proposal_write(struct message *message, const struct offer *offer, struct view spi)
{
	payload_open(message, PAYLOAD_SA);
	for (size_t i = 0; i < offer->count; i++) {
		const struct offer_proposal *proposal = &offer->proposals[i];

		write_proposal(&message->out, (uint8_t)(i + 1), proposal->protocol, spi, proposal->transforms,
			       proposal->count, i + 1 == offer->count);
	}
	payload_close(message);
}

static uint16_t chosen_id(const struct suite *suite, uint8_t type)
{
	switch (type) {
	case TRANSFORM_ENCR:
		return suite->encr;
	case TRANSFORM_PRF:
		return suite->prf;
	case TRANSFORM_INTEG:
		return suite->integ;
	case TRANSFORM_KE:
		return suite->ke;
	case TRANSFORM_ESN:
		return suite->esn;
	case TRANSFORM_ADDKE1:
		return suite->addke;
	default: /* ADDKE2 to 7 */
		return KE_NONE;
	}
}

/* Of each type that was offered exactly one, NONE included (RFC 7296 2.7, 3.3.6); none of a type that was not. */
void proposal_write_choice(struct message *message, const struct suite *suite, struct view spi)
{
	struct transform transforms[TRANSFORM_ADDKE7];
	size_t count = 0;

	for (uint8_t type = TRANSFORM_ENCR; type <= TRANSFORM_ADDKE7; type++) {
		if (!(suite->types & 1u << type))
			continue;
		transforms[count++] = (struct transform){ .type = type,
							  .id = chosen_id(suite, type),
							  .bits = type == TRANSFORM_ENCR ? suite->encr_bits : 0 };
	}
	payload_open(message, PAYLOAD_SA);
	write_proposal(&message->out, suite->number, suite->protocol, spi, transforms, count, true);
	payload_close(message);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *transform_type_name(uint8_t type)
{
	static const char *const names[] = { "?",      "ENCR",	 "PRF",	   "INTEG",  "KE",     "ESN",	"ADDKE1",
					     "ADDKE2", "ADDKE3", "ADDKE4", "ADDKE5", "ADDKE6", "ADDKE7" };

	return names[type < sizeof(names) / sizeof(names[0]) ? type : 0];
}

/* ADDKE has the IDs of KE (RFC 9370 3). */
static const struct {
	uint8_t type;
	uint16_t id;
	const char *name;
} transform_names[] = {
	{ TRANSFORM_ENCR, 3, "3DES" },
	{ TRANSFORM_ENCR, 11, "NULL" },
	{ TRANSFORM_ENCR, ENCR_AES_CBC, "AES_CBC" },
	{ TRANSFORM_ENCR, 13, "AES_CTR" },
	{ TRANSFORM_ENCR, 14, "AES_CCM_8" },
	{ TRANSFORM_ENCR, 15, "AES_CCM_12" },
	{ TRANSFORM_ENCR, 16, "AES_CCM_16" },
	{ TRANSFORM_ENCR, 18, "AES_GCM_8" },
	{ TRANSFORM_ENCR, 19, "AES_GCM_12" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16, "AES_GCM_16" },
	{ TRANSFORM_ENCR, 23, "CAMELLIA_CBC" },
	{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, "CHACHA20_POLY1305" },
	{ TRANSFORM_ENCR, 29, "AES_CCM_8_IIV" },
	{ TRANSFORM_ENCR, 30, "AES_GCM_16_IIV" },
	{ TRANSFORM_ENCR, 31, "CHACHA20_POLY1305_IIV" },
	{ TRANSFORM_PRF, 1, "HMAC_MD5" },
	{ TRANSFORM_PRF, 2, "HMAC_SHA1" },
	{ TRANSFORM_PRF, 4, "AES128_XCBC" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, "HMAC_SHA2_256" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_384, "HMAC_SHA2_384" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_512, "HMAC_SHA2_512" },
	{ TRANSFORM_PRF, 8, "AES128_CMAC" },
	{ TRANSFORM_INTEG, INTEG_NONE, "NONE" },
	{ TRANSFORM_INTEG, 1, "HMAC_MD5_96" },
	{ TRANSFORM_INTEG, 2, "HMAC_SHA1_96" },
	{ TRANSFORM_INTEG, 5, "AES_XCBC_96" },
	{ TRANSFORM_INTEG, 8, "AES_CMAC_96" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, "HMAC_SHA2_256_128" },
	{ TRANSFORM_INTEG, 13, "HMAC_SHA2_384_192" },
	{ TRANSFORM_INTEG, 14, "HMAC_SHA2_512_256" },
	{ TRANSFORM_KE, KE_NONE, "NONE" },
	{ TRANSFORM_KE, 1, "MODP_768" },
	{ TRANSFORM_KE, 2, "MODP_1024" },
	{ TRANSFORM_KE, 5, "MODP_1536" },
	{ TRANSFORM_KE, KE_MODP2048, "MODP_2048" },
	{ TRANSFORM_KE, 15, "MODP_3072" },
	{ TRANSFORM_KE, 16, "MODP_4096" },
	{ TRANSFORM_KE, 17, "MODP_6144" },
	{ TRANSFORM_KE, 18, "MODP_8192" },
	{ TRANSFORM_KE, KE_P256, "ECP_256" },
	{ TRANSFORM_KE, KE_P384, "ECP_384" },
	{ TRANSFORM_KE, 21, "ECP_521" },
	{ TRANSFORM_KE, KE_X25519, "CURVE25519" },
	{ TRANSFORM_KE, 32, "CURVE448" },
	{ TRANSFORM_KE, 35, "ML_KEM_512" },
	{ TRANSFORM_KE, KE_MLKEM768, "ML_KEM_768" },
	{ TRANSFORM_KE, 37, "ML_KEM_1024" },
	{ TRANSFORM_ESN, 0, "NO" },
	{ TRANSFORM_ESN, 1, "YES" },
};

const char *transform_name(uint8_t type, uint16_t id)
{
	uint8_t listed = type >= TRANSFORM_ADDKE1 && type <= TRANSFORM_ADDKE7 ? TRANSFORM_KE : type;

	for (size_t i = 0; i < sizeof(transform_names) / sizeof(transform_names[0]); i++)
		if (transform_names[i].type == listed && transform_names[i].id == id)
			return transform_names[i].name;
	return "?";
}
