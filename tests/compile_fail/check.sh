#!/usr/bin/env bash
# check.sh FILE COMPILER [FLAG...]: FILE must not compile, and the sentence of its first line, `// expect: SENTENCE`,
# must stand within the first 15 lines of what the compiler says.
set -euo pipefail
file=$1
shift
expected=$(sed -n '1s,^// expect: ,,p' "$file")
[[ $expected ]] || { echo "$file: the first line must be '// expect: SENTENCE'"; exit 1; }
if said=$(LC_ALL=C "$@" -fsyntax-only "$file" 2>&1); then
  echo "$file compiles but should fail with: $expected"
  exit 1
fi
if ! head -n 15 <<<"$said" | grep -qF -- "$expected"; then
  printf '%s: the first 15 lines of the error should contain\n  %s\nbut the compiler said\n%s\n' "$file" "$expected" "$said"
  exit 1
fi
