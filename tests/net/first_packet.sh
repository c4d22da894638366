#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
#
# The first packets to an unknown peer are held, then leave sealed: none lost, none twice, in order, none in
# clear. ICMP, UDP (1 and 20 at once), TCP; IPv4 and IPv6; the SA is there after 0, 50 and 2000 ms.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

private_pair 50
capture_start
on a "$HFPROBE" udp "$(addr b)" --count 20 --strict
on a "$HFPROBE" tcp "$(addr6 b)" --count 3 --bytes 3000 --strict
capture_stop
judge --expect 'marker=0,clear=0,esp>10,espdup=0,truncated=0'
