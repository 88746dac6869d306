#!/usr/bin/env bash
# compiles_alone.sh HEADER COMPILER [FLAG...]: a header needs no other header before it and may come twice.
set -euo pipefail
header=$1
shift
printf '#include "%s"\n' "$header" "$header" | "$@" -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only -x c++ -
