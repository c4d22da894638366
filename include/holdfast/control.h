// SPDX-License-Identifier: Apache-2.0
/*
 * What the daemon and the command line agree on: the operator's socket. A request is one JSON object on a line,
 * {"command": NAME, ...}; the answer is one JSON object on a line. An answer that failed is {"error": TEXT}.
 * Several requests may follow each other on one connection and are answered in order.
 *
 * Fields are only ever added, so scripts that read `--json` keep working. Times are seconds; names of counters are
 * those of struct hf_count and struct hf_agent in holdfast/abi.h.
 */
#ifndef HOLDFAST_CONTROL_H
#define HOLDFAST_CONTROL_H

#define CONTROL_SOCKET "/run/holdfast/control.sock"

#define CONTROL_COMMAND "command"
#define CONTROL_ERROR "error"

/* {"command": "ping"}: who is there. Answer: pid, version. */
#define CONTROL_PING "ping"
#define CONTROL_PID "pid"
#define CONTROL_VERSION "version"

/* {"command": "status"}: the object that agent/control/status.h describes. */
#define CONTROL_STATUS "status"

/*
 * {"command": "policy-test", "address": TEXT}: which group an address belongs to and what the gate says about its pairs.
 * Answer: address, group; file and line when a prefix decides, with that prefix; pairs: array of local, verdict, group, until.
 */
#define CONTROL_POLICY_TEST "policy-test"
#define CONTROL_ADDRESS "address"
#define CONTROL_GROUP "group"
#define CONTROL_PREFIX "prefix"
#define CONTROL_FILE "file"
#define CONTROL_LINE "line"
#define CONTROL_PAIRS "pairs"

/*
 * {"command": "policy-list"}: every prefix that a policy file has, the longest first, so that the first one that covers an address
 * decides about it; with "after" those behind that place. Answer: default; groups: how many prefixes each has; prefixes: array of prefix,
 * group, file, line; next: the place to ask on with, null when these were the last; total.
 */
#define CONTROL_POLICY_LIST "policy-list"
#define CONTROL_DEFAULT "default"
#define CONTROL_GROUPS "groups"
#define CONTROL_PREFIXES "prefixes"

/*
 * {"command": "peers"}, with "address" only those of that remote address, with "after" those behind that reqid. Answer: peers: array of
 * local, remote, state, since, failures, failure, verdict, ..., sent and received (packets, bytes) where SAs stand; next: the reqid to
 * ask on with, null when these were the last; total.
 */
#define CONTROL_PEERS "peers"
#define CONTROL_AFTER "after"
#define CONTROL_NEXT "next"

/*
 * {"command": "explain", "address": TEXT}: the answer to policy-test and with it would: array of sentences about a packet that is
 * sent now; discovery: what is known of its key; and for each pair what `peers` says, and events: array of time, event, text, times, last.
 */
#define CONTROL_EXPLAIN "explain"
#define CONTROL_WOULD "would"
#define CONTROL_DISCOVERY "discovery"
#define CONTROL_EVENTS "events"

/*
 * {"command": "events", "after": NUMBER}: the steps of all pairs behind that number; without "after" none, which is where to begin. Answer:
 * last: to ask on with; lost: how many are no longer there; events: array of number, time, local, remote, event, text.
 */
#define CONTROL_LAST "last"
#define CONTROL_LOST "lost"

/*
 * {"command": "connect", "address": TEXT}: begins what a first packet would begin. Answer: local, remote, state, group. It comes back at
 * once; `peers` tells what becomes of it.
 */
#define CONTROL_CONNECT "connect"

/* {"command": "forget", "address": TEXT}: its pairs end, its failures and that it was secure once are forgotten. Answer: address. */
#define CONTROL_FORGET "forget"

#endif
