#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# First packets to an unknown peer whose SA is there at once: none lost, none twice, in order, none in clear. ICMP, UDP
# (1 and 20 at once), TCP; IPv4 and IPv6; then senders that do not wait, so that packets which meet the new policy
# by themselves must not overtake those that are being let go.
#
#     a 10.9.1.1-16 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09:0:0:1::1-10                                fd09::2
. "$(dirname "$0")/first_packet.inc"

strangers 0
matrix 0
passing 4 0
passing 4 0.1
accounts
on_the_wire
