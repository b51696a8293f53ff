#!/bin/sh
# A partner's SFTP server on 127.0.0.1:2222, by key alone, with a file of cars in its outbox. It runs until it is
# stopped. What wherry.yaml needs to know of it is in STATE/env.
#
#   PORT   2222
#   STATE  where it keeps its keys and files: ./state
#   ROWS   of the file, half of them exact duplicates: 100000
#   SEED   of the file: 1
set -eu
cd "$(dirname "$0")"
PORT=${PORT:-2222} STATE=${STATE:-$PWD/state} ROWS=${ROWS:-100000} SEED=${SEED:-1}
export PORT STATE ROWS SEED
sshd=$(PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v sshd) || { echo "OpenSSH's server is not installed" >&2; exit 1; }
mkdir -p "$STATE/files/outbox"
if [ "$(id -u)" = 0 ]; then # sshd without root serves its own user, and needs no more
  chown -R "${RUN_AS:-postgres}" "$STATE"
  exec setpriv --reuid "${RUN_AS:-postgres}" --regid "${RUN_AS:-postgres}" --init-groups sh "$PWD/run-local.sh"
fi
chmod 700 "$STATE"
for key in host client; do
  [ -f "$STATE/$key" ] || ssh-keygen -q -t ed25519 -N "" -C "$key" -f "$STATE/$key"
done
cp "$STATE/client.pub" "$STATE/authorized_keys"

awk -v rows="$ROWS" -v seed="$SEED" 'BEGIN {
  srand(seed)
  models = split("Fiesta,Golf,Corsa,Qashqai,Mini,Polo,Focus,Astra,Leaf,Yaris", model, ",")
  colours = split("red,blue,black,white,silver,green", colour, ",")
  print "customer_id,car_model,colour,registration_plate"
  for (i = 0; i < rows / 2; i++) {
    line = i % (rows / 2) + 1 "," model[int(rand() * models) + 1] "," colour[int(rand() * colours) + 1] "," \
      sprintf("%c%c%02d %c%c%c", 65 + i % 26, 65 + int(i / 26) % 26, int(rand() * 73) + 2, 65 + int(i / 676) % 26,
              65 + int(i / 17576) % 26, 65 + int(rand() * 26))
    print line
    print line
  }
}' >"$STATE/files/cars.part"
mv "$STATE/files/cars.part" "$STATE/files/outbox/cars-$(date -u +%Y-%m-%d).csv"

cat >"$STATE/sshd_config" <<EOF
ListenAddress 127.0.0.1
Port $PORT
HostKey $STATE/host
AuthorizedKeysFile $STATE/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile $STATE/pid
ForceCommand internal-sftp -d $STATE/files
Subsystem sftp internal-sftp
EOF
cat >"$STATE/env" <<EOF
PARTNER_USER=$(id -un)
PARTNER_KEY=$STATE/client
PARTNER_HOST_KEY=$(ssh-keygen -lf "$STATE/host" | cut -d ' ' -f 2)
EOF
echo "sftp://$(id -un)@127.0.0.1:$PORT takes the key $STATE/client"
exec "$sshd" -D -e -f "$STATE/sshd_config"
