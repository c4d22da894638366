// SPDX-License-Identifier: Apache-2.0
/*
 * Keys in the form that Wireshark reads, for somebody who must see what his own hosts say to each other. Lines go to
 * ike_host.keylog and nowhere else; without it, the rule, nothing is formatted. Fields and names of algorithms are
 * those of Wireshark 4.0.
 */
#ifndef IKE_KEYLOG_H
#define IKE_KEYLOG_H

#include "ike/ike.h"
#include "ike/keymat.h"

/*
 * keylog_ike gives one line of ikev2_decryption_table: the keys of one generation of an IKE SA. A cipher that Wireshark
 * does not know (ChaCha20-Poly1305) becomes a comment, as an unknown name would keep it from reading the whole file.
 */
void keylog_ike(const struct ike_host *host, const uint8_t spi_i[8], const uint8_t spi_r[8],
		const struct keymat *keymat);

/* keylog_child gives two lines of esp_sa, outbound and inbound. ChaCha20-Poly1305 as above. */
void keylog_child(const struct ike_host *host, const struct ike_path *path, const struct child *child);

#endif
