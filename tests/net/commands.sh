#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 170
#
# The operator's commands against living agents: peers, explain, watch and connect tell the truth about a secured peer, about a
# host that speaks no IKE, and about one whose key is not the pinned one; the tables fit 80 columns.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2, c 10.9.0.3 (no IKE), d 10.9.0.4 (another key than is pinned)
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

# told WHAT PATTERN COMMAND...: the output of a command on a has a line like that, and no line is too wide.
told() {
	local what=$1 pattern=$2 out rc=0
	shift 2
	out=$(on a "$HOLDFAST" "$@" 2>&1) || rc=$?
	grep -E -- "$pattern" <<<"$out" >/dev/null || fail "$what: '$pattern' is not in: $out"
	# Errors are one line each, however long.
	! grep -v '^holdfast: ' <<<"$out" | grep -E '.{81}' || fail "$what: too wide: $out"
	ok "$what"
	return "$rc"
}

lan a b c d
for h in b c d; do neighbours a "$h"; done
private_hosts a b d
pin a b
pin b a
pin d a
on a sh -c "echo '$(addr d),$(addr6 d) $(public_key b)' >>/etc/holdfast/pins"
for h in a b d; do product "$h"; done
serve b

told "nobody yet" 'No peers' peers
told "before anything" 'Nothing has happened' explain "$(addr b)"
told "what would happen" 'its key is known: IKE starts' explain "$(addr b)"
told "where the key is from" 'pinned on /etc/holdfast/pins:1' explain "$(addr b)"
told "a host nobody knows" 'no key of it can be used: they are dropped' explain "$(addr c)"
told "an own address" 'an address of this host' explain "$(addr a)"
told "an address in no file" 'in clear, and its IKE is refused' explain 192.0.2.1
told "who is private" "^private +10.9.0.0/24 +private:[0-9]+$" policy list
told "who says so" "asked +the running agent" policy list

# ---- connect, with watch beside it

bg a watch "$HOLDFAST" watch --json
told "connect" "^$(addr b) is secure" connect "$(addr b)"
told "a step of it" 'proved: ' connect "$(addr6 b)"
wait_for 10 grep -q "$(addr6 b).*\"secure\"" "$WORK/watch.log"
stop watch
check "$(grep -c . "$WORK/watch.log")" -ge 6 "steps that watch told"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --strict) || fail "udp: $out"
told "the table" "^$(addr b) +secure .*pin, b" peers
told "both of them" "^$(addr6 b) +secure" peers
told "how it was proved" 'proved +by pin, as b, key SHA-256 [0-9a-f]{16}' peers "$(addr b)"
told "what was sent" 'out +SA [0-9a-f]{8}, AES-GCM-256, [1-9][0-9]* packets' peers "$(addr b)"
told "its steps" 'agreed: SAs in [0-9a-f]{8}' explain "$(addr b)"
told "keys" 'keys known +2 pinned|keys known +[0-9]+ pinned' status
told "who this host is" 'this host +ed25519:' status
told "how many" 'ike +[0-9]+ established' status
out=$(on a "$HOLDFAST" peers --json)
check_eq "$(json "${out//[[:space:]]/}" total)" 2 "pairs in --json"

# ---- those who cannot be reached securely

told "no key" "^  reason +no source could tell" connect "$(addr c)" && fail "connect to c succeeded"
told "why not" 'unknown: no source knows this address' explain "$(addr c)"
told "and what came of it" 'denied: nothing passes for [0-9]+ s' explain "$(addr c)"
told "a clear address" 'belongs to group clear' connect 192.0.2.1 && fail "connect to a clear address succeeded"
out=$(on a "$HFPROBE" udp "$(addr d)" --count 1 --wait-ms 1500) || true
told "another key" 'key: pinned on /etc/holdfast/pins:2' explain "$(addr d)"
# ---- forget

told "forget" "^$(addr b) is forgotten" forget "$(addr b)"
told "it is gone" "^$(addr b) is no peer now" peers "$(addr b)"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 1 --strict) || fail "after forget: $out"
told "it came back" "^$(addr b) +secure" peers
told "nobody to forget" 'nothing is known of' forget 192.0.2.7 && fail "forget of a stranger succeeded"

for h in b c d; do on a "$HOLDFAST" explain "$(addr $h)"; done
on a "$HOLDFAST" peers
on a "$HOLDFAST" status
