#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# A stolen key that is withdrawn from the directory stops working within one refresh, on SAs that stand, on attempts, and after a
# restart of the agent; pairs whose key is listed still keep their SAs and lose nothing. A host that uses another's key at its own
# address gets nothing.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, c 10.9.0.3 (its key is stolen), d 10.9.0.4 (has b's key)
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:minisign

lan a b c d
for h in b c d; do neighbours a "$h"; done
signer fleet
for h in a b c d; do
	host_key "$h"
	configure "$h" private 10.9.0.0/24 fd09::/64
	uses_fleet "$h"
done
d_line=$(line d) # what its key was before the theft
write_fleet "$(line a)" "$(line b)" "$(line c)" "$d_line"
# b's key in another's hands, at an address that has a key of its own.
on b cat /etc/holdfast/key.pem >"$WORK/stolen.pem"
on d sh -c "cat >/etc/holdfast/key.pem" <"$WORK/stolen.pem"
sign_fleet
bring a b c d
capture_start
for h in a b c d; do product "$h"; done
for h in a b c d; do serve "$h" --no-echo; done

answered() { # FROM TO: datagrams that were answered
	json "$(on "$1" "$HFPROBE" ping "$(addr "$2")" --count 2 --wait-ms "${3:-1500}" || true)" received
}

check_eq "$(answered a b 8000)" 2 "answers of b"
check_eq "$(answered c a 8000)" 2 "answers of a to c, whose key is good"
check_eq "$(answered d a)" 0 "answers of a to d, which has b's key"
check_eq "$(answered a d)" 0 "answers of d"
check_eq "$(peers_in d secure)" 0 "pairs that b's key secured for d"
wait_for 15 has_secure a 2
b_spis=$(spis_to a b)
check_eq "$(wc -w <<<"$b_spis")" 2 "SAs of a and b"

# ---- withdrawn, while packets flow with both: the thief has the old directory

bg a to-b "$HFPROBE" flood "$(addr b)" --count 10000000 --rate 200
bg c to-a "$HFPROBE" flood "$(addr a)" --count 10000000 --rate 200
nap 0.5
write_fleet "$(line a)" "$(line b)" "$d_line"
sign_fleet
bring a b
wait_for 10 serial_is a "$SERIAL"
wait_for 5 has_secure a 1
check_eq "$(spis_to a c)" "" "SAs with c"
nap 1
check_eq "$(spis_to a b)" "$b_spis" "SAs of a and b after"
check_eq "$(json "$(status_of a)" withdrawn_ever)" 1 "pairs ended for it"
stop to-b
# A server of its own for half a second: c still sends, and its IKE is none of what is counted.
stop serve-a
rm "$WORK/serve-a.log"
serve a --no-echo
nap 0.5
stop serve-a
check_eq "$(grep -c '"from":"10.9.0.3"' "$WORK/serve-a.log" || true)" 0 "datagrams of c that reached a"
serve a --no-echo
check_eq "$(answered c a)" 0 "answers to c"
check_eq "$(answered a c)" 0 "answers of c"
stop to-a
out=$(on a "$HOLDFAST" explain "$(addr c)")
grep -E 'withdrawn: the key it proved is over: no source' <<<"$out" >/dev/null || fail "explain: $out"
ok "explain says why"

# ---- a new key for c: negotiated anew when traffic comes

on c sh -c 'openssl genpkey -algorithm ed25519 -out /etc/holdfast/key.pem'
stop agent-c
write_fleet "$(line a)" "$(line b)" "$(line c)" "$d_line"
sign_fleet
bring a b c
wait_for 10 serial_is a "$SERIAL"
product c
check_eq "$(answered c a 8000)" 2 "answers to c with its new key"
check_eq "$(spis_to a b)" "$b_spis" "SAs of a and b after that"

# ---- withdrawn while a's agent is away: what it left in the kernel is ended by the next one

wait_for 15 has_secure a 2
stop agent-a KILL
write_fleet "$(line a)" "$(line b)" "$d_line"
sign_fleet
bring a
product a
wait_for 20 has_secure a 1
check_eq "$(spis_to a c)" "" "SAs with c that an earlier agent made"
check_eq "$(answered c a)" 0 "answers to c"
check_eq "$(answered a b 8000)" 2 "answers of b"
capture_stop
judge --expect 'marker=0,truncated=0,esp>50'
