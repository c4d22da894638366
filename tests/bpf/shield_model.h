// SPDX-License-Identifier: Apache-2.0
/*
 * What the shield has to say to a frame, written a second time, for user space and from the rules rather than from the program:
 * octets are read one by one through a cursor that cannot leave the frame, and cookies are the engine's. It has no
 * rates: a cookie is due from everybody, or from nobody.
 */
#ifndef BPF_SHIELD_MODEL_H
#define BPF_SHIELD_MODEL_H

#include "shield_run.h"

struct model {
	const struct cookie_jar *jar;
	struct hf_addr own4, own6;
	bool due; /* a cookie, from everybody */
};

/* model_judge returns the verdict (XDP_*) at `now` and, with XDP_TX, writes the frame that has to be sent. */
int model_judge(const struct model *model, const uint8_t *frame, size_t len, uint64_t now, uint8_t answer[FRAME_MAX],
		size_t *answer_len);

/*
 * model_compare runs the frame through the shield, fails the test unless the model comes to the same verdict and the same octets, and
 * returns the verdict. The shield's rates must let everything through, or nothing.
 */
int model_compare(const struct model *model, const struct shield *shield, const uint8_t *frame, size_t len);

#endif
