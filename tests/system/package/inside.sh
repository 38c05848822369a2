#!/bin/bash
# The package under a systemd of its own, inside the tree that scripts/package-test has made: one line for each
# check in /root/report, "ok …" or "failed …". /root has old.deb (installed), new.deb, load.sh and older.sql.
# shellcheck disable=SC2016,SC2012  # the inner shell's; our own files' names
set -u
report=/root/report
: >"$report"
ok() { echo "ok      $1" >>"$report"; }
failed() { echo "failed  $1" >>"$report"; }
# check SENTENCE COMMAND…
check() {
  local sentence=$1
  shift
  if "$@" >/root/said 2>&1; then ok "$sentence"; else failed "$sentence: $(tail -c 2000 /root/said)"; fi
}
refuses() { ! "$@"; }
# until COMMAND…: 30 seconds at most.
until_so() {
  for _ in $(seq 300); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  "$@"
}
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }
ledger=/var/lib/onetap/onetap.db
as() { runuser -u "$1" -- "${@:2}"; }
exchange() {
  curl -sS --fail --max-time 20 --cacert /root/cert.pem https://localhost:8443/phone/consume \
    -H 'Content-Type: application/json' -d "{\"code\":\"$1\"}" \
    -H 'Referer: https://servicewechat.com/wx0123456789abcdef/7/page-frame.html'
}
rows() { sqlite3 -readonly "$ledger" 'SELECT count(*) FROM consumption'; }
start_load() {
  rm -f /root/enough /root/failures /root/count.*
  for i in 1 2 3 4; do
    /root/load.sh /root/enough /root/failures "/root/count.$i" "$1-$i" &
  done
  sleep 1
}
no_request_failed() {
  sleep 1
  touch /root/enough
  wait
  local one sum=0
  for one in /root/count.*; do sum=$((sum + $(cat "$one"))); done
  requests=$((${requests:-0} + sum))
  cat /root/failures 2>/dev/null
  [ ! -s /root/failures ] && [ "$sum" -gt 20 ]
}

check "nothing was started by the installation" refuses systemctl is-active -q onetap.service onetap.socket onetap-backup.timer
check "nothing was enabled by the installation" refuses systemctl is-enabled -q onetap.service

systemctl start onetap.service 2>/dev/null
check "unconfigured it refuses with what is missing" bash -c 'journalctl -u onetap.service | grep -q "APPID: is missing"'
check "and does not try again" bash -c '! systemctl is-active -q onetap && [ "$(systemctl show -P NRestarts onetap)" = 0 ]'
systemctl stop onetap.service onetap.socket onetap-operator.socket

# WeChat's stand-in, a certificate, and the two settings an operator makes.
mkdir -p /run/wechat && chmod 755 /run/wechat
systemd-run -q --unit=wechat /usr/bin/onetap sandbox --listen=127.0.0.1:9443 --ca-out=/run/wechat/ca.pem
until_so test -s /run/wechat/ca.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout /etc/onetap/key.pem -out /root/cert.pem 2>/dev/null
cp /root/cert.pem /etc/onetap/cert.pem
chgrp onetap /etc/onetap/key.pem && chmod 640 /etc/onetap/key.pem && chmod 644 /etc/onetap/cert.pem
sed -i -e 's/^#APPID=$/APPID=wx0123456789abcdef/' -e 's/^#ONETAP_VERIFY=.*/ONETAP_VERIFY=origin/' \
  -e 's/^#ONETAP_RATE_IP=.*/ONETAP_RATE_IP=0/' -e 's/^#ONETAP_RATE_USER=.*/ONETAP_RATE_USER=0/' \
  -e 's|^#ONETAP_TLS_CERT=$|ONETAP_TLS_CERT=/etc/onetap/cert.pem|' -e 's|^#ONETAP_TLS_KEY=$|ONETAP_TLS_KEY=/etc/onetap/key.pem|' \
  -e 's|^#ONETAP_WECHAT_URL=.*|ONETAP_WECHAT_URL=https://127.0.0.1:9443|' \
  -e 's|^#ONETAP_WECHAT_CA=$|ONETAP_WECHAT_CA=/run/wechat/ca.pem|' /etc/onetap/onetap.env
(umask 077; echo 0123456789abcdef0123456789abcdef >/etc/onetap/credentials/SECRET)

check "the doctor runs as the service would, and finds it well" \
  bash -c 'onetap-as-service doctor --offline; [ $? -le 1 ]'
check "it is enabled and started" systemctl enable -q --now onetap.service
check "and its sockets and its timer with it" systemctl is-active -q onetap.socket onetap-operator.socket onetap-backup.timer
check "a code is exchanged" exchange sandbox-ok-1
check "operators hear that it is ready" curl -sS --fail http://127.0.0.1:8444/readyz
check "the secret is root's file, and no variable" \
  bash -c '! tr "\0" "\n" </proc/$(systemctl show -P MainPID onetap)/environ | grep -q 0123456789abcdef0123'
check "the log is in the journal" bash -c 'journalctl -u onetap.service -o cat | grep -q "\"msg\":\"listening\""'

useradd -G onetap auditor && useradd stranger
export ledger
check "a member of the group reads the ledger while the server runs" \
  as auditor sqlite3 -readonly "$ledger" 'SELECT count(*) FROM v_daily'
check "nobody else does" refuses as stranger sqlite3 -readonly "$ledger" 'SELECT 1 FROM meta'
check "the group cannot write it" refuses as auditor sqlite3 "$ledger" 'DELETE FROM gap'
check "the data key is its owner's alone" bash -c '[ "$(stat -c "%a %U" "$ledger.key")" = "600 onetap" ]'
check "the folder is 0750" bash -c '[ "$(stat -c "%a %U %G" /var/lib/onetap)" = "750 onetap onetap" ]'

