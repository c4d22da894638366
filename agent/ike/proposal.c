// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads: proposals, their transforms, and choosing (RFC 7296 3.3, 2.7; RFC 9370 2.2.1 for ADDKE). A peer's payload is
 * checked as a whole first, then compared with what we offer, transform by transform, in time linear to its length. Nothing in it is an
 * index, and no number of the wire means anything here that IANA did not give it (CVE-2014-9221). Writing is in proposal_write.c.
 *
 * Two rules make the rest short. Leaving out a type that is optional is the same as offering its ID 0 alone: no INTEG is
 * NONE, no KE is NONE. And a transform that is not exactly ours, attributes included, is not there (3.3.6).
 */
#include <string.h>

#include "ike/proposal.h"

#define LAST 0
#define MORE_PROPOSALS 2
#define MORE_TRANSFORMS 3

/* Attribute format bit and the only type (RFC 7296 3.3.5). */
#define ATTRIBUTE_TV 0x8000
#define ATTRIBUTE_KEY_LENGTH 14

#define TYPE_BIT(type) (1u << (type))
#define TYPES_ADDKE (TYPE_BIT(TRANSFORM_ADDKE7 + 1) - TYPE_BIT(TRANSFORM_ADDKE1))

#define ESP_SPI_MIN 256 /* RFC 4303 2.1: 1 to 255 are reserved, 0 is for local use */

/* ---- form (RFC 7296 3.3.1 to 3.3.5) ---------------------------------------------------------- */

/* The rest of a structure of `length` octets, of which four were read. */
static struct view read_inner(struct reader *in, uint16_t length)
{
	if (length < 4)
		in->failed = true;
	return read_view(in, in->failed ? 0 : length - 4u);
}

void proposal_reader_init(struct proposal_reader *reader, struct view body)
{
	reader_init(&reader->in, body);
	reader->more = true;
}

bool proposal_read(struct proposal *proposal, struct proposal_reader *reader)
{
	struct reader in;
	uint16_t length;
	uint8_t last, spi_len;

	if (!reader->more || reader->in.failed)
		return false;
	last = read_u8(&reader->in);
	read_u8(&reader->in);
	length = read_u16(&reader->in);
	reader_init(&in, read_inner(&reader->in, length));
	proposal->number = read_u8(&in);
	proposal->protocol = read_u8(&in);
	spi_len = read_u8(&in);
	proposal->count = read_u8(&in);
	proposal->spi = read_view(&in, spi_len);
	proposal->transforms = read_rest(&in);
	reader->more = last == MORE_PROPOSALS;
	if (in.failed || (last != LAST && last != MORE_PROPOSALS) || reader->more != (reader_left(&reader->in) > 0))
		reader->in.failed = true;
	return !reader->in.failed;
}

void transform_reader_init(struct transform_reader *reader, const struct proposal *proposal)
{
	reader_init(&reader->in, proposal->transforms);
	reader->left = proposal->count;
	reader->in.failed = proposal->count == 0 && proposal->transforms.len > 0;
}

/*
 * One key length in the short form is all that RFC 7296 3.3.5 knows; zero would be a cipher without a key (CVE-2024-3652). The long form is read
 * over, and its length must fit (racoon2 27).
 */
static void read_attributes(uint16_t *bits, bool *usable, struct reader *in)
{
	*bits = 0;
	*usable = true;
	while (reader_left(in) > 0) {
		uint16_t type = read_u16(in), value = read_u16(in);

		if (type == (ATTRIBUTE_TV | ATTRIBUTE_KEY_LENGTH) && value != 0 && *bits == 0) {
			*bits = value;
			continue;
		}
		*usable = false;
		if (!(type & ATTRIBUTE_TV))
			read_view(in, value);
	}
}

bool transform_read(struct transform *transform, bool *usable, struct transform_reader *reader)
{
	struct reader in;
	uint16_t length;
	uint8_t last;

	if (reader->left == 0 || reader->in.failed)
		return false;
	reader->left--;
	last = read_u8(&reader->in);
	read_u8(&reader->in);
	length = read_u16(&reader->in);
	reader_init(&in, read_inner(&reader->in, length));
	transform->type = read_u8(&in);
	read_u8(&in);
	transform->id = read_u16(&in);
	read_attributes(&transform->bits, usable, &in);
	if (in.failed || last != (reader->left ? MORE_TRANSFORMS : LAST) ||
	    (reader->left > 0) != (reader_left(&reader->in) > 0))
		reader->in.failed = true;
	return !reader->in.failed;
}

