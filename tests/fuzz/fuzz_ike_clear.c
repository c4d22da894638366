// SPDX-License-Identifier: Apache-2.0
/*
 * What a stranger can do: datagrams of any kind into engines in any state, from the peer's address or another. To come further than the
 * first check they may take over SPIs, message ID, length and version from what is there, or be copies of real datagrams with
 * octets changed.
 *
 * Without time passing, nothing that was established may change by it, and an engine that knows nobody answers with no
 * more than it was sent.
 */
#include <string.h>

#include "base/addr.h"
#include "stage.h"

#define STEPS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stage_open();
	return 0;
}

enum help {
	HELP_SPIS = 1 << 0,   /* of an SA that is there */
	HELP_LENGTH = 1 << 1, /* the length field */
	HELP_VERSION = 1 << 2,
	HELP_COPY = 1 << 3,	/* of a datagram of before, octets changed */
	HELP_ENCAP = 1 << 4,	/* the encapsulation port, with marker */
	HELP_STRANGER = 1 << 5, /* another address */
	HELP_END = 1 << 6,	/* to whom */
	HELP_GENUINE = 1 << 7,	/* of one under way */
};

static const struct sa *sa_by(const struct ike *ike, unsigned int n)
{
	uint32_t at = pool_first(&ike->sas);

	while (at != POOL_NONE && n-- && pool_next(&ike->sas, at) != POOL_NONE)
		at = pool_next(&ike->sas, at);
	return at == POOL_NONE ? NULL : pool_at(&ike->sas, at);
}

/* Octets of the script, or of a datagram with some of them changed. */
static size_t compose(struct reader *script, uint8_t *out, unsigned int help)
{
	const struct stage_datagram *list = help & HELP_GENUINE ? stage->wire : stage->history;
	size_t count = help & HELP_GENUINE ? stage->wire_count : stage->history_count, len;
	unsigned int changes;

	if (!(help & HELP_COPY) || !count) {
		struct view raw = read_view(script, read_u16(script) % STAGE_DATAGRAM);

		if (raw.len)
			memcpy(out, raw.at, raw.len);
		return raw.len;
	}
	list += read_u8(script) % count;
	len = list->len;
	memcpy(out, list->octets, len);
	for (changes = read_u8(script) % 16; changes; changes--) {
		size_t at = read_u16(script) % len;

		out[at] = read_u8(script);
	}
	if (read_u8(script) & 1)
		len = read_u16(script) % len;
	return len;
}

enum expected { EXPECTED_REQUEST = 1 << 6, EXPECTED_RESPONSE = 1 << 7 };

static void adorn(uint8_t *octets, size_t len, unsigned int help, unsigned int which, const struct sa *sa)
{
	if (len < HEADER_LEN)
		return;
	if (sa && which & (EXPECTED_REQUEST | EXPECTED_RESPONSE)) {
		uint32_t mid = which & EXPECTED_REQUEST ? sa->recv_mid : sa->request.mid;

		octets[19] = (which & EXPECTED_REQUEST ? 0 : FLAG_RESPONSE) | (sa->initiator ? 0 : FLAG_INITIATOR);
		octets[20] = octets[21] = 0;
		octets[22] = (uint8_t)(mid >> 8);
		octets[23] = (uint8_t)mid;
	}
	if (help & HELP_SPIS && sa) {
		memcpy(octets, sa->spi_i, SPI_LEN);
		memcpy(octets + SPI_LEN, sa->spi_r, SPI_LEN);
	}
	if (help & HELP_VERSION)
		octets[17] = 0x20;
	if (help & HELP_LENGTH) {
		octets[24] = octets[25] = 0;
		octets[26] = (uint8_t)(len >> 8);
		octets[27] = (uint8_t)len;
	}
}

/* What no stranger may touch. */
struct kept {
	uint32_t established;
	struct keymat keys[2];
	uint32_t recv_mid[2], kids[2];
	size_t kid_count[2], sending[2];
};

static size_t sending(const struct stage_end *end)
{
	size_t count = 0;

	for (size_t i = 0; i < end->kid_count; i++)
		count += end->kids[i].out;
	return count;
}

static void keep(struct kept *kept)
{
	memset(kept, 0, sizeof(*kept));
	for (unsigned int i = 0; i < 2; i++) {
		const struct ike *ike = stage->end[i].ike;
		const struct sa *sa = sa_by(ike, 0);

		kept->kid_count[i] = stage->end[i].kid_count;
		kept->sending[i] = sending(&stage->end[i]);
		if (!sa || sa->state < SA_ESTABLISHED)
			continue;
		kept->established++;
		kept->keys[i] = sa->keys;
		kept->recv_mid[i] = sa->recv_mid;
		kept->kids[i] = sa->kids;
	}
}

/* To the end that is asked for. True: it could not have come from the peer. */
static bool datagram(struct reader *script)
{
	static uint8_t octets[STAGE_DATAGRAM + 4];
	unsigned int help = read_u8(script), to = !!(help & HELP_END), which = read_u8(script);
	struct stage_end *end = &stage->end[to];
	const struct sa *sa = sa_by(end->ike, which % 4);
	struct ike_path path = { .local_port = 500, .remote_port = 500 };
	bool alone = pool_count(&end->ike->sas) == 0;
	size_t sent = end->sent, sent_octets = end->sent_octets, marker = help & HELP_ENCAP ? 4 : 0, len;

	path.local = addr_from_v4(__builtin_bswap32(0x0a090001 + to));
	path.remote = addr_from_v4(__builtin_bswap32(0x0a090001 + (help & HELP_STRANGER ? 0x100 + which : !to)));
	if (marker)
		path.local_port = path.remote_port = 4500;
	memset(octets, 0, 4);
	len = compose(script, octets + marker, help);
	adorn(octets + marker, len, help, which, sa);
	ike_datagram(end->ike, &path, view_of(octets, len + marker), stage->now);
	stage_drain(to);
	if (alone && !(help & HELP_COPY))
		stage_demand(end->sent - sent <= 1 && end->sent_octets - sent_octets <= len + marker);
	return !(help & HELP_GENUINE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kept before, after;
	struct reader script;
	bool strangers_only = true;

	if (len < 2)
		return 0;
	stage_load(data[0] % STAGE_STATES);
	keep(&before);
	reader_init(&script, view_of(data + 1, len - 1));
	for (unsigned int i = 0; i < STEPS && reader_left(&script); i++) {
		uint8_t what = read_u8(&script);

		if (what < 0xc0)
			strangers_only &= datagram(&script);
		else
			strangers_only &= !stage_step(&script);
		stage_check();
		if (!strangers_only)
			continue;
		keep(&after);
		stage_demand(memcmp(&before, &after, sizeof(before)) == 0);
	}
	stage_agree();
	stage_forget();
	return 0;
}
