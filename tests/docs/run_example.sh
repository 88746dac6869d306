#!/usr/bin/env bash
# run_example.sh PROGRAM NAME: the program, fed with the file NAME.in, ends well and prints what is in NAME.out or, with its
# lines sorted, in NAME.sorted.out: lanes don't wait for each other, so the order of lines often is no part of the promise.
set -euo pipefail
export LC_ALL=C
input=/dev/null
[[ ! -e $2.in ]] || input=$2.in
printed=$("$1" <"$input")
if [[ -e $2.sorted.out ]]; then
  diff -u "$2.sorted.out" <(sort <<<"$printed")
elif [[ -e $2.out ]]; then
  diff -u "$2.out" - <<<"$printed"
fi