/* Reads all of the payload for its form alone, and counts proposals. `offer`: they are numbered from 1 on (RFC 7296 3.3.1). */
static int check_form(size_t *count, struct view body, bool offer)
{
	struct proposal_reader proposals;
	struct proposal proposal;

	*count = 0;
	proposal_reader_init(&proposals, body);
	while (proposal_read(&proposal, &proposals)) {
		struct transform_reader transforms;
		struct transform transform;
		bool usable;

		if (offer && proposal.number != *count + 1)
			return NOTIFY_INVALID_SYNTAX;
		transform_reader_init(&transforms, &proposal);
		while (transform_read(&transform, &usable, &transforms))
			continue;
		if (transforms.in.failed)
			return NOTIFY_INVALID_SYNTAX;
		++*count;
	}
	return proposals.in.failed ? NOTIFY_INVALID_SYNTAX : 0;
}

/* ---- which types there are (RFC 7296 3.3.3, RFC 9370 2.2.1) ---------------------------------- */

static unsigned int types_mandatory(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_IKE:
		return TYPE_BIT(TRANSFORM_ENCR) | TYPE_BIT(TRANSFORM_PRF) | TYPE_BIT(TRANSFORM_KE);
	case PROTOCOL_ESP:
		return TYPE_BIT(TRANSFORM_ENCR);
	default:
		return 0;
	}
}

/*
 * INTEG is optional as far as types go; which cipher goes with or without is_consistent says.
 * DEVIATION: RFC 7296 3.3.3 has ESN mandatory for ESP; some leave it out and mean 0, and so do we.
 */
static unsigned int types_optional(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_IKE:
		return TYPE_BIT(TRANSFORM_INTEG) | TYPES_ADDKE;
	case PROTOCOL_ESP:
		return TYPE_BIT(TRANSFORM_INTEG) | TYPE_BIT(TRANSFORM_KE) | TYPE_BIT(TRANSFORM_ESN) | TYPES_ADDKE;
	default:
		return 0;
	}
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* What a proposal of the peer has of one of ours. */
struct overlap {
	uint32_t ours;	/* bit i: our transform i */
	uint16_t types; /* bit t: any transform of type t */
	uint16_t zero;	/* bit t: its ID 0 */
	uint16_t twice; /* bit t: more than one of type t */
	bool strange;	/* a type that is unknown or has no meaning for the protocol: unacceptable (RFC 7296 3.3.6) */
};

static bool transform_equal(const struct transform *a, const struct transform *b)
{
	return a->type == b->type && a->id == b->id && a->bits == b->bits;
}

static void add_transform(struct overlap *overlap, const struct offer_proposal *ours, const struct transform *theirs,
			  bool usable)
{
	unsigned int known = types_mandatory(ours->protocol) | types_optional(ours->protocol);

	if (theirs->type > TRANSFORM_ADDKE7 || !(known & TYPE_BIT(theirs->type))) {
		overlap->strange = true;
		return;
	}
	overlap->twice |= overlap->types & TYPE_BIT(theirs->type);
	overlap->types |= TYPE_BIT(theirs->type);
	if (!usable)
		return;
	if (theirs->id == 0 && theirs->bits == 0)
		overlap->zero |= TYPE_BIT(theirs->type);
	for (size_t i = 0; i < ours->count; i++)
		if (transform_equal(&ours->transforms[i], theirs))
			overlap->ours |= 1u << i;
}

static void find_overlap(struct overlap *overlap, const struct offer_proposal *ours, const struct proposal *theirs)
{
	struct transform_reader transforms;
	struct transform transform;
	bool usable;

	memset(overlap, 0, sizeof(*overlap));
	transform_reader_init(&transforms, theirs);
	while (transform_read(&transform, &usable, &transforms))
		add_transform(overlap, ours, &transform, usable);
}

/*
 * The first of our transforms of the type that the peer has, too; `first` before all others, `except` never (0: neither). Where one side
 * leaves an optional type out, the other must have its ID 0.
 */
static bool pick(struct transform *out, const struct overlap *overlap, const struct offer_proposal *ours, uint8_t type,
		 uint16_t first, uint16_t except)
{
	const struct transform *found = NULL;
	bool have = false, zero = false;

	for (size_t i = 0; i < ours->count; i++) {
		const struct transform *transform = &ours->transforms[i];

		if (transform->type != type)
			continue;
		have = true;
		zero |= transform->id == 0;
		if (!(overlap->ours & 1u << i) || (except && transform->id == except))
			continue;
		if (!found || (first && transform->id == first))
			found = transform;
	}
	if (found) {
		*out = *found;
		return true;
	}
	*out = (struct transform){ .type = type };
	if (!(types_optional(ours->protocol) & TYPE_BIT(type)))
		return false;
	if (have)
		return zero && !(overlap->types & TYPE_BIT(type));
	return (overlap->zero & TYPE_BIT(type)) || !(overlap->types & TYPE_BIT(type));
}

/* A combined-mode cipher has no integrity algorithm, any other has one (RFC 7296 3.3, RFC 5282 8). */
static bool is_consistent(const struct suite *suite)
{
	bool aead = suite->encr == ENCR_AES_GCM_16 || suite->encr == ENCR_CHACHA20_POLY1305;

	return aead == (suite->integ == INTEG_NONE);
}

