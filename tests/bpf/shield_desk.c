// SPDX-License-Identifier: Apache-2.0
/* See shield_desk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shield_desk.h"

#include <string.h>

struct desk desk;

int desk_open(void **state)
{
	(void)state;
	shield_open(&desk.shield);
	desk.model.jar = &desk.shield.jar;
	assert_int_equal(addr_parse(&desk.model.own4, SHIELD_OWN4, NULL), 0);
	assert_int_equal(addr_parse(&desk.model.own6, SHIELD_OWN6, NULL), 0);
	return 0;
}

int desk_close(void **state)
{
	(void)state;
	shield_close(&desk.shield);
	return 0;
}

int desk_clear(void **state)
{
	(void)state;
	shield_free_rates(&desk.shield);
	desk.shield.set->demand = 0;
	desk.shield.as_guest = false;
	shield_forget(&desk.shield);
	return 0;
}

int desk_judge(const uint8_t *frame, size_t len)
{
	desk.model.due = desk.shield.set->demand;
	return model_compare(&desk.model, &desk.shield, frame, len);
}

int desk_ask(const struct question *question)
{
	struct asked asked;

	question_write(&asked, question);
	return desk_judge(asked.frame, asked.len);
}

struct view desk_cookie(const struct question *question, uint8_t cookie[COOKIE_LEN])
{
	uint8_t out[FRAME_MAX];
	struct asked asked;
	size_t len;

	question_write(&asked, question);
	assert_int_equal(shield_run(&desk.shield, asked.frame, asked.len, out, &len), XDP_TX);
	if (desk.shield.as_guest) /* IP and UDP header, marker, HDR, N(COOKIE) */
		len = asked.l3 + (question->src && strchr(question->src, ':') ? 40 : 20) + 8 +
		      (question->encap ? 4 : 0) + 28 + 8 + COOKIE_LEN;
	memcpy(cookie, out + len - COOKIE_LEN, COOKIE_LEN);
	return view_of(cookie, COOKIE_LEN);
}

void desk_check_sum(void)
{
	struct hf_shield_count c = shield_counts(&desk.shield);

	assert_int_equal(c.init, c.init_passed + c.init_malformed + c.cookies_sent + c.cookies_good + c.proven_dropped +
					 c.unanswerable + c.answer_failed);
}
