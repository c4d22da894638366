#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# SAs in tunnel mode, for peers that refuse transport mode: first packets are held and arrive, and what was decrypted, which
# passes the device a second time, is recognised and not taken for clear. Fragments need no joining here.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other, SAs after 50 ms
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/24 fd09::/64
serve b
agent b --tunnel --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a --tunnel --delay 50
capture_start
for f in addr addr6; do
	on a "$HFPROBE" udp "$($f b)" --count 20 --strict >/dev/null
	on a "$HFPROBE" ping "$($f b)" --count 5 --strict >/dev/null
	on a "$HFPROBE" tcp "$($f b)" --count 5 --bytes 20000 --strict >/dev/null
	on a "$HFPROBE" udp "$($f b)" --count 3 --size 4000 --no-df --strict >/dev/null
	ok "$f: held and later packets arrive"
done
for h in a b; do
	[[ $(on $h ip xfrm state) == *'mode tunnel'* ]] || fail "$h: no tunnel"
	check "$(counter $h in_decrypted)" -gt 20 "$h: decrypted packets seen a second time"
	check_eq "$(counter $h in_drop_clear)" 0 "$h: dropped as clear"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>40,espdup=0'

# A clear packet is no decrypted one: b's, once somebody took its agent and its policies away.
stop agent-b
on b "$HOLDFAST" unload >/dev/null
on b ip xfrm policy flush
on b "$HFPROBE" flood "$(addr a)" --count 5 >/dev/null
on b "$HFPROBE" flood "$(addr6 a)" --count 5 >/dev/null
check_eq "$(counter a in_drop_clear)" 10 "clear packets of the same peer dropped"
