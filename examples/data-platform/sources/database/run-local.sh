#!/bin/sh
# The customers' database: a PostgreSQL on 127.0.0.1:5433 with the table customer.person. It runs until it is stopped.
#
#   PORT      5433
#   STATE     where it keeps its files: ./state
#   ROWS      of the table: 10000
#   PASSWORD  of the user wherry, who may read the table and nothing else
set -eu
cd "$(dirname "$0")"
PORT=${PORT:-5433} STATE=${STATE:-$PWD/state} ROWS=${ROWS:-10000}
: "${PASSWORD:?says the password of the user wherry}"
export PORT STATE ROWS PASSWORD
mkdir -p "$STATE"
if [ "$(id -u)" = 0 ]; then # which PostgreSQL refuses to run as
  chown -R "${RUN_AS:-postgres}" "$STATE"
  exec setpriv --reuid "${RUN_AS:-postgres}" --regid "${RUN_AS:-postgres}" --init-groups sh "$PWD/run-local.sh"
fi
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
PATH=${bin:+$bin:}$PATH
command -v initdb >/dev/null || { echo "PostgreSQL's server is not installed" >&2; exit 1; }
server() { # nobody else gets there yet
  pg_ctl -D "$STATE/data" -o "-c listen_addresses= -p $PORT -k $STATE" "$@"
}
if [ ! -d "$STATE/data" ]; then
  chmod 700 "$STATE"
  initdb -D "$STATE/data" -U admin --encoding=UTF8 --locale=C --auth-local=peer --auth-host=scram-sha-256 >/dev/null
  echo "local all admin trust" >"$STATE/data/pg_hba.conf" # only through the socket in $STATE, which is ours alone
  echo "host crm wherry all scram-sha-256" >>"$STATE/data/pg_hba.conf"
  server -w -l "$STATE/log" start >/dev/null
  createdb -h "$STATE" -p "$PORT" -U admin crm
  psql -h "$STATE" -p "$PORT" -U admin -d crm -q -v ON_ERROR_STOP=1 -v rows="$ROWS" -v password="$PASSWORD" -f schema.sql
  server -w stop >/dev/null
fi
echo "postgres://wherry@127.0.0.1:$PORT/crm has customer.person"
exec postgres -D "$STATE/data" -c "listen_addresses=${LISTEN:-127.0.0.1}" -p "$PORT" -k "$STATE"
