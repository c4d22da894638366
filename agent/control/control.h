// SPDX-License-Identifier: Apache-2.0
/*
 * The operator's socket: one JSON object per line in, one per line out (include/holdfast/control.h names the
 * commands and fields). The server knows bytes and JSON; what the answers say comes from a handler above.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <jansson.h>

#include "base/err.h"

struct control;
struct event_base;

/*
 * A handler answers one request: `request` is borrowed, the returned object is owned by the caller. NULL means out
 * of memory. An error is an answer too: {"error": "text"}.
 */
typedef json_t *control_handler(void *arg, const json_t *request);

/*
 * control_open listens on the Unix socket `path` (mode 0660, directory made when missing) on the caller's event loop.
 * -EADDRINUSE with the pid in err when a living agent answers there; a dead agent's socket is replaced.
 */
int control_open(struct control **out, struct event_base *base, const char *path, control_handler *handler, void *arg,
		 struct err *err);
void control_close(struct control *control);

#endif
