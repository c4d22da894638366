// SPDX-License-Identifier: Apache-2.0
/* See shield_model.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shield_model.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "run_prog.h"

struct cursor {
	const uint8_t *octets;
	size_t at, end;
	bool failed;
};

static uint64_t get(struct cursor *in, size_t len)
{
	uint64_t value = 0;

	if (in->failed || in->end - in->at < len) {
		in->failed = true;
		return 0;
	}
	for (size_t i = 0; i < len; i++)
		value = value << 8 | in->octets[in->at++];
	return value;
}

static void get_copy(struct cursor *in, void *out, size_t len)
{
	if (in->failed || in->end - in->at < len) {
		in->failed = true;
		return;
	}
	memcpy(out, in->octets + in->at, len);
	in->at += len;
}

/* What a frame says of itself, once it is known to carry a datagram to our IKE ports. */
struct letter {
	struct hf_addr src, dst;
	bool v4, encap;
	size_t l3;
	uint16_t port;
	struct cursor ike;
};

static bool read_ip4(struct cursor *in, struct letter *out)
{
	size_t start = in->at, first = get(in, 1), len, fragment, proto;
	uint8_t src[4], dst[4];

	get(in, 1);
	len = get(in, 2);
	get(in, 2);
	fragment = get(in, 2) & 0x3fff;
	get(in, 1);
	proto = get(in, 1);
	get(in, 2);
	get_copy(in, src, 4);
	get_copy(in, dst, 4);
	if (in->failed || first >> 4 != 4 || (first & 15) < 5 || fragment || proto != 17)
		return false;
	if (len < (first & 15) * 4 || len > in->end - start)
		return false;
	in->end = start + len;
	in->at = start + (first & 15) * 4;
	memset(&out->src, 0, 10);
	memset(out->src.octet + 10, 0xff, 2);
	out->dst = out->src;
	memcpy(out->src.octet + 12, src, 4);
	memcpy(out->dst.octet + 12, dst, 4);
	out->v4 = true;
	return true;
}

static bool read_ip6(struct cursor *in, struct letter *out)
{
	size_t start = in->at, first = get(in, 4), len = get(in, 2), proto = get(in, 1), headers = 0;

	get(in, 1);
	get_copy(in, &out->src, 16);
	get_copy(in, &out->dst, 16);
	out->v4 = false;
	if (in->failed || first >> 28 != 6 || addr_is_v4(&out->src) || addr_is_v4(&out->dst))
		return false;
	while (proto != 17) {
		size_t header = in->at, next = get(in, 1), units = get(in, 1), left;

		get(in, 1);
		left = get(in, 1);
		if (in->failed || ++headers > 8 || (proto != 0 && proto != 60 && proto != 43) || (proto == 43 && left))
			return false;
		in->at = header;
		/* A header may go beyond the packet's end; then there is no UDP header behind it. */
		if (in->end - in->at < (units + 1) * 8)
			return false;
		in->at += (units + 1) * 8;
		proto = next;
	}
	if (40 + len > in->end - start || in->at > start + 40 + len)
		return false;
	in->end = start + 40 + len;
	return true;
}

static bool read_letter(struct cursor *in, struct letter *out)
{
	size_t type, to, len;

	get(in, 6);
	get(in, 6);
	type = get(in, 2);
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		get(in, 2);
		type = get(in, 2);
	}
	out->l3 = in->at;
	if (in->failed || (type != 0x0800 && type != 0x86dd))
		return false;
	if (type == 0x0800 ? !read_ip4(in, out) : !read_ip6(in, out))
		return false;
	out->ike = *in;
	in = &out->ike;
	out->port = (uint16_t)get(in, 2);
	to = get(in, 2);
	len = get(in, 2);
	get(in, 2);
	if (in->failed || len < 8 || len - 8 > in->end - in->at)
		return false;
	in->end = in->at + len - 8;
	out->encap = to == 4500;
	if (out->encap && (get(in, 4) != 0 || in->failed))
		return false;
	return to == 500 || to == 4500;
}

