"""Requests that boto3 would never send, byte for byte."""

import contextlib
import dataclasses
import http.client
import json
import socket
import urllib.parse
import xml.etree.ElementTree

TIMEOUT_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def xml_text(self, name):
        """The text of an element anywhere in the document; None: absent."""
        for element in xml.etree.ElementTree.fromstring(self.body).iter():
            if element.tag.rsplit("}", 1)[-1] == name:
                return element.text or ""
        return None


def send(url, method, target, headers=None, body=None):
    """One request through http.client, which leaves the target as it is."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname, address.port, timeout=TIMEOUT_SECONDS
    )
    with contextlib.closing(connection):
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def send_lines(url, head, body=b"", close_early=False):
    """A request written by hand; None where the server just hangs up.

    With `close_early` the client's half is closed after `body`, however much
    the head promised.
    """
    address = urllib.parse.urlsplit(url)
    lines = [*head, f"Host: {address.netloc}", "Connection: close", "", ""]
    with socket.create_connection(
        (address.hostname, address.port), TIMEOUT_SECONDS
    ) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall("\r\n".join(lines).encode() + body)
            if close_early:
                connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        except (http.client.HTTPException, ConnectionError):
            return None
