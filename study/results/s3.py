"""How an object store is asked: in few requests, which fail soon where nobody answers."""

from __future__ import annotations

from pyarrow import fs as pafs

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 30.0
ATTEMPTS = 3
"""Of a request. Arrow's own 10 take up to 25 s; who can wait tries again by `Patience`."""


def answers_soon(filesystem: pafs.S3FileSystem) -> pafs.S3FileSystem:
    """The same store, whose requests fail soon where nobody answers.

    An address has no options for that: the store is opened again with those that it has.
    """
    _, (options,) = filesystem.__reduce__()
    return pafs.S3FileSystem(
        **{
            **{name: value for name, value in options.items() if value not in ("", None)},
            "proxy_options": options["proxy_options"] if options["proxy_options"]["host"] else None,
            # A small file is one request, and not three: begin, send, complete.
            "allow_delayed_open": True,
            "connect_timeout": CONNECT_SECONDS,
            "request_timeout": REQUEST_SECONDS,
            "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        }
    )
