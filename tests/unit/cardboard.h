// SPDX-License-Identifier: Apache-2.0
/*
 * An agent of cardboard: a child process that answers at a control socket from a fixed struct, for tests of the commands. It attaches
 * nothing anywhere.
 */
#ifndef TESTS_CARDBOARD_H
#define TESTS_CARDBOARD_H

#include <sys/types.h>

/*
 * cardboard_start listens at `path` when it returns. It knows status (pid 4242, version of this build, 17 pairs that are secure, a problem with control
 * characters in it, sealed packets that grow by 1000 with each question), events (three, all of them news every time the client
 * starts from 0) and peers; anything else is refused with "not today".
 */
pid_t cardboard_start(const char *path);
void cardboard_stop(pid_t child);

#endif
