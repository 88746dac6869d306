#!/usr/bin/env bash
# What the documents promise: every relative link leads somewhere, and a block under a line `<!-- FILE -->` is a piece of
# that file, letter for letter but for its indentation, so that what readers copy is what the tests run.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0

complain() {
  echo "$*"
  status=1
}

unindented() { sed -E 's/^ +//'; }

while IFS= read -r document; do
  folder=$(dirname "$document")
  while IFS= read -r link; do
    target=${link%%#*}
    [[ -z $target || -e $folder/$target ]] || complain "$document links to $link, which is not there"
  done < <(grep -oE '\]\([^)]+\)' "$document" | sed -E 's/^\]\(//; s/\)$//; s/ ".*"$//' | grep -vE '^(https?|mailto):' || true)

  while IFS=: read -r line source; do
    [[ -e $source ]] || { complain "$document:$line shows a piece of $source, which is not there"; continue; }
    block=$(sed -n "$((line + 1)),\$p" "$document" | awk '/^```/ { if (inside) exit; inside = 1; next } inside' | unindented)
    [[ $block && $'\n'$(unindented <"$source")$'\n' == *$'\n'"$block"$'\n'* ]] || complain "$document:$line differs from $source"
  done < <(grep -nE '^<!-- [^ ]+\.(cc|h|sh|toml|txt|in|out) -->$' "$document" | sed -E 's/<!-- (.*) -->/\1/' || true)
done < <(find . -name '*.md' -not -path './build*' -not -path './.git/*' -not -path './.cache/*')
exit "$status"
