#!/usr/bin/env bash
# hardening.sh PROGRAM: the flags of cmake/SlipstreamFlags.cmake reached the program.
set -euo pipefail
program=$1 status=0
has() { # READELF_OPTION PATTERN WHAT
  local read
  read=$(LC_ALL=C readelf -W "$1" "$program")
  grep -qE "$2" <<<"$read" || { echo "$program has no $3"; status=1; }
}
has -h 'Type: +DYN' 'position independent code'
has -d 'BIND_NOW' 'immediate binding'
has -l 'GNU_RELRO' 'read-only relocations'
has -l 'GNU_STACK .* RW ' 'stack without code'
has -s '__stack_chk_fail' 'stack protector'
has -s '__glibcxx_assert_fail' 'checked containers'
exit "$status"
