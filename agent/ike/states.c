// SPDX-License-Identifier: Apache-2.0
/*
 * Which protected message is acceptable in which state, and who handles it. What no row lists is dropped unseen; what a row does not
 * allow is a broken message (CVE-2014-2338, CVE-2019-12312). IKE_SA_INIT is not here: nothing of it is protected, and it
 * never meets an SA that has got further. Checked as a whole at start.
 */
#include <errno.h>

#include "ike/internal.h"

#define S(state) SA_STATE_BIT(SA_##state)
#define P(slot) SLOT_BIT(SLOT_##slot)

#define CHILD_PAYLOADS (P(SA) | P(TSI) | P(TSR))
/* Seen in the field beside what we want: ignored. */
#define AUTH_OTHERS (P(CERT) | P(CERTREQ) | P(CP) | P(EAP))

static const struct row rows[] = {
	/* HDR, SK {KEi(1)}  ->  HDR, SK {KEr(1)}  (RFC 9242 3.2, RFC 9370 2.2.2) */
	{ EXCHANGE_IKE_INTERMEDIATE, false, S(HALF_OPEN), P(KE), 0, intermediate_on_request },
	{ EXCHANGE_IKE_INTERMEDIATE, true, S(INTERMEDIATE_SENT), 0, P(KE), intermediate_on_response },

	/* HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, SAi2, TSi, TSr}  ->  HDR, SK {IDr, [CERT,] AUTH, SAr2, TSi, TSr} */
	{ EXCHANGE_IKE_AUTH, false, S(HALF_OPEN), P(IDI), P(AUTH) | P(IDR) | CHILD_PAYLOADS | AUTH_OTHERS,
	  auth_on_request },
	{ EXCHANGE_IKE_AUTH, true, S(AUTH_SENT), 0, P(IDR) | P(AUTH) | CHILD_PAYLOADS | AUTH_OTHERS, auth_on_response },

	/* HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] [TSi, TSr]}  ->  HDR, SK {SA, Nr, [KEr,] [TSi, TSr]}, without TS: of the IKE SA */
	{ EXCHANGE_CREATE_CHILD_SA, false, S(ESTABLISHED) | S(REKEYED) | S(CLOSING), P(SA) | P(NONCE),
	  P(KE) | P(TSI) | P(TSR) | P(CP), create_on_request },
	{ EXCHANGE_CREATE_CHILD_SA, true, S(ESTABLISHED), 0, P(NONCE) | P(KE) | CHILD_PAYLOADS | P(CP),
	  create_on_response },

	/* HDR, SK {KEi(1), N(ADDITIONAL_KEY_EXCHANGE)}  ->  HDR, SK {KEr(1)}  (RFC 9370 2.2.4) */
	{ EXCHANGE_IKE_FOLLOWUP_KE, false, S(ESTABLISHED) | S(REKEYED) | S(CLOSING), P(KE), 0, followup_on_request },
	{ EXCHANGE_IKE_FOLLOWUP_KE, true, S(ESTABLISHED), 0, P(KE), create_on_response },

	/* HDR, SK {[N,] [D,] ...}  ->  HDR, SK {[N,] [D,] ...} */
	{ EXCHANGE_INFORMATIONAL, false, S(ESTABLISHED) | S(REKEYED) | S(CLOSING), 0, P(CP), info_on_request },
	{ EXCHANGE_INFORMATIONAL, true, S(ESTABLISHED) | S(REKEYED) | S(CLOSING), 0, P(CP), info_on_response },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct row *states_find(enum exchange exchange, bool response, enum sa_state state)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].exchange == exchange && rows[i].response == response &&
		    rows[i].states & SA_STATE_BIT(state))
			return &rows[i];
	return NULL;
}

size_t states_rows(const struct row **out)
{
	*out = rows;
	return ROWS;
}

int states_check(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!row->handler || !row->states || row->states >= SA_STATE_BIT(SA_STATES) ||
		    row->required & row->allowed || (row->required | row->allowed) & P(SK))
			return -EINVAL;
		for (size_t j = 0; j < i; j++)
			if (rows[j].exchange == row->exchange && rows[j].response == row->response &&
			    rows[j].states & row->states)
				return -EINVAL;
	}
	return 0;
}
