// SPDX-License-Identifier: Apache-2.0
/*
 * Asking a running agent through its control socket, and reading its answers.
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

/*
 * client_ask_all asks on until all of a long list has come: *answer is the first one with the whole of `list` in it. Takes over the
 * request.
 */
int client_ask_all(const struct cli *cli, json_t **answer, json_t *request, const char *list, struct err *err);

/* client_request is {"command": name}. */
json_t *client_request(const char *name);

/* client_request_for is {"command": name, "address": address}. */
json_t *client_request_for(const char *name, const char *address);

/* client_text and client_number read a field of an answer; "" and 0 when it is not there. */
const char *client_text(const json_t *json, const char *field);
long long client_number(const json_t *json, const char *field);

#endif
