// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads for tests, written as text: "1i0 E20/256 P5 K31, 2e4 E28 S0" is proposal 1 of IKE with an SPI of 0 octets, and 2 of ESP with 4; i IKE, a AH, e ESP.
 * Transforms: E ENCR, P PRF, I INTEG, K KE, S ESN; A, B, C, D, F, G, H ADDKE1 to 7; X13 one of type 13. /256 is a key length, :4 an attribute in the long
 * form with 4 octets. RESERVED is all ones.
 */
#ifndef SA_TEXT_H
#define SA_TEXT_H

#include "ike/proposal.h"

/* sa_text is the payload's body, good until the next call; its octets may be spoilt. */
struct view sa_text(const char *text);

/* proposal_choose and proposal_accept with the payload in memory of exactly its size. */
int sa_choose(struct suite *suite, struct view body, const struct offer *ours, uint16_t hint, size_t spi_len);
int sa_accept(struct suite *suite, struct view body, const struct offer *ours, size_t spi_len);

/* An AEAD proposal and one of CBC, as a host offers them for an IKE SA. */
extern const struct offer sa_ike_offer;

#endif
