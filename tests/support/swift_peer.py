"""swift_peer.py FOLDER PORT REGION ACCESS_KEY SECRET_KEY: OpenStack Swift with its s3api on loopback.

The proxy, account, container and object servers of Debian's packages in one process, one replica, one
device: FOLDER/devices/d, whose file system must keep extended attributes. aws.py starts it, with Debian's
Python, which has Swift.
"""
import configparser
import os
import pathlib
import sys

import eventlet

eventlet.patcher.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring.builder import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

STORES = ("account", "container", "object")
PROXY = """\
[DEFAULT]
swift_dir = {folder}
log_level = WARNING

[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
conn_timeout = 10

[filter:s3api]
use = egg:swift#s3api
location = {region}
max_upload_part_num = 10000
min_segment_size = 5242880
allow_multipart_uploads = true

[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {key} .admin

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""
PLAIN = "catch_errors gatekeeper listing_formats bulk copy slo dlo symlink"
STORE = """\
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_level = WARNING

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""


class Cache:
    """What the proxy would ask memcached for: tokens, and what it knows of containers."""

    def __init__(self):
        self.kept = {}

    def get(self, key, raise_on_error=False):
        return self.kept.get(key)

    def set(self, key, value, **_):
        self.kept[key] = value

    def incr(self, key, delta=1, **_):
        self.kept[key] = self.kept.get(key, 0) + delta
        return self.kept[key]

    def delete(self, key, **_):
        self.kept.pop(key, None)


def with_cache(app):
    cache = Cache()

    def cached(env, start):
        env["swift.cache"] = cache
        return app(env, start)
    return cached


def listen(port):
    return eventlet.listen(("127.0.0.1", port), backlog=512)


def make_ring(folder, kind, port):
    ring = RingBuilder(1, 1, 0)  # two partitions, one replica
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(str(folder / f"{kind}.ring.gz"))


def serve(folder, name, text, sock, wrap=lambda app: app):
    path = folder / f"{name}.conf"
    path.write_text(text)
    app = wrap(loadapp(str(path), global_conf={"log_name": name}))
    # Header names as Swift spells them: clients of S3 look for "ETag".
    return eventlet.spawn(wsgi.server, sock, app, utils.NullLogger(), protocol=SwiftHttpProtocol,
                          capitalize_response_headers=False, custom_pool=eventlet.GreenPool(1000))


def main():
    folder, port, region, user, key = pathlib.Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    (folder / "devices/d").mkdir(parents=True)
    # Not /etc/swift: nothing of the machine's own Swift is read.
    conf = configparser.ConfigParser()
    conf["swift-hash"] = {"swift_hash_path_suffix": "wherry"}
    with open(folder / "swift.conf", "w") as out:
        conf.write(out)
    utils.set_swift_dir(str(folder))
    sockets = {kind: listen(0) for kind in STORES}
    for kind, sock in sockets.items():
        make_ring(folder, kind, sock.getsockname()[1])
    threads = [serve(folder, kind, STORE.format(folder=folder, kind=kind), sockets[kind]) for kind in STORES]
    filters = "".join(f"\n[filter:{name}]\nuse = egg:swift#{name}\n" for name in PLAIN.split())
    text = PROXY.format(folder=folder, region=region, user=user.replace(":", "_"), key=key) + filters
    threads.append(serve(folder, "proxy", text, listen(port), with_cache))
    for thread in threads:
        thread.wait()


os.umask(0o077)
main()
