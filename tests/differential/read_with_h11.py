"""Reads messages with h11 and tells what requests are in them.

Standard input: each message after its length in four octets, the highest first. Standard output:
a line of JSON for each, the requests that were read to their end; octets are written as the first
256 characters.
"""

import json
import struct
import sys

import h11


def read(message):
    """The requests in message, until it ends, one is refused, or one closes the connection."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(message)
    connection.receive_data(b"")
    requests = []
    while request := next_request(connection):
        # A success would make a tunnel of a CONNECT.
        connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
        connection.send(h11.EndOfMessage())
        request["persists"] = connection.our_state is h11.DONE
        requests.append(request)
        if not request["persists"]:
            break
        connection.start_next_cycle()
    return requests


def next_request(connection):
    """The next request, read to its end, or None."""
    head, body = None, bytearray()
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return {
                    "method": text(head.method),
                    "target": text(head.target),
                    "version": text(head.http_version),
                    "fields": [[text(name), text(value)] for name, value in head.headers.raw_items()],
                    "body": text(body),
                }
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def text(octets):
    return octets.decode("latin-1")


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout
    while prefix := stdin.read(4):
        (length,) = struct.unpack(">I", prefix)
        json.dump(read(stdin.read(length)), stdout)
        stdout.write("\n")


main()
