#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
#
# First packets to an unknown peer whose SA takes 50 ms: they wait, then leave sealed; none lost, none twice, in order,
# none in clear. ICMP, UDP (1 and 20 at once), TCP; IPv4 and IPv6; then senders that go on while the SA comes.
#
#     a 10.9.1.1-16 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09:0:0:1::1-10                                fd09::2
. "$(dirname "$0")/first_packet.inc"

strangers 50
matrix 50
passing 4 1
accounts
on_the_wire
