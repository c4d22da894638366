// SPDX-License-Identifier: Apache-2.0
/*
 * Long work beside the event loop: one thread, made for one job and gone with it. A job touches nothing but its own memory and calls
 * nothing that keeps a context of its own: of the crypto room only blake2b_of, ed25519_verify, spki_check and hash_sha256_apart.
 */
#ifndef DISCOVER_ASIDE_H
#define DISCOVER_ASIDE_H

#include <stdbool.h>

#include "base/err.h"

struct event_base;
struct aside;

/* `work` runs in the thread; `done` afterwards in the loop, with the same job. */
int aside_open(struct aside **out, struct event_base *base, void (*work)(void *job), void (*done)(void *arg, void *job),
	       void *arg, struct err *err);

/* aside_close waits for the job under way, and calls `done` for it. */
void aside_close(struct aside *aside);

bool aside_is_busy(const struct aside *aside);

/* aside_start begins a job; not while it is busy. Where there is no thread to be had, it is done before this returns. */
void aside_start(struct aside *aside, void *job);

#endif
