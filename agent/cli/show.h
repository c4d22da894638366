// SPDX-License-Identifier: Apache-2.0
/*
 * Words for the states of pairs, the same wherever they are shown.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <jansson.h>

#include "cli/print.h"

#define SHOW_LIST_MAX 2048

/* show_states lists how many pairs are in each state, as "17 secure, 2 negotiating"; "" = there are none. */
void show_states(char out[SHOW_LIST_MAX], const json_t *peers);

/* show_state_colour is a state's. */
enum print_colour show_state_colour(const char *state);

#endif
