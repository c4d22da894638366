// SPDX-License-Identifier: Apache-2.0
/*
 * Ownership of locals: a variable marked OWN_FD or OWN_FREE is released when its scope ends, on every
 * path. What must outlive the scope leaves through TAKE, so that a reader sees from one function that
 * it does not leak. There is no goto in agent/.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stdlib.h>
#include <unistd.h>

static inline void own_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void own_free_ptr(void *slot)
{
	free(*(void **)slot);
}

#define OWN(release) __attribute__((cleanup(release)))
#define OWN_FD OWN(own_close_fd)
#define OWN_FREE OWN(own_free_ptr)

/* TAKE moves the pointer out of an owning local, which is left NULL. */
#define TAKE(pointer)                                   \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

/* TAKE_FD moves the descriptor out of an owning local, which is left -1. */
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#endif
