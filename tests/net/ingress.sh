#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The gate's other side (DESIGN 5): what may arrive in clear. From a private peer nothing does, whoever sends it and
# whether the pair is absent, held or secure; from a blocked one neither; neighbour discovery and what
# is for the IKE ports do. From peers of the open groups everything does until they are secure. Each is counted.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b .2 c .3 d .4 e .5 f .6      hosts without an agent; a has one:
#       fd09::1                        b private, c private-or-clear, d clear-or-private, e clear, f block
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c d e f
for h in b c d e f; do neighbours a $h; done
for h in b,private c,private-or-clear d,clear-or-private e,clear f,block; do
	configure a "${h#*,}" "$(addr "${h%,*}")/32" "$(addr6 "${h%,*}")/128"
done
serve a --no-echo
agent a --no-esn --delay 3000

# arrives FROM ADDRESS...: datagrams of 10 that a heard from the host, by family; hears out what was sent before.
heard() {
	local from
	from=$($2 "$1")
	kill -USR1 "$(pid_of serve-a)"
	nap 0.1
	grep -o "\"from\":\"$from\",\"received\":[0-9]*" "$WORK/serve-a.log" | tail -1 | sed 's/.*://' || true
}
send() { on "$1" "$HFPROBE" flood "$($2 a)" --count 10 "${@:3}" >/dev/null; }

for f in addr addr6; do
	for h in c d e; do
		send $h $f
		check_eq "$(heard $h $f)" 10 "clear packets heard from $h ($f)"
	done
	for h in b f; do
		send $h $f
		check_eq "$(heard $h $f)" "" "clear packets heard from $h ($f)"
	done
done
check_eq "$(counter a in_drop_clear)" 20 "dropped as clear"
check_eq "$(counter a in_drop_block)" 20 "dropped as blocked"

# ---- a private peer that is being negotiated with, and one that is secure
on a "$HFPROBE" flood "$(addr b)" >/dev/null
on a "$HFPROBE" flood "$(addr6 b)" >/dev/null
send b addr
send b addr6
check_eq "$(counter a in_drop_clear)" 40 "dropped while held"
fixed_peer b "$(addr a)" "$(addr b)"
fixed_peer b "$(addr6 a)" "$(addr6 b)"
wait_for 10 has_secure a 2
send b addr
send b addr6
check_eq "$(heard b addr)$(heard b addr6)" 1010 "sealed packets heard from b"
check_eq "$(counter a in_drop_clear)" 40 "dropped while secure and sealed"
on b ip xfrm policy flush
send b addr
send b addr6
check_eq "$(counter a in_drop_clear)" 60 "dropped while secure and clear"
check_eq "$(heard b addr)$(heard b addr6)" 1010 "still heard from b"

# ---- what passes all the same: neighbour discovery, and whatever is for the IKE ports
exempt=$(counter a in_exempt)
on b ip neigh flush dev eth0
on b "$HFPROBE" flood "$(addr6 a)" --port 500 --count 7 >/dev/null
on b "$HFPROBE" flood "$(addr a)" --port 4500 --count 7 >/dev/null
check $(($(counter a in_exempt) - exempt)) -ge 15 "of neighbour discovery and for the IKE ports passed"
[ -n "$(on b ip -6 neigh show "$(addr6 a)" nud reachable nud stale nud delay)" ] || fail "b does not find its neighbour"
ok "b finds its neighbour"
check_eq "$(counter a in_drop_clear)" 60 "dropped in all"

# ---- as big as the IKE ports may be, they are no way around: from them, to another port
send b addr --sport 500
check_eq "$(counter a in_drop_clear)" 70 "dropped although from an IKE port"
