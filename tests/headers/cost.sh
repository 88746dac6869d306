#!/usr/bin/env bash
# cost.sh COMPILER [FLAG...]: type-checking slipstream/slipstream.h takes at most 1.6 times the user time of a file
# that includes only absl/status/statusor.h. Median of five runs of each, in turns. A busy machine can make one such
# comparison come out too high, hence five attempts.
set -euo pipefail
limit=160  # percent

check() { # HEADER COMPILER...: milliseconds of user time
  local TIMEFORMAT=%U header=$1 seconds
  shift
  seconds=$({ time "$@" -fsyntax-only -x c++ - <<<"#include \"$header\""; } 2>&1)
  echo $((10#${seconds/./}))
}
median() { printf '%s\n' "$@" | sort -n | sed -n '3p'; }

compare() {
  local ours=() base=()
  for _ in 1 2 3 4 5; do
    base+=("$(check absl/status/statusor.h "$@")")
    ours+=("$(check slipstream/slipstream.h "$@")")
  done
  ours=$(median "${ours[@]}") base=$(median "${base[@]}")
  local percent=$((ours * 100 / base))
  echo "slipstream.h: $ours ms, absl/status/statusor.h: $base ms, $percent % (at most $limit %)"
  ((percent <= limit))
}

check slipstream/slipstream.h "$@" >/dev/null # warms the page cache
for _ in 1 2 3 4; do compare "$@" && exit; done
compare "$@"
