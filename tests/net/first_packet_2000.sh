#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# First packets to an unknown peer whose SA takes 2 s, as long as a slow directory and a lost message: they wait, then
# leave sealed; none lost, none twice, in order, none in clear. ICMP, UDP (1 and 20 at once), TCP (which has sent
# its SYN again by then); IPv4 and IPv6; and a sender that goes on while the SA comes.
#
#     a 10.9.1.1-16 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09:0:0:1::1-10                                fd09::2
. "$(dirname "$0")/first_packet.inc"

strangers 2000
matrix 2000
passing 1 25
accounts
on_the_wire
