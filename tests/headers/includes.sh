#!/usr/bin/env bash
# Who may include whom; and nothing in the repository names a place outside it.
set -euo pipefail
cd "$(dirname "$0")/../.."
shopt -s nullglob
status=0

complain() { # RULE LINES: fails when there are lines
  [[ $2 ]] || return 0
  printf '%s:\n%s\n\n' "$1" "$2"
  status=1
}
includes_of() { # FOLDER: its #include lines as FILE:LINE:TEXT
  grep -rnE --include='*.h' --include='*.cc' '^[[:space:]]*#[[:space:]]*include' "$1" 2>/dev/null || true
}
without() { grep -vE -- "$1" || true; }

standard='include <[a-z0-9_]+>'
system='include <((sys|arpa|netinet)/[a-z_]+|dirent|errno|fcntl|limits|netdb|poll|pthread|sched|signal|stdio|stdlib|string|time|unistd)\.h>'
absl='include "absl/'

complain "include/ may include itself, the standard library and absl/status" "$(
  includes_of include | without "$standard" | without 'include "slipstream/' |
    without 'include "absl/status/(status|statusor)\.h"')"

complain "operators/ may include include/, itself and Abseil" "$(
  includes_of operators | without "$standard" | without "$absl" | without 'include "(slipstream|operators)/')"

complain "runtime/ may include include/, itself and Abseil; its *executor* files TBB, *config* files toml++, hash.cc xxHash" "$(
  includes_of runtime | without '^runtime/cli/' | without "$standard" | without "$system" | without "$absl" |
    without 'include "(slipstream|runtime)/' |
    without '^runtime/[a-z_]*executor[a-z_]*\.(h|cc):[0-9]+:#include <(oneapi/)?tbb/' |
    without '^runtime/[a-z_]*config[a-z_]*\.(h|cc):[0-9]+:#include <toml\+\+/' | without '^runtime/hash\.cc:[0-9]+:#include <xxhash\.h>')"

for folder in connectors/*/; do
  folder=${folder%/}
  foreign=$(includes_of "$folder" | without "$standard" | without "$system" | without "$absl" |
    without "include \"(slipstream|$folder)/")
  complain "$folder/ may include include/ and itself" "$(grep -E 'include "(operators|runtime|connectors)/' <<<"$foreign" || true)"
  libraries=$(sed -nE 's,.*include [<"]([a-z+_]+)[/.].*,\1,p' <<<"$foreign" | without '^(operators|runtime|connectors)$' | sort -u | paste -sd ' ')
  [[ $libraries != *' '* ]] || complain "$folder/ may use one third-party library" "$libraries"
done

complain "these paths exist on one machine only" "$(
  grep -rnIE --exclude-dir={.git,.cache,'build*'} --exclude={.git,includes.sh} \
    '\.\./shared|(^|[^A-Za-z0-9_./$}])/(work|root|home)/[a-z]' . || true)"
exit "$status"
