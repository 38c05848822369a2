#!/bin/bash
# Connects anew for each request until the file $1 is there; a line in $2 for each that failed, the count in $3.
count=0
while [ ! -e "$1" ]; do
  count=$((count + 1))
  answer=$(curl -sS --max-time 60 --cacert /root/cert.pem https://localhost:8443/phone/consume \
    -H 'Content-Type: application/json' -H 'Referer: https://servicewechat.com/wx0123456789abcdef/7/page-frame.html' \
    -d "{\"code\":\"sandbox-ok-$4-$count\"}" -w ' %{http_code}' 2>&1)
  case $answer in *" 200") ;; *) echo "$answer" >>"$2" ;; esac
done
echo "$count" >"$3"
