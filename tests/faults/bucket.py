"""A real S3-compatible server in this process, and what is uploaded to it."""

from __future__ import annotations

import os
import threading
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from tensorboard.compat.tensorflow_stub.io import gfile

NAME = "training"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class BucketServer:
    """Serves one bucket.

    Attributes:
        port: of the server, on this machine.
        uploaded: bytes of every upload so far.
        threads: those that have uploaded a file.
    """

    def __init__(self, patch: Any) -> None:
        for name, value in {**ENVIRONMENT, "AWS_MAX_ATTEMPTS": "1"}.items():
            patch.setenv(name, value)
        self.port = 0
        self._server: ThreadedMotoServer | None = None
        self.start()
        endpoint = f"http://127.0.0.1:{self.port}"
        patch.setenv("S3_ENDPOINT", endpoint)
        # TensorBoard's own filesystem, as in a process that begins with this variable.
        patch.setitem(gfile._REGISTERED_FILESYSTEMS, "s3", gfile.S3FileSystem())
        boto3.setup_default_session()
        self.client = boto3.client("s3", endpoint_url=endpoint)
        # The simulation keeps what earlier servers of this process got.
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
        self.client.create_bucket(Bucket=NAME)
        self.uploaded = 0
        self.threads: list[threading.Thread] = []
        boto3.DEFAULT_SESSION.events.register("before-call.s3.PutObject", self._see)

    def start(self) -> None:
        """Begins to answer, on the port of before; what was uploaded is still there."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Does not answer any more."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def size(self) -> int:
        """Bytes of all objects."""
        return sum(one["Size"] for one in self._objects())

    def downloaded(self, folder: Path) -> Path:
        """A copy of the bucket in this folder."""
        for one in self._objects():
            if not one["Key"].endswith("/"):
                (folder / one["Key"]).parent.mkdir(parents=True, exist_ok=True)
                self.client.download_file(NAME, one["Key"], os.fspath(folder / one["Key"]))
        return folder

    def _objects(self) -> Any:
        return self.client.list_objects_v2(Bucket=NAME).get("Contents", [])

    def _see(self, params: Any, **_: Any) -> None:
        body = params["body"]
        size = len(body if isinstance(body, bytes | str) else body.getvalue())
        self.uploaded += size
        if size:
            self.threads.append(threading.current_thread())
