#!/usr/bin/env bash
# fixture.sh start|stop DIR: one real broker for a whole test run.
# `start` leaves its HOST:PORT in DIR/address; what an interrupted run left behind is stopped and removed first.
set -euo pipefail
[[ $# -eq 2 && $1 =~ ^(start|stop)$ ]] || { echo "usage: $0 start|stop DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
dir=$(cd "$2" && pwd)

rm -f "$dir/address"
if [[ -d $dir/data ]]; then
  "$here/stop-broker.sh" "$dir/data"
  rm -rf "$dir/data"
fi
[[ $1 == start ]] || exit 0

# The broker can't be told to pick a port, so try some below the range the system gives to clients.
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 12000))
  if "$here/start-broker.sh" "$dir/data" "$port"; then
    echo "127.0.0.1:$port" >"$dir/address.new"
    mv "$dir/address.new" "$dir/address"
    exit 0
  fi
  grep -qs 'Address already in use' "$dir/data/server.log" || break
  rm -rf "$dir/data"
done
echo "fixture: no real broker; leave its tests out with ./dev test --no-broker" >&2
exit 1
