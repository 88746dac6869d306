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

unindented() { sed -E 's/^ +//' "$@"; }
outside_blocks() { awk '/^ *```/ { inside = !inside; next } !inside' "$1"; }
block_below() { # LINE DOCUMENT: reads all of it, lest a writer before it break its pipe
  awk -v line="$1" 'NR > line && /^ *```/ { ++fences; next } NR > line && fences == 1' "$2"
}
links() { grep -oE '\]\([^)]+\)' | sed -E 's/^\]\(//; s/\)$//; s/ ".*"$//' | grep -vE '^(https?|mailto):' || true; }
# The headings of a document as GitHub makes anchors of them.
anchors() {
  outside_blocks "$1" | sed -nE 's/^#+ +//p' | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

while IFS= read -r document; do
  folder=$(dirname "$document")
  while IFS= read -r link; do
    target=$folder/${link%%#*}
    [[ ${link%%#*} ]] || target=$document
    [[ -e $target ]] || { complain "$document links to $link, which is not there"; continue; }
    [[ $link != *.md#* && $link != '#'* ]] || [[ $'\n'$(anchors "$target")$'\n' == *$'\n'"${link#*#}"$'\n'* ]] ||
      complain "$document links to $link, a heading that is not there"
  done < <(outside_blocks "$document" | links)

  while IFS=: read -r line source; do
    [[ -e $source ]] || { complain "$document:$line shows a piece of $source, which is not there"; continue; }
    block=$(block_below "$line" "$document" | unindented)
    [[ $block && $'\n'$(unindented "$source")$'\n' == *$'\n'"$block"$'\n'* ]] ||
      complain "$document:$line differs from $source"
  done < <(grep -nE '^<!-- [^ ]+\.(cc|h|sh|toml|txt|in|out) -->$' "$document" | sed -E 's/<!-- (.*) -->/\1/' || true)
done < <(find . -name '*.md' -not -path './build*' -not -path './.git/*' -not -path './.cache/*')
exit "$status"
