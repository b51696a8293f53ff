"""moto's server, with one change: of S3's requests that write an object one is dealt with after the other.
By itself moto looks whether a key is there and puts the object later, so that of several PUTs with
If-None-Match at the same time more than one may win; S3 lets one."""
import functools
import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main

writing = threading.Lock()


def one_at_a_time(method):
    @functools.wraps(method)
    def call(*args, **more):
        with writing:
            return method(*args, **more)
    return call


for name in ("put_object", "_key_response_post"):
    setattr(S3Response, name, one_at_a_time(getattr(S3Response, name)))
sys.exit(main())
