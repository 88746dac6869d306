#!/usr/bin/env bash
# certificates.sh DIR: what a broker with TLS and its clients need, good for two days.
#   ca.pem        the authority that signed the broker's certificate
#   other-ca.pem  one that did not
#   broker.pem    the broker's key and certificate, for the address 127.0.0.1 and no other name
set -euo pipefail
[[ $# -eq 1 ]] || { echo "usage: $0 DIR" >&2; exit 2; }
cd "$1"

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
{
  openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=test authority' -keyout ca.key -out ca.pem
  openssl req -x509 "${new_key[@]}" -days 2 -subj '/CN=other authority' -keyout other-ca.key -out other-ca.pem
  openssl req "${new_key[@]}" -subj '/CN=test broker' -keyout broker.key -out broker.csr
  openssl x509 -req -in broker.csr -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial \
    -extfile <(echo 'subjectAltName = IP:127.0.0.1') -out broker.crt
} 2>openssl.log || { cat openssl.log >&2; exit 1; }
cat broker.key broker.crt >broker.pem
