// SPDX-License-Identifier: Apache-2.0
/*
 * A script of octets as things that happen to two engines: each takes one octet for what and some for to whom and how. Any octets are
 * a script.
 */
#include <errno.h>

#include "stage.h"

static void change_datagram(struct reader *script, struct stage_datagram *datagram)
{
	size_t at = read_u16(script) % datagram->len;

	datagram->octets[at] ^= read_u8(script);
}

static void fate(struct reader *script, unsigned int what)
{
	uint8_t which = read_u8(script);
	size_t n;

	if (!stage->wire_count)
		return;
	n = which % stage->wire_count;
	switch (what) {
	case 0:
		stage_deliver(n);
		break;
	case 1:
		stage_drop(n);
		break;
	case 2:
		if (stage->wire_count < STAGE_WIRE) {
			stage->wire[stage->wire_count] = stage->wire[n];
			stage->wire_count++;
		}
		break;
	case 3:
		change_datagram(script, &stage->wire[n]);
		break;
	default: /* from another port or address, as a NAT may have it */
		if (which & 0x80)
			stage->wire[n].path.remote = stage_address(7);
		else
			stage->wire[n].path.remote_port ^= 0x1111;
	}
}

static void time_goes_by(struct reader *script)
{
	static const uint64_t spans[] = {
		NSTIME_MS,     500 * NSTIME_MS, NSTIME_S,	 4 * NSTIME_S,
		20 * NSTIME_S, 65 * NSTIME_S,	3900 * NSTIME_S, 16000 * NSTIME_S,
	};
	uint64_t next = nstime_min(ike_deadline(stage->end[0].ike), ike_deadline(stage->end[1].ike));
	uint8_t how = read_u8(script);

	if (how & 0x80 && next != NSTIME_NEVER)
		stage_pass(nstime_until(next, stage->now));
	else
		stage_pass(spans[how % 8]);
}

static void order(struct reader *script, unsigned int what)
{
	uint8_t which = read_u8(script);
	unsigned int i = which & 1;
	struct stage_end *end = &stage->end[i];
	size_t n = which >> 1;

	if (what < 3 && !end->kid_count)
		return;
	if (what >= 3 && !end->known_count)
		return;
	switch (what) {
	case 0:
	case 1:
		ike_rekey_child(end->ike, end->kids[n % end->kid_count].handle, stage->now);
		break;
	case 2:
		ike_close_child(end->ike, end->kids[n % end->kid_count].handle, stage->now);
		break;
	case 3:
		ike_rekey(end->ike, end->known[n % end->known_count], stage->now);
		break;
	case 4:
		ike_close(end->ike, end->known[n % end->known_count], stage->now);
		break;
	case 5:
		ike_probe(end->ike, end->known[n % end->known_count], stage->now);
		break;
	default:
		ike_forget(end->ike, end->known[n % end->known_count], stage->now);
	}
	stage_drain(i);
}

static void reply(struct reader *script, unsigned int what)
{
	uint8_t how = read_u8(script);
	unsigned int i = how & 1;
	struct stage_end *end = &stage->end[i];

	if (what == 0 && end->asked_count)
		stage_answer(i, (how >> 4) % end->asked_count, (how >> 1) % 8);
	else if (what == 1 && end->waiting_count)
		stage_installed(i, (how >> 4) % end->waiting_count, how & 2 ? -EEXIST : 0);
	else if (what == 2) {
		end->hold_answer = how & 2;
		end->hold_install = how & 4;
	}
	stage_drain(i);
}

/* ESP of a Child SA, or of none any more, that was good and came from elsewhere. */
static void move(struct reader *script)
{
	uint8_t how = read_u8(script);
	unsigned int i = how & 1;
	struct stage_end *end = &stage->end[i];
	struct hf_addr from = stage_address(how & 2 ? 7 : !i);
	size_t n = (how >> 4) % (end->kid_count + 1);

	ike_child_moved(end->ike, n < end->kid_count ? end->kids[n].handle : HANDLE_NONE, &from,
			how & 4 ? 4500 : 20000 + how, stage->now);
	stage_drain(i);
}

bool stage_step(struct reader *script)
{
	unsigned int op;

	if (!reader_left(script))
		return false;
	op = read_u8(script) % 24;
	if (op < 5)
		fate(script, 0);
	else if (op < 9)
		fate(script, op - 4);
	else if (op < 12)
		time_goes_by(script);
	else if (op < 13)
		stage_connect(read_u8(script) & 1, read_u8(script));
	else if (op < 20)
		order(script, op - 13);
	else if (op < 23)
		reply(script, op - 20);
	else
		move(script);
	return true;
}
