#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# Whoever can write where a host reads its directory, but has not the signing key, gets nothing: each text is refused with its
# reason, the directory in force stays, and the SAs that stand are the same. directory_https.sh does it by https.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2, w 10.9.0.3 (the thief)
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:minisign cmd:openssl

lan a b w
for h in a b; do neighbours w "$h"; done
neighbours a b
signer fleet
signer thief
for h in a b; do
	host_key "$h"
	configure "$h" private 10.9.0.1/32 10.9.0.2/32
	uses_fleet "$h"
done
host_key w
write_fleet "$(line a)" "$(line b)" # what is rolled back to later
sign_fleet
cp "$WORK/fleet" "$WORK/old"
cp "$WORK/fleet.minisig" "$WORK/old.minisig"
write_fleet "$(line a)" "$(line b)"
sign_fleet
bring a b
for h in a b; do product "$h"; done
out=$(on a "$HFPROBE" ping "$(addr b)" --count 2 --strict) || fail "ping: $out"
wait_for 15 has_secure a 1
good=$SERIAL
sas=$(spis_to a b)

# To each: a line that gives the thief's key, w's, to b's address.
write_fleet "$(line a)" "$(line b w)"
sign_fleet thief
bring a
refused "the wrong signer" 'signed with key [0-9A-F]*, which is not trusted here'
cp "$WORK/old.minisig" "$WORK/fleet.minisig"
bring a
refused "a signature of another text" 'the signature is wrong'
cp "$WORK/old" "$WORK/fleet"
bring a
refused "an old directory with its own signature" 'is lower than 2, which key [0-9A-F]* signed before'
DAYS_AGO=8 write_fleet "$(line a)" "$(line b w)"
sign_fleet
bring a
refused "one that has expired" 'it expired at'
DAYS_AGO=-1 write_fleet "$(line a)" "$(line b w)"
sign_fleet
bring a
refused "one from the future" 'issued in the future'
sed -i 's/^id .*/id other.example/; s/^issued.*/issued '"$(date -u -d '-1 hour' +%FT%TZ)"'/' "$WORK/fleet"
sign_fleet
bring a
refused "another directory of the same signer" 'this is directory other.example'
write_fleet "$(line a)" "$(line b)" 'x'
sign_fleet
bring a
refused "a signed text with a mistake" 'fleet:[0-9]+: '
write_fleet "$(line a)" "$(line b)"
sign_fleet
size=$(stat -c %s "$WORK/fleet")
on a sh -c 'cp "$1/fleet.minisig" /etc/holdfast/ && head -c "$2" "$1/fleet" >/etc/holdfast/fleet' sh "$WORK" $((size - 20))
refused "a half-written one" 'the signature is wrong'
head -c $((8 * 1048576 + 1)) /dev/zero | tr '\0' '#' >"$WORK/fleet"
sign_fleet
bring a
refused "more than 8 MB" 'is larger than 8388608 octets'
on a rm /etc/holdfast/fleet
refused "none at all" 'cannot be read'
write_fleet "$(line a)" "$(line b)"
sign_fleet
bring a
wait_for 20 serial_is a "$SERIAL"
ok "a good one is taken after all of them"
good=$SERIAL
check_eq "$(spis_to a b)" "$sas" "SAs after all of them"