/*
 * Chooses of each type. The same key exchange method must not be done twice (RFC 9370 2.2.1), and of ADDKE2 to 7 we can only
 * have NONE.
 */
static bool choose_types(struct suite *suite, const struct overlap *overlap, const struct offer_proposal *ours,
			 uint16_t ke_hint)
{
	struct transform transform;

	if (overlap->strange)
		return false;
	if (!pick(&transform, overlap, ours, TRANSFORM_ENCR, 0, 0))
		return false;
	suite->encr = transform.id;
	suite->encr_bits = transform.bits;
	if (ours->protocol == PROTOCOL_IKE) {
		if (!pick(&transform, overlap, ours, TRANSFORM_PRF, 0, 0))
			return false;
		suite->prf = transform.id;
	} else {
		if (!pick(&transform, overlap, ours, TRANSFORM_ESN, 0, 0))
			return false;
		suite->esn = transform.id != 0;
	}
	if (!pick(&transform, overlap, ours, TRANSFORM_INTEG, 0, 0))
		return false;
	suite->integ = transform.id;
	if (!pick(&transform, overlap, ours, TRANSFORM_KE, ke_hint, 0))
		return false;
	suite->ke = transform.id;
	if (!pick(&transform, overlap, ours, TRANSFORM_ADDKE1, 0, suite->ke))
		return false;
	suite->addke = transform.id;
	for (uint8_t type = TRANSFORM_ADDKE1 + 1; type <= TRANSFORM_ADDKE7; type++)
		if (!pick(&transform, overlap, ours, type, 0, 0) || transform.id != 0)
			return false;
	suite->types = overlap->types;
	return is_consistent(suite);
}

static bool spi_is_usable(struct view spi, uint8_t protocol, size_t spi_len)
{
	uint8_t any = 0;

	if (spi.len != spi_len)
		return false;
	if (protocol == PROTOCOL_ESP) {
		struct reader in;

		reader_init(&in, spi);
		return read_u32(&in) >= ESP_SPI_MIN && reader_done(&in);
	}
	for (size_t i = 0; i < spi.len; i++)
		any |= spi.at[i];
	return spi.len == 0 || any != 0;
}

/* Whether `theirs` can be one of ours, and as which suite. `answer`: nothing was left to choose, one transform per type (RFC 7296 2.7). */
static bool match(struct suite *suite, const struct proposal *theirs, const struct offer_proposal *ours, bool answer,
		  uint16_t ke_hint, size_t spi_len)
{
	struct suite chosen = { .number = theirs->number, .protocol = theirs->protocol };
	struct overlap overlap;

	if (theirs->protocol != ours->protocol || !spi_is_usable(theirs->spi, theirs->protocol, spi_len))
		return false;
	find_overlap(&overlap, ours, theirs);
	if (answer && overlap.twice)
		return false;
	if (!choose_types(&chosen, &overlap, ours, ke_hint))
		return false;
	*suite = chosen;
	return true;
}

int proposal_choose(struct suite *suite, struct view *peer_spi, struct view body, const struct offer *ours,
		    uint16_t ke_hint, size_t spi_len)
{
	size_t count;
	int rc = check_form(&count, body, true);

	if (rc)
		return rc;
	for (size_t i = 0; i < ours->count; i++) {
		struct proposal_reader proposals;
		struct proposal proposal;

		proposal_reader_init(&proposals, body);
		while (proposal_read(&proposal, &proposals)) {
			if (!match(suite, &proposal, &ours->proposals[i], false, ke_hint, spi_len))
				continue;
			*peer_spi = proposal.spi;
			return 0;
		}
	}
	return NOTIFY_NO_PROPOSAL_CHOSEN;
}

int proposal_accept(struct suite *suite, struct view *peer_spi, struct view body, const struct offer *ours,
		    size_t spi_len)
{
	struct proposal_reader proposals;
	struct proposal proposal;
	size_t count;
	int rc = check_form(&count, body, false);

	if (rc)
		return rc;
	proposal_reader_init(&proposals, body);
	if (count != 1 || !proposal_read(&proposal, &proposals))
		return NOTIFY_NO_PROPOSAL_CHOSEN;
	if (proposal.number < 1 || proposal.number > ours->count)
		return NOTIFY_NO_PROPOSAL_CHOSEN;
	if (!match(suite, &proposal, &ours->proposals[proposal.number - 1], true, KE_NONE, spi_len))
		return NOTIFY_NO_PROPOSAL_CHOSEN;
	*peer_spi = proposal.spi;
	return 0;
}

bool proposal_offers(const struct offer *offer, uint8_t type, uint16_t id)
{
	for (size_t i = 0; i < offer->count; i++)
		for (size_t j = 0; j < offer->proposals[i].count; j++)
			if (offer->proposals[i].transforms[j].type == type &&
			    offer->proposals[i].transforms[j].id == id)
				return true;
	return false;
}