/* The nonce, and the first payload if that is a cookie. False when there is none that counts. */
static bool read_payloads(struct cursor in, uint8_t next, struct view *ni, struct view *cookie)
{
	*cookie = VIEW_NONE;
	for (unsigned int i = 0; i < 16 && next != 0; i++) {
		uint8_t type = next;
		size_t len;
		struct cursor body;

		next = (uint8_t)get(&in, 1);
		get(&in, 1);
		len = get(&in, 2);
		if (in.failed || len < 4 || len - 4 > in.end - in.at)
			return false;
		body = in;
		body.end = body.at + len - 4;
		in.at = body.end;
		if (i == 0 && type == 41) {
			size_t spi_len;

			get(&body, 1);
			spi_len = get(&body, 1);
			if (get(&body, 2) == 16390 && !body.failed && !spi_len && body.end - body.at == COOKIE_LEN)
				*cookie = view_of(body.octets + body.at, COOKIE_LEN);
		}
		if (type == 40) {
			*ni = view_of(body.octets + body.at, body.end - body.at);
			return ni->len >= 16 && ni->len <= 256;
		}
	}
	return false;
}

static bool is_answerable(const struct model *model, const struct letter *letter, const uint8_t *frame)
{
	const uint8_t *octet = letter->src.octet;
	static const uint8_t zeros[15];

	if ((frame[0] | frame[6]) & 1 || !letter->port || addr_equal(&letter->src, &model->own4) ||
	    addr_equal(&letter->src, &model->own6))
		return false;
	if (letter->v4)
		return octet[12] != 0 && octet[12] != 127 && octet[12] < 224;
	return octet[0] != 0xff && (memcmp(octet, zeros, 15) || octet[15] > 1);
}

