#!/usr/bin/env bash
# run_example.sh PROGRAM EXPECTED: the program ends well and, if the file EXPECTED is there, prints what is in it.
set -euo pipefail
printed=$("$1" </dev/null)
if [[ -e $2 ]]; then
  diff -u "$2" - <<<"$printed"
fi
