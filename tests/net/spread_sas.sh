#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# spread = on at both ends, on a kernel that has SAs of single processors (RFC 9611): a pair that is busy gets one for each, what a processor
# sends leaves with its own, and nothing is lost, twice or out of order while they come, nor when an agent dies, whose successor
# keeps them until it has others. With a peer that does not spread there is one SA, as ever.
#
#     a 10.9.0.1, spread ---- [switch lan0, capture] ---- b 10.9.0.2, spread     private to each other
#                                                    ---- c 10.9.0.3
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf smp sa_processor cmd:jq cmd:taskset

lan a b c
neighbours a b
neighbours a c
private_hosts a b c
pin a b
pin a c
pin b a
pin c a
for h in a b; do
	setting $h agent 'shield = on'
	setting $h agent 'spread = on'
done
for h in a b c; do serve $h; done
for h in b c; do bg $h sink-$h "$HFPROBE" serve --port 7017 --no-echo; done
for h in a b c; do product $h; done
grep -q 'a pair that is busy gets an SA for each of 2 processors' "$WORK/agent-a.log" || fail "not said: $(<"$WORK/agent-a.log")"

# pair HOST PEER FILTER: what the host's agent says of the pair.
pair() { on "$1" "$HOLDFAST" peers "$(addr "$2")" --json | jq -r ".peers[0] | $3"; }
spi() { pair "$1" "$2" ".processors[$3].spi_out"; }
has_both() { [ "$(pair "$1" "$2" '[.processors[]?.processor] | join(" ")')" = '0 1' ]; }
# From one processor, in order and complete.
from() { on "$2" taskset -c "$1" "$HFPROBE" udp "$(addr "$3")" --count 200 --interval-ms 2 --wait-ms 30000 --strict >/dev/null; }
# The SPIs that the ESP of a host to another had between two moments.
spis() { # FROM-NS TO-NS HOST PEER
	"$WIREJUDGE" --list "$WORK/wire.pcap" | awk -v from="$1" -v to="$2" -v src="$(addr "$3")" -v dst="$(addr "$4")" \
		'$1 >= from && $1 <= to && $2 == src && $3 == dst && $4 ~ /^esp/ { sub(/spi=0x/, "", $9); print $9 }' | sort -u | paste -sd' '
}
# 360 packets a second from both processors, a third more than makes a pair busy: an emulated machine does not do many times that.
busy() { for cpu in 0 1; do bg a "busy-$1-$cpu" taskset -c $cpu "$HFPROBE" flood "$(addr "$1")" --port 7017 --rate 180 --count "$2"; done; }
calm() { for cpu in 0 1; do stop busy-b-$cpu; done; }

# ---- the pair is busy; the order of a flow that goes on meanwhile stays
on a "$HFPROBE" ping "$(addr b)" --count 3 --wait-ms 30000 --strict >/dev/null
on a "$HFPROBE" ping "$(addr c)" --count 3 --wait-ms 30000 --strict >/dev/null
check_eq "$(pair a b .processors)" null "SAs of single processors while little is sent"
bg a flow taskset -c 0 "$HFPROBE" udp "$(addr b)" --count 100000 --interval-ms 50 --wait-ms 60000 --strict
busy b 10000000
wait_for 120 has_both a b || fail "a: $(pair a b .)"
wait_for 30 has_both b a || fail "b: $(pair b a .)"
enough flow
await flow 90
check_eq "$STOPPED_RC" 0 "a flow that went on: nothing lost, twice or out of order"
calm

# ---- each processor's ESP has an SPI of its own, in both directions
marks=()
capture_start
for flow in '0 a b' '1 a b' '0 b a' '1 b a'; do
	start=$(mono_ns)
	# shellcheck disable=SC2086
	from $flow
	marks[${#marks[@]}]="$start $(mono_ns) ${flow#* }"
done
bg a both-0 taskset -c 0 "$HFPROBE" udp "$(addr b)" --count 500 --interval-ms 1 --wait-ms 30000 --strict
bg a both-1 taskset -c 1 "$HFPROBE" udp "$(addr b)" --count 500 --interval-ms 1 --wait-ms 30000 --strict
for cpu in 0 1; do
	await both-$cpu 60
	check_eq "$STOPPED_RC" 0 "processor $cpu, both at once: nothing lost, twice or out of order"
done
on a taskset -c 1 "$HFPROBE" tcp "$(addr b)" --count 2 --bytes 100000 --strict >/dev/null
capture_stop
for n in 0 1 2 3; do
	read -r start end h peer <<<"${marks[n]}"
	check_eq "$(spis "$start" "$end" "$h" "$peer")" "$(spi "$h" "$peer" $((n % 2)))" "SPI of what processor $((n % 2)) of $h sent"
done
[ "$(spi a b 0)" != "$(spi a b 1)" ] || fail "one SPI for both"
judge --pair "$(addr a)" "$(addr b)" --expect 'clear=0,espdup=0'
on a "$HOLDFAST" explain "$(addr b)" --json | grep -q 'for a processor of its own' || fail "explain: $(on a "$HOLDFAST" explain "$(addr b)")"
on a "$HOLDFAST" peers "$(addr b)" | grep -Eq '^ *processor 1 .*[0-9] packets' || fail "peers: $(on a "$HOLDFAST" peers "$(addr b)")"

# ---- a new agent keeps them until there are others
old=$(spi a b 1)
capture_start
bg a flow taskset -c 1 "$HFPROBE" udp "$(addr b)" --count 100000 --interval-ms 50 --wait-ms 60000 --strict
nap 1
stop agent-a KILL
product a
start=$(mono_ns)
renewed() { has_both a b && [ "$(spi a b 1)" != "$old" ]; }
busy b 10000000
wait_for 120 renewed || fail "a, after it died: $(pair a b .)"
wait_for 30 has_both b a || fail "b: $(pair b a .)"
enough flow
await flow 90
check_eq "$STOPPED_RC" 0 "a flow while an agent died: nothing lost, twice or out of order"
capture_stop
[[ " $(spis "$start" "$(mono_ns)" a b) " == *" $old "* ]] || fail "SPI $old is not seen after a new agent ran"
ok "an earlier agent's SA of a processor goes on"
calm
judge --pair "$(addr a)" "$(addr b)" --expect 'clear=0'
from 0 a b
from 1 a b

# ---- who does not spread has one, as much as is sent to it
busy c 11000
for cpu in 0 1; do
	await busy-c-$cpu 150
	check_eq "$STOPPED_RC" 0 "processor $cpu: sent"
done
check_eq "$(pair a c .processors)" null "SAs of single processors with a peer that does not spread"
check_eq "$(on c ip xfrm state | grep -c "^src $(addr c) dst $(addr a)")" 1 "SAs that c sends with"
