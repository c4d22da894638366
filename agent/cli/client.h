// SPDX-License-Identifier: Apache-2.0
/*
 * Asking a running agent through its control socket.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/err.h"
#include "cli/cli.h"

/*
 * client_ask sends one request (which it takes over) and sets *answer, owned by the caller. -ENOENT or -ECONNREFUSED when
 * no agent answers, -EACCES when we may not ask, -EPROTO when the answer is an error or makes no sense.
 */
int client_ask(const struct cli *cli, json_t **answer, json_t *request, struct err *err);

/* client_request is {"command": name}. */
json_t *client_request(const char *name);

#endif