start_load restart
check "restart 1 under load" systemctl restart onetap.service
check "restart 2 under load" systemctl restart onetap.service
check "no request failed over two restarts" no_request_failed
check "systemctl reload rereads the certificate" bash -c 'systemctl reload onetap && sleep 1 && journalctl -u onetap.service -o cat | grep -q certificate_reloaded'

mkdir -p /run/systemd/system/onetap.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/onetap.service.d/watchdog.conf
systemctl daemon-reload && systemctl restart onetap.service
hung=$(systemctl show -P MainPID onetap)
kill -STOP "$hung"
restarted() { [ "$(systemctl show -P MainPID onetap)" != "$hung" ] && systemctl is-active -q onetap; }
check "a server whose loop stands still is replaced by the watchdog" until_so restarted
rm -r /run/systemd/system/onetap.service.d && systemctl daemon-reload
systemctl restart onetap.service

mkdir -p /var/lib/onetap/backups && chown onetap:onetap /var/lib/onetap/backups
for day in $(seq -w 1 20); do touch "/var/lib/onetap/backups/onetap-202001${day}T000000Z.db"; done
touch /var/lib/onetap/backups/mine.db
check "the backup's service makes one" systemctl start onetap-backup.service
check "of which 14 stay, and what is not its own" \
  bash -c '[ "$(ls /var/lib/onetap/backups/onetap-*.db | wc -l)" = 14 ] && [ -e /var/lib/onetap/backups/mine.db ]'
newest=$(ls /var/lib/onetap/backups/onetap-*.db | tail -n 1)
check "and it verifies" onetap verify --db "$newest"

before=$(rows)
start_load upgrade
check "the upgrade of a server that runs" dpkg -i /root/new.deb
check "no request failed over it" no_request_failed
check "it is the new version's process" bash -c 'systemctl is-active -q onetap && dpkg-query -W -f "\${Version}" onetap | grep -qx "$(cat /root/new.version)"'
check "the settings stay" grep -qx APPID=wx0123456789abcdef /etc/onetap/onetap.env
check "no row was lost" test "$(rows)" -gt "$before"

check "stopping it closes its sockets" bash -c 'systemctl stop onetap && ! systemctl is-active -q onetap.socket'
check "so that nobody starts it again" refuses is_open 8443
check "a member of the group reads the ledger while the server is stopped" \
  as auditor sqlite3 -readonly "$ledger" 'SELECT count(*) FROM v_daily'
check "onetap's own reports do, too" as auditor onetap ledger summary --db "$ledger"
check "a stranger does not" refuses as stranger sqlite3 -readonly "$ledger" 'SELECT 1 FROM meta'

# The same ledger as an older schema would have it: its meta and key, and one consumption left open.
mkdir /root/newest && mv /var/lib/onetap/onetap.db /var/lib/onetap/onetap.db-wal /var/lib/onetap/onetap.db-shm /root/newest/
as onetap sqlite3 "$ledger" </root/older.sql
sqlite3 "$ledger" "ATTACH '/root/newest/onetap.db' AS newest; INSERT INTO meta (id, mode, key_fingerprint, sealed_pepper,
  replay_window_ms, created_at) SELECT id, mode, key_fingerprint, sealed_pepper, replay_window_ms, created_at FROM newest.meta;"
older=$(sqlite3 -readonly "$ledger" 'PRAGMA user_version')
chown onetap:onetap "$ledger"*
cp "$ledger" /root/older.db
mkdir "$ledger.schema-$older" && touch "$ledger.schema-$older/in-the-way"
systemctl start onetap.service 2>/dev/null
check "without its copy no migration, and no start" \
  bash -c '! systemctl is-active -q onetap && journalctl -u onetap.service -o cat | grep -q "Nothing was changed"'
systemctl stop onetap.service onetap.socket onetap-operator.socket
check "and the ledger is as it was" test "$(sqlite3 -readonly "$ledger" 'PRAGMA user_version')" = "$older"
rm -r "$ledger.schema-$older"
systemctl reset-failed
check "an older schema is brought up to date" systemctl start onetap.service
check "with its row" test "$(rows)" = 1
check "and a copy of it as it was" test "$(sqlite3 -readonly "$ledger.schema-$older" 'PRAGMA user_version; SELECT count(*) FROM consumption')" = "$older
1"
check "a code is exchanged on it" exchange sandbox-ok-2
systemctl stop onetap.service

sqlite3 "$ledger" "PRAGMA user_version = 999" && chown onetap:onetap "$ledger"*
systemctl start onetap.service 2>/dev/null
check "a newer schema is refused with a sentence" bash -c 'journalctl -u onetap.service -o cat | grep -q "written by a newer onetap"'
systemctl stop onetap.service onetap.socket onetap-operator.socket 2>/dev/null

userdel auditor; userdel stranger
check "it is removed while it runs, and its settings stay" bash -c 'apt-get -y remove onetap && [ -e /etc/onetap/onetap.env ]'
check "with its books a purge leaves these, and says so" \
  bash -c 'dpkg --purge onetap | grep -q "holds a ledger" && [ -e /var/lib/onetap/onetap.db.key ] && [ ! -e /etc/onetap ]'
rm -rf /var/lib/onetap && deluser --quiet onetap
check "no unit is left" bash -c '! systemctl list-unit-files | grep onetap && ! find /etc/systemd -name "onetap*" | grep .'

check "it is installed anew" dpkg -i /root/new.deb
check "and purged to nothing" bash -c 'dpkg --purge onetap && [ ! -e /var/lib/onetap ] && ! getent passwd onetap && ! getent group onetap'
echo "note    $requests requests came during restarts and the upgrade" >>"$report"
echo "the end" >>"$report"
systemctl poweroff
