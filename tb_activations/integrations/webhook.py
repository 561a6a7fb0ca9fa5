"""Posts findings to a web address."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tb_activations.events.json_codec import finding_to_json
from tb_activations.integrations.delivery import Delivery
from tb_activations.integrations.wording import body, heading
from tb_activations.records.arguments import invalid
from tb_activations.records.finding import Finding

Payload = Callable[[Finding], Mapping[str, Any]]


def payload_of(finding: Finding) -> Mapping[str, Any]:
    """`text` for people, as Slack and Mattermost show it, and `finding` with all its members for programs."""
    return {"text": f"{heading(finding)}\n{body(finding)}", "finding": json.loads(finding_to_json(finding))}


class Webhook:
    """Posts each finding as JSON, in the background; for `LayerHealth(on_problem=Webhook(url))`.

    A failed request is logged and not repeated, because the receiver may have got it. The training never waits;
    `delivery.flush(seconds)` does.

    Args:
        url: http or https.
        payload: makes the JSON object; Discord for example needs `lambda finding: {"content": finding.message}`.
        headers: further headers, such as `{"Authorization": "Bearer ..."}`.
        timeout: seconds for a request.

    Raises:
        ValueError: the address or the timeout is not allowed.
    """

    def __init__(
        self, url: str, *, payload: Payload = payload_of, headers: Mapping[str, str] | None = None, timeout: float = 5.0
    ) -> None:
        address = urllib.parse.urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise invalid("url", repr(url), "an http:// or https:// address")
        if not 0 < timeout <= 60:
            raise invalid("timeout", repr(timeout), "a number of seconds above 0 and at most 60")
        self._url, self._payload, self._timeout = url, payload, timeout
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        # The path may be a secret.
        self.delivery = Delivery(f"the webhook at {address.hostname}")

    def __call__(self, finding: Finding) -> None:
        self.delivery.submit(lambda: self._post(finding))

    def _post(self, finding: Finding) -> None:
        content = json.dumps(self._payload(finding)).encode()
        request = urllib.request.Request(self._url, content, self._headers, method="POST")
        urllib.request.urlopen(request, timeout=self._timeout).close()
