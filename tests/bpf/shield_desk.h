// SPDX-License-Identifier: Apache-2.0
/* What the shield's tests share: one loaded shield and the model beside it, which has to agree with all that is asked. */
#ifndef BPF_SHIELD_DESK_H
#define BPF_SHIELD_DESK_H

#include "shield_model.h"

extern struct desk {
	struct shield shield;
	struct model model;
} desk;

/* Group set-up and tear-down. */
int desk_open(void **state);
int desk_close(void **state);

/* desk_clear, before a test: rates that nothing exceeds, nothing remembered, and a cookie due from nobody. */
int desk_clear(void **state);

/* desk_judge is the verdict of both. Where only rates make a cookie due, the model would say something else: desk_cookie. */
int desk_judge(const uint8_t *frame, size_t len);
int desk_ask(const struct question *question);

/* desk_cookie is the cookie that the question is answered with, which it must be. */
struct view desk_cookie(const struct question *question, uint8_t cookie[COOKIE_LEN]);

/* desk_check_sum: every IKE_SA_INIT request has become one of the things that it can. */
void desk_check_sum(void);

#endif
