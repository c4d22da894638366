// SPDX-License-Identifier: Apache-2.0
/*
 * What core.c keeps, and what the files about peers share: peer.c (facts), handoff.c, brood.c (Child SAs), vigil.c (time), order.c
 * (actions).
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include "base/table.h"
#include "core/core.h"
#include "core/peer.h"

/* One event leads to 5 actions and one for each Child SA at most, one expiry too; core_expire does 64 peers. */
#define CORE_EXPIRE_MAX 64
#define CORE_ACTIONS_MAX 1024

struct core {
	struct pool peers;
	struct table by_pair;
	struct timers timers;
	const struct policy *policy;
	struct policy_way ways[HF_GROUP_COUNT]; /* the policy's, as they were when it was set */
	uint32_t reqid_base;
	uint32_t hand; /* where the next search for a peer that may go begins */
	struct action actions[CORE_ACTIONS_MAX];
	uint32_t action_first, action_count;
	uint64_t refresh_ns; /* when the last adopted peer's SAs are to get a successor */
	uint64_t asked_ns;   /* and the last one's that was brought forward */
	struct core_counts counts;
};

/* core_emit queues an order for the peer; type-specific fields are filled by the caller before or after. */
struct action *core_emit(struct core *core, const struct peer *peer, enum action_type type);

/* core_timer sets the peer's timer; NSTIME_NEVER = none. */
void core_timer(struct core *core, struct peer *peer, uint64_t when);

/* core_forget returns the peer to the pool. */
void core_forget(struct core *core, struct peer *peer);

/* ---- peer.c ---- */

/* peer_is_closed: nothing may pass in clear, by group or because it is sticky. */
bool peer_is_closed(const struct peer *peer);

void peer_enter(struct peer *peer, enum peer_state state, uint64_t now);

/* peer_fail remembers that the peer cannot be reached securely, and why; what waits goes as its group says. */
void peer_fail(struct core *core, struct peer *peer, enum failure failure, uint64_t now);

/* peer_stick: proved is sticky from now on. */
void peer_stick(struct core *core, struct peer *peer);

/* peer_close_idle gives the SAs of a pair back that nobody uses; the peer is told. */
void peer_close_idle(struct core *core, struct peer *peer, uint64_t now);

/* ---- handoff.c ---- */

/*
 * ESP queues behind held packets for this long at most: several times what the drains above take, on an emulated machine
 * too. An agent that dies in a handoff delays its pair no longer.
 */
#define HANDOFF_NS (200 * NSTIME_MS)

void handoff_start(struct core *core, struct peer *peer, uint64_t now);
void handoff_drained(struct core *core, struct peer *peer, bool empty, bool none, uint64_t now);
void handoff_policy_set(struct core *core, struct peer *peer, int error, uint64_t now);

/* ---- brood.c: a pair's Child SAs ---- */

struct peer_child *brood_find(struct peer *peer, uint32_t spi_in_be);
void brood_remove(struct core *core, struct peer *peer, struct peer_child *child);
void brood_clear(struct core *core, struct peer *peer);

/* What their maker says of one: its outbound SA is to be used, is at other ports, is to go. */
void brood_use(struct core *core, struct peer *peer, const struct child *child);
void brood_move(struct core *core, struct peer *peer, const struct child *child);
void brood_quiet(struct core *core, struct peer *peer, uint32_t spi_in_be);

/* brood_adopt adds what an earlier agent left in the kernel. */
void brood_adopt(struct peer *peer, const struct core_event *event);
bool brood_has_adopted(const struct peer *peer);
void peer_drop_adopted(struct core *core, struct peer *peer);

/* peer_is_orphaned: packets leave with an SA that an earlier agent made, so that nobody here can rekey or probe it. */
bool peer_is_orphaned(const struct peer *peer);

/* ---- vigil.c: a secured peer's time ---- */

void vigil_start(struct core *core, struct peer *peer, uint64_t now);

/* vigil_adopted spreads the successors of an earlier agent's SAs over time. */
void vigil_adopted(struct core *core, struct peer *peer, uint64_t now);

/* vigil_asked brings an adopted pair's successor forward: its peer gets no answer until it is there, and gives up some time. */
void vigil_asked(struct core *core, struct peer *peer, uint64_t now);

/* vigil_seals looks soon, and then less and less often, whether the peer seals (INSTALL and SECURE). */
void vigil_seals(struct core *core, struct peer *peer, uint64_t now);

/* vigil_sealed: it does. */
void vigil_sealed(struct core *core, struct peer *peer);

/* vigil_replaced: adopted SAs have a successor. */
void vigil_replaced(struct core *core, struct peer *peer, uint64_t now);

/* vigil_changed: other SAs stand now; counters begin anew. */
void vigil_changed(struct peer *peer);

void vigil_on_life(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now);

/* vigil_is_idle: nothing has passed for so long that the SAs are not worth a successor. */
bool vigil_is_idle(const struct peer *peer, uint64_t now);

void vigil_expire(struct core *core, struct peer *peer, uint64_t now);

/* ---- order.c: actions as a peer's state has them ---- */

void order_gate(struct core *core, struct peer *peer, enum gate_show shown, uint64_t handoff_until);

/* order_gate_shown follows the state; what would be the group's own answer needs no entry. */
void order_gate_shown(struct core *core, struct peer *peer);

/* order_gate_again is the same state in another light: a handoff under way keeps its end. */
void order_gate_again(struct core *core, struct peer *peer, uint64_t now);

void order_drain(struct core *core, const struct peer *peer, enum drain_how how, bool close);
void order_drain_failed(struct core *core, const struct peer *peer);
void order_drain_by_group(struct core *core, const struct peer *peer);
struct action *order_policy(struct core *core, struct peer *peer, bool in);
void order_in_policy(struct core *core, struct peer *peer);
void order_policies_gone(struct core *core, const struct peer *peer);
void order_sa(struct core *core, const struct peer *peer, const struct child *child, bool in, bool out);
void order_sa_gone(struct core *core, const struct peer *peer, const struct peer_child *child, bool in, bool out);
void order_sa_move(struct core *core, const struct peer *peer, const struct peer_child *known,
		   const struct child *child);
void order_check_seals(struct core *core, const struct peer *peer);
void order_check_life(struct core *core, const struct peer *peer);

#endif
