#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A new agent takes over from one that ended or died: SAs go on (same ones, no packet lost, none made anew), the maps
# stay those that were pinned, the programs are replaced in place. What was half installed goes and is made
# again; what was held meanwhile arrives; slots that nobody knows of are freed.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     a private, agent; b fixed SAs and policies
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

lan a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
fixed_peer b "$(addr a)" "$(addr b)"
fixed_peer b "$(addr6 a)" "$(addr6 b)"
serve b --no-echo
capture_start
agent a --no-esn

pins=/sys/fs/bpf/holdfast
map_id() { on a bpftool map show pinned "$pins/$1" | sed -n '1s/:.*//p'; }
maps() { for m in hf_gate hf_slot hf_queue hf_hold hf_policy hf_agent; do map_id $m; done | paste -sd' '; }
# Packets an SA has carried: one that was made anew would begin at 0.
carried() { on a ip -s xfrm state get src "$1" dst "$2" proto esp spi "$3" | sed -n 's/.*(bytes), \([0-9]*\)(packets).*/\1/p'; }
spi_of() { "$FIXEDKEY" --print "$(addr b)" "$(addr a)" | sed -n '1s/.* spi \(0x[0-9a-f]*\) .*/\1/p'; }

on a "$HFPROBE" flood "$(addr b)" --count 50 --strict >/dev/null
on a "$HFPROBE" flood "$(addr6 b)" --count 50 --strict >/dev/null
wait_for 5 has_secure a 2
spi=$(spi_of)
before=$(maps)

# ---- ended and started, killed and started: with packets under way
bg a udp4 "$HFPROBE" flood "$(addr b)" --count 1000000 --rate 100
bg a udp6 "$HFPROBE" flood "$(addr6 b)" --count 1000000 --rate 100
for signal in TERM KILL TERM; do
	have=$(carried "$(addr a)" "$(addr b)" "$spi")
	stop agent-a $signal
	nap 0.1
	agent a --no-esn
	wait_for 20 has_secure a 2 || fail "pairs after $signal: $(peers_in a secure) of 2 adopted"
	now=$(carried "$(addr a)" "$(addr b)" "$spi")
	check "$now" -gt "$have" "packets the same SA carried on, after $signal"
done
check_eq "$(maps)" "$before" "maps that were pinned"
check_eq "$(counter a secured_ever)" 0 "pairs that were secured anew"
check_eq "$(counter a held)" "$(counter a released_sealed)" "held and released in all"
ok "held in all: $(counter a held)"
stop udp4
stop udp6

# ---- half installed: an SA pair without its out-policy is no protection; it goes, and what was sent meanwhile waits
stop agent-a KILL
on a ip xfrm policy delete src "$(addr a)" dst "$(addr b)" dir out
on a ip xfrm state delete src "$(addr6 a)" dst "$(addr6 b)" proto esp \
	spi "$("$FIXEDKEY" --print "$(addr6 b)" "$(addr6 a)" | sed -n '1s/.* spi \(0x[0-9a-f]*\) .*/\1/p')"
on a "$HFPROBE" flood "$(addr b)" --count 30 --strict >/dev/null
agent a --no-esn
grep -q 'adopted 0 secured pairs.* removed the pieces of 2' "$WORK/agent-a.log" || fail "pieces were not removed"
on a "$HFPROBE" flood "$(addr6 b)" --count 30 --strict >/dev/null
wait_for 10 is_calm a
check_eq "$(counter a secured_ever)" 2 "pairs that were made again"

# ---- an orphan: a slot taken off its queue by an agent that died before it could free it
stop agent-a KILL
size=$(on a bpftool map show pinned $pins/hf_slot | sed -n 's/.*value \([0-9]*\)B.*/\1/p')
printf -v rest '%*s' $((size - 4)) ''
# shellcheck disable=SC2086
on a bpftool map update pinned $pins/hf_slot key hex 07 00 00 00 value hex 01 00 00 00 ${rest// /00 }
on a bpftool map lookup pinned $pins/hf_slot key 7 0 0 0 | grep '"owner": 1' >/dev/null || fail "no orphan was made"
changed=$(on a bpftool map dump pinned $pins/hf_agent | sed -n 's/.*"drop_changed": \([0-9]*\).*/\1/p')
agent a --no-esn
wait_for 10 is_calm a
check_eq "$(counter a drop_changed)" $((changed + 1)) "orphans dropped"

stop serve-b
total=0 lost=0
while read -r line; do
	[[ $line == *'"from"'* ]] || continue
	total=$((total + $(json "$line" unique)))
	lost=$((lost + $(json "$line" seq_max) + 1 - $(json "$line" unique)))
	check_eq "$(json "$line" duplicates)" 0 "twice, of $(json "$line" unique) from $(json "$line" from)"
done <"$WORK/serve-b.log"
check_eq "$lost" 0 "lost of $total"
check_eq "$(grep -c '"unique":30,' "$WORK/serve-b.log")" 2 "floods of 30 that arrived whole"
capture_stop
judge --expect 'marker=0,clear=0,esp>200,truncated=0'
