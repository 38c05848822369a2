#!/usr/bin/env bash
# A code, exchanged by your own backend: prints the answer; exit status 0 for a number.
#   ONETAP_URL=https://127.0.0.1:8443 ONETAP_SERVICE_TOKEN=… ./curl.sh CODE OPENID
# ONETAP_CA names a CA file where the system's store does not know the server (the sandbox's).
set -euo pipefail
code=${1:?code} openid=${2:?openid}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The token comes by standard input: arguments show in ps. The same code may be sent again after any
# failure of the line: the server answers a repeat from its ledger.
for try in 1 2 3; do
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$ONETAP_SERVICE_TOKEN" |
    curl --config - --silent --show-error --max-time 10 ${ONETAP_CA:+--cacert "$ONETAP_CA"} \
      --output "$answer" --write-out '%{http_code}' \
      --json "{\"code\":\"$code\",\"openid\":\"$openid\"}" "$ONETAP_URL/phone/consume") || status=000
  case $status in
    000 | 429 | 503) [ "$try" = 3 ] || sleep 2 ;;
    *) break ;;
  esac
done
cat "$answer"
echo
[ "$status" = 200 ]
