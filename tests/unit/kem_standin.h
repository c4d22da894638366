// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for ML-KEM-768, for libraries without it: number 36, its lengths, its asymmetry (a key one way, a ciphertext the other), and underneath Curve25519 with padding. A wrong
 * "ciphertext" gives another secret, as ML-KEM's implicit rejection does. It protects nothing.
 */
#ifndef UNIT_KEM_STANDIN_H
#define UNIT_KEM_STANDIN_H

#include "crypto/crypto.h"

extern const struct kex kem_standin; /* for kex_stand_in(&kem_standin) */

#endif
