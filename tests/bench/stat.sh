# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For benches that run in the lab: samples in, one JSON object out. A bench says `result PATH OBJECT` for each figure; the
# line reaches the caller through the scenario's log, and tests/bench/run puts the objects where PATH says.

# summary [DIVISOR]: numbers on stdin, one a line -> {"n":..,"min":..,"median":..,"p99":..,"max":..}. p99 by nearest rank.
summary() {
	sort -g | awk -v by="${1:-1}" '
		{ v[NR] = $1 / by }
		function at(p) { i = int(p * NR); if (i < p * NR) i++; return v[i < 1 ? 1 : i] }
		END {
			if (!NR) { print "{\"n\":0}"; exit }
			median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
			printf "{\"n\":%d,\"min\":%.4f,\"median\":%.4f,\"p99\":%.4f,\"max\":%.4f}\n",
				NR, v[1], median, at(0.99), v[NR]
		}'
}

result() { echo "BENCH $1 $2"; }
