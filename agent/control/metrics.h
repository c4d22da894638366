// SPDX-License-Identifier: Apache-2.0
/*
 * The status (status.h) as Prometheus reads it: text format 0.0.4, names by its conventions. One table says which number has
 * which name; a unit test holds that no number of the status is left out.
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include <jansson.h>

struct evbuffer;

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* metrics_write appends the metrics of a status. What the status does not say is left out. -ENOMEM. */
int metrics_write(struct evbuffer *out, const json_t *status);

#endif