static uint32_t sum_of(const uint8_t *octets, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? octets[i] : (uint32_t)octets[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The frame of an answer, octet for octet. */
static size_t write_answer(const struct letter *letter, const uint8_t *frame, const uint8_t spi_i[8],
			   const uint8_t cookie[COOKIE_LEN], uint8_t *out)
{
	size_t ip_len = letter->v4 ? 20 : 40, udp_len = 8 + (letter->encap ? 4 : 0) + 48;
	uint8_t *ip = out + letter->l3, *udp = ip + ip_len, *ike = udp + 8 + (letter->encap ? 4 : 0);
	uint32_t sum;

	memcpy(out, frame + 6, 6);
	memcpy(out + 6, frame, 6);
	memcpy(out + 12, frame + 12, letter->l3 - 12);
	memset(ip, 0, ip_len + udp_len);
	put16(udp, letter->encap ? 4500 : 500);
	put16(udp + 2, letter->port);
	put16(udp + 4, (uint32_t)udp_len);
	memcpy(ike, spi_i, 8);
	memcpy(ike + 16, (const uint8_t[]){ 41, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 48 }, 12);
	memcpy(ike + 28, (const uint8_t[]){ 0, 0, 0, 20, 0, 0, 0x40, 0x06 }, 8);
	memcpy(ike + 36, cookie, COOKIE_LEN);
	sum = sum_of(letter->dst.octet + (letter->v4 ? 12 : 0), letter->v4 ? 4 : 16, 17 + (uint32_t)udp_len);
	sum = sum_of(letter->src.octet + (letter->v4 ? 12 : 0), letter->v4 ? 4 : 16, sum);
	sum = sum_of(udp, udp_len, sum);
	put16(udp + 6, sum == 0xffff ? 0xffff : ~sum & 0xffff);
	if (letter->v4) {
		memcpy(ip, (const uint8_t[]){ 0x45, 0, 0, (uint8_t)(20 + udp_len), 0, 0, 0x40, 0, 64, 17 }, 10);
		memcpy(ip + 12, letter->dst.octet + 12, 4);
		memcpy(ip + 16, letter->src.octet + 12, 4);
		put16(ip + 10, ~sum_of(ip, 20, 0) & 0xffff);
	} else {
		memcpy(ip, (const uint8_t[]){ 0x60, 0, 0, 0, 0, (uint8_t)udp_len, 17, 64 }, 8);
		memcpy(ip + 8, &letter->dst, 16);
		memcpy(ip + 24, &letter->src, 16);
	}
	return letter->l3 + ip_len + udp_len;
}

static int judge_init(const struct model *model, const struct letter *letter, const uint8_t *frame,
		      const uint8_t spi_i[8], struct cursor payloads, uint8_t next, uint64_t now,
		      uint8_t answer[FRAME_MAX], size_t *answer_len)
{
	struct ike_path path = { .remote = letter->src, .local = letter->dst, .remote_port = letter->port };
	uint8_t fresh[COOKIE_LEN];
	struct view ni, cookie;

	if (!model->due)
		return XDP_PASS;
	if (!read_payloads(payloads, next, &ni, &cookie))
		return XDP_DROP;
	if (cookie_check(cookie, model->jar, &path, spi_i, ni, now) == 0)
		return XDP_PASS;
	if (!is_answerable(model, letter, frame) || cookie_make(fresh, model->jar, &path, spi_i, ni, now))
		return XDP_DROP;
	*answer_len = write_answer(letter, frame, spi_i, fresh, answer);
	return XDP_TX;
}

int model_judge(const struct model *model, const uint8_t *frame, size_t len, uint64_t now, uint8_t answer[FRAME_MAX],
		size_t *answer_len)
{
	struct cursor in = { .octets = frame, .end = len };
	struct letter letter;
	uint64_t spi_r, mid, length;
	uint8_t spi_i[8], next, version, exchange, flags;
	static const uint8_t none[8];
	size_t ike_len;

	if (!read_letter(&in, &letter))
		return XDP_PASS;
	if (!addr_equal(&letter.dst, &model->own4) && !addr_equal(&letter.dst, &model->own6))
		return XDP_PASS;
	in = letter.ike;
	ike_len = in.end - in.at;
	get_copy(&in, spi_i, 8);
	spi_r = get(&in, 8);
	next = (uint8_t)get(&in, 1);
	version = (uint8_t)get(&in, 1);
	exchange = (uint8_t)get(&in, 1);
	flags = (uint8_t)get(&in, 1);
	mid = get(&in, 4);
	length = get(&in, 4);
	if (in.failed)
		return XDP_DROP;
	if (spi_r || flags & 0x20)
		return XDP_PASS;
	if (length != ike_len || memcmp(spi_i, none, 8) == 0)
		return XDP_DROP;
	if (version >> 4 != 2 || exchange != 34)
		return XDP_PASS;
	if (!(flags & 0x08) || mid || ike_len < 150)
		return XDP_DROP;
	return judge_init(model, &letter, frame, spi_i, in, next, now, answer, answer_len);
}

static bool is_same(const struct model *model, bool as_guest, const uint8_t *frame, size_t len, uint64_t now,
		    int verdict, const uint8_t *out, size_t out_len)
{
	static uint8_t expected[FRAME_MAX];
	size_t expected_len = len;

	memcpy(expected, frame, len);
	if (model_judge(model, frame, len, now, expected, &expected_len) != verdict)
		return false;
	if (as_guest)
		expected_len = len; /* behind the answer is the question's rest */
	return verdict == XDP_DROP || (out_len == expected_len && memcmp(out, expected, out_len) == 0);
}

int model_compare(const struct model *model, const struct shield *shield, const uint8_t *frame, size_t len)
{
	static uint8_t out[FRAME_MAX];
	uint64_t before = run_now_ns();
	size_t out_len = 0;
	int verdict = shield_run(shield, frame, len, out, &out_len);

	/* The slot of cookies may have changed in between. */
	if (!is_same(model, shield->as_guest, frame, len, before, verdict, out, out_len) &&
	    !is_same(model, shield->as_guest, frame, len, run_now_ns(), verdict, out, out_len)) {
		for (size_t i = 0; i < len; i++)
			fprintf(stderr, "%02x%s", frame[i], i + 1 < len ? "" : "\n");
		fail_msg("the shield says %d and %zu octets to this frame, and the model something else", verdict,
			 out_len);
	}
	if (verdict == XDP_TX && out_len >= len + shield->as_guest)
		fail_msg("an answer of %zu octets to a question of %zu", out_len, len);
	return verdict;
}
