#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# `auth` and `probe` of a group. Hosts that know no key of each other, with auth = any and probe = always: the first packets arrive
# sealed, and nobody is believed to be proved. A host that wants proof refuses them. A host whose key is known must prove it, whatever the
# group is content with: where only one knows the other's key there is no SA, whoever begins. When the group wants proof again, SAs without one end.
#
#     a 10.9.0.1, b 10.9.0.2 any and always; c 10.9.0.3 verified; d 10.9.0.4 any, but a knows a key for it;
#     e 10.9.0.5 any, and a knows its key, but e none of a's    [switch lan0]
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c d e
for h in b c d e; do neighbours a $h; done
for h in a b c d e; do
	host_key "$h"
	configure "$h" private-or-clear 10.9.0.0/24 fd09::/64
	[ $h = c ] || setting "$h" private-or-clear $'auth = any\nprobe = always'
done
# Not d's: whoever answers at d's address has another key.
on a sh -c "echo '$(addr d),$(addr6 d) $(public_key c) name=d' >>/etc/holdfast/pins"
pin a e
for h in a b c d e; do product "$h"; done
for h in b c d e; do serve "$h"; done
capture_start

for to in addr addr6; do
	out=$(on a "$HFPROBE" udp "$($to b)" --count 20 --interval-ms 5 --wait-ms 5000) || fail "$out"
	check_eq "$(json "$out" lost)" 0 "lost on the way to $($to b) and back"
done
wait_for 15 has_secure a 2
[[ $(on a "$HOLDFAST" peers "$(addr b)" --json) != *sticky* ]] || fail "b counts as proved"

[[ $(on a "$HOLDFAST" explain "$(addr b)") == *"proves nothing"* ]] || fail "explain: $(on a "$HOLDFAST" explain "$(addr b)")"

# Their SAs would be theirs with a's address: after the attempt's 7.5 s it goes on in clear, as the group says.
reached() { on a "$HFPROBE" udp "$1" --count 1 --wait-ms 500 --strict; }
for h in c d e; do
	wait_for 40 reached "$(addr $h)" || fail "$h is not reached at all"
done
[ -z "$(on a ip xfrm policy | grep -E "$(addr c)|$(addr d)|$(addr e)" || true)" ] || fail "a seals for c, d or e"
on d "$HFPROBE" ping "$(addr a)" --count 1 --wait-ms 12000 >/dev/null
[ -z "$(on a ip xfrm policy | grep "$(addr d)" || true)" ] || fail "a took an SA of d's that proves nothing"
on e "$HFPROBE" ping "$(addr a)" --count 1 --wait-ms 12000 >/dev/null
[ -z "$(on a ip xfrm policy | grep "$(addr e)" || true)" ] || fail "a took an SA of e's that proves nothing"
ok "who wants proof, or knows a key, makes no SA without"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0,esp>=40' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }

# ---- proof is wanted again
on a sed -i 's/^auth = any/auth = verified/' /etc/holdfast/holdfast.conf
kill -HUP "$(pid_of agent-a)"
wait_for 15 has_secure a 0 || fail "SAs without proof stay"
[ -z "$(on a ip xfrm policy | grep "$(addr b)" || true)" ] || fail "policies of theirs stay"
ok "proof is wanted again: none are left"
