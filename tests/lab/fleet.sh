# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The fleet that `make demo` shows and `make lab-shell` opens. Sourced after lab/lib.sh and net/agent.sh.
#
#     a 10.9.0.1, 10.9.1.1 ---- [switch lan0] -+- b 10.9.0.2, fd09::2
#       fd09::1, fd09:0:0:1::1                 +- c 10.9.0.3, fd09::3
#                                              '- d 10.9.0.4, fd09::4: speaks no IKE
#
# a, b and c run `holdfast run` and know each other from one signed directory only. Everything is private to everybody, but d
# private-or-clear for a, by IPv4.

SRC=10.9.1.1 SRC6=fd09:0:0:1::1 # a's second addresses

# quietly COMMAND...: shown only when it fails.
quietly() { "$@" >"$WORK/quiet" 2>&1 || fail "$*: $(cat "$WORK/quiet")"; }

fleet_hosts() {
	local h pair
	lan a b c d
	printf 'addr add %s dev eth0\n' $SRC/32 "$SRC6/128 nodad" | on a ip -batch -
	for h in b c; do
		on "$h" ip route add 10.9.1.0/24 dev eth0
		on "$h" ip -6 route add fd09:0:0:1::/64 dev eth0
	done
	for pair in "a b" "a c" "a d" "b c"; do
		# shellcheck disable=SC2086
		neighbours $pair >/dev/null
	done
	for h in a b c d; do serve "$h"; done
}

# fleet_directory: made and signed in $WORK/desk, where the fleet's directory is kept.
fleet_directory() {
	local h line desk=$WORK/desk
	mkdir -p "$desk"
	quietly minisign -G -W -p "$desk/fleet.pub" -s "$desk/fleet.key"
	cat >"$desk/fleet" <<-END
		holdfast-directory 1
		id demo
		serial 1
		issued $(date -u +%Y-%m-%dT%H:%M:%SZ)
		expires $(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)
		scope 10.9.0.0/16,fd09::/48
	END
	for h in a b c; do
		on "$h" "$HOLDFAST" init --json >"$WORK/init-$h.json"
		line=$(jq -r .line "$WORK/init-$h.json")
		line=${line%% name=*}
		# shellcheck disable=SC2086
		quietly "$HOLDFAST" directory add "$desk/fleet" $line "name=$h.demo"
		echo "  $h: ${line:0:70}.."
	done
	# d has a key and no IKE: it was taken out of service, say.
	host_key d
	quietly "$HOLDFAST" directory add "$desk/fleet" "$(addr d)" "$(public_key d)" name=d.demo
	quietly "$HOLDFAST" directory sign "$desk/fleet" --key "$desk/fleet.key"
}

fleet_agents() {
	local h desk=$WORK/desk
	for h in a b c; do
		on "$h" sh -c 'cp "$1"/fleet* /etc/holdfast/ && rm /etc/holdfast/fleet.key && mkdir -p /etc/holdfast/state' sh "$desk"
		setting "$h" discovery "$(printf 'directory = /etc/holdfast/fleet\ndirectory_key = /etc/holdfast/fleet.pub')"
		on "$h" sed -i "s|^\[agent\]|&\nstate = /etc/holdfast/state|" /etc/holdfast/holdfast.conf
		configure "$h" private 10.9.0.0/16 fd09::/48
		[ "$h" != a ] || configure a private-or-clear "$(addr d)"
	done
	for h in a b c; do product "$h"; done
}

# fleet: all of it; agents run when it returns.
fleet() {
	fleet_hosts
	fleet_directory
	fleet_agents
}
