// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast watch` on a terminal: one screen, drawn anew as things change.
 */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include "base/addr.h"
#include "base/err.h"
#include "cli/cli.h"

/*
 * view_run draws until q is pressed or a signal ends it, and leaves the terminal as it was. `only` may be NULL: all pairs. Fails only
 * when there is no agent at the beginning; later it waits for another one.
 */
int view_run(const struct cli *cli, const struct hf_addr *only, struct err *err);

#endif
