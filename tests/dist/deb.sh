#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Debian package: built, looked through by lintian where that is there, installed into a root of its own, installed again over
# an operator's changes, removed, purged. Its scripts are run with that root (dpkg's --force-script-chrootless), so they must keep to it.
set -euo pipefail
for tool in dpkg dpkg-deb dpkg-shlibdeps; do
	command -v $tool >/dev/null || { echo "SKIP: $tool is not here"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

"${MAKE:-make}" --no-print-directory -s -C "$HF_SRC" deb B="$B" SETUP=no
package=$(ls "$HF_BUILD"/holdfast_*.deb)
[ -f "$package" ] || fail "not one package: $package"

field() { dpkg-deb -f "$package" "$1"; }
[ "$(field Package)" = holdfast ] || fail 'not the package of holdfast'
for library in libbpf libseccomp libevent-extra libssl; do
	grep -q "$library" <<<"$(field Depends)" || fail "no dependency on $library: $(field Depends)"
done
# Everything is root's, nothing is writable for others, nothing holds a path of the machine it was built on.
dpkg-deb -c "$package" >"$work/contents"
! grep -v ' root/root ' "$work/contents" || fail 'not all is root'"'"'s'
! grep '^........w' "$work/contents" || fail 'something is writable for everybody'
dpkg-deb -R "$package" "$work/tree"
! grep -rlF "$HF_SRC" "$work/tree" || fail 'a path of this machine is in it'
(cd "$work/tree" && md5sum --quiet -c DEBIAN/md5sums)

if command -v lintian >/dev/null; then
	lintian --fail-on error,warning --allow-root "$package"
else
	echo 'lintian is not here: not asked'
fi

[ "$(id -u)" = 0 ] || { echo 'not root: not installed'; exit 0; }
root=$work/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
# Its libraries are on this machine, not in that root.
dpkg_() {
	dpkg --root="$root" --log=/dev/null --force-script-chrootless --force-depends --force-confold "$@" >"$work/dpkg.log" 2>&1 ||
		{ cat "$work/dpkg.log"; fail "dpkg $*"; }
}
state() { dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}' holdfast; }

dpkg_ -i "$package"
[ "$(state)" = installed ] || fail "it is $(state), not installed"
"$root/usr/sbin/holdfast" version >/dev/null
zcat "$root/usr/share/man/man1/holdfast.1.gz" | grep -q 'Nm holdfast' || fail 'no man page'
echo '10.0.0.0/8' >>"$root/etc/holdfast/policies/private"
mkdir -p "$root/var/lib/holdfast"
touch "$root/etc/holdfast/key.pem" "$root/var/lib/holdfast/known.db"
dpkg_ -i "$package"
grep -qx '10.0.0.0/8' "$root/etc/holdfast/policies/private" || fail 'an upgrade overwrote a policy'
dpkg_ -r holdfast
[ "$(state)" = config-files ] || fail "it is $(state), not removed"
[ ! -e "$root/usr/sbin/holdfast" ] || fail 'the program is still there'
[ -e "$root/etc/holdfast/key.pem" ] && [ -e "$root/etc/holdfast/policies/private" ] || fail 'a removal took the key or the configuration'
dpkg_ -P holdfast
left=$(cd "$root" && find . -path ./var/lib/dpkg -prune -o -type f -print)
[ -z "$left" ] || fail "left behind by purge: $left"
[ ! -e "$root/etc/holdfast" ] || fail 'the folder of the configuration is left'
echo "$(basename "$package"), $(du -k "$package" | cut -f1) KB: built, installed, removed, purged"
