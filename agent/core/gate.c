// SPDX-License-Identifier: Apache-2.0
/*
 * The gate matrix, see gate.h. Rows are states, columns groups; a sticky peer reads the private column.
 */
#include "core/gate.h"

#define ROW(clear, clear_or_private, private_or_clear, private_, block)                                      \
	{                                                                                                    \
		[HF_GROUP_CLEAR] = GATE_##clear, [HF_GROUP_CLEAR_OR_PRIVATE] = GATE_##clear_or_private,      \
		[HF_GROUP_PRIVATE_OR_CLEAR] = GATE_##private_or_clear, [HF_GROUP_PRIVATE] = GATE_##private_, \
		[HF_GROUP_BLOCK] = GATE_##block                                                              \
	}

/* clang-format off */
static const enum gate_show show[PEER_STATES][HF_GROUP_COUNT] = {
	/*                      clear  clear-or-private  private-or-clear  private  block */
	[PEER_IDLE]      = ROW(NONE,  NONE,             NONE,             NONE,    NONE),
	[PEER_LOOKUP]    = ROW(NONE,  NONE,             HOLD,             HOLD,    NONE),
	[PEER_NEGOTIATE] = ROW(NONE,  NONE,             HOLD,             HOLD,    NONE),
	[PEER_INSTALL]   = ROW(NONE,  HOLD,             HOLD,             HOLD,    NONE),
	[PEER_HANDOFF]   = ROW(NONE,  HOLD,             HOLD,             HOLD,    NONE),
	[PEER_SECURE]    = ROW(NONE,  SECURE,           SECURE,           SECURE,  NONE),
	[PEER_CLEAR]     = ROW(NONE,  NONE,             CLEAR,            BLOCK,   NONE),
	[PEER_DENIED]    = ROW(NONE,  NONE,             BLOCK,            BLOCK,   NONE),
};
/* clang-format on */

bool group_is_raised(enum hf_group group)
{
	return group == HF_GROUP_CLEAR_OR_PRIVATE || group == HF_GROUP_PRIVATE_OR_CLEAR;
}

static enum hf_group effective(enum hf_group group, bool sticky)
{
	return sticky && group_is_raised(group) ? HF_GROUP_PRIVATE : group;
}

enum gate_show gate_show(enum peer_state state, enum hf_group group, bool sticky)
{
	/* A sticky pair never falls back to its prefix's group, not even between two attempts. */
	if (state == PEER_IDLE && effective(group, sticky) != group)
		return GATE_HOLD;
	return show[state][effective(group, sticky)];
}

enum peer_state failure_state(enum hf_group group, bool sticky)
{
	return effective(group, sticky) == HF_GROUP_PRIVATE ? PEER_DENIED : PEER_CLEAR;
}

bool group_wants_sas(enum hf_group group)
{
	return group == HF_GROUP_PRIVATE_OR_CLEAR || group == HF_GROUP_PRIVATE;
}

bool group_answers(enum hf_group group)
{
	return group_wants_sas(group) || group == HF_GROUP_CLEAR_OR_PRIVATE;
}

const char *peer_state_name(enum peer_state state)
{
	static const char *const names[PEER_STATES] = {
		[PEER_IDLE] = "idle",	    [PEER_LOOKUP] = "lookup",	[PEER_NEGOTIATE] = "negotiate",
		[PEER_INSTALL] = "install", [PEER_HANDOFF] = "handoff", [PEER_SECURE] = "secure",
		[PEER_CLEAR] = "clear",	    [PEER_DENIED] = "denied",
	};

	return (unsigned int)state < PEER_STATES ? names[state] : "?";
}
