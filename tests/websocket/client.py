"""Speaks with a server's /echo and /chat by the package websockets; argument: the server's address.

It offers permessage-deflate, as the package does unless told otherwise.
"""

import sys

from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

address = sys.argv[1]


def echoes():
    with connect(f"ws://{address}/echo", subprotocols=["b", "a"]) as socket:
        assert socket.subprotocol == "a", socket.subprotocol
        assert not socket.protocol.extensions, socket.protocol.extensions
        for size in [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 1_000_000]:
            for message in ["é" * (size // 2), bytes(n % 251 for n in range(size))]:
                socket.send(message)
                assert socket.recv() == message, size
        socket.send(["in ", "frag", "ments"])
        assert socket.recv() == "in fragments"
        assert socket.ping(b"there?").wait(30), "no pong"
        socket.close(4001, "enough")
        assert (socket.close_code, socket.close_reason) == (4001, ""), socket.close_code


def is_closed_by_the_server():
    with connect(f"ws://{address}/echo") as socket:
        socket.send("close")
        try:
            socket.recv()
            raise AssertionError("it is still open")
        except ConnectionClosedError as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4002, "as asked"), closed
    with connect(f"ws://{address}/echo") as socket:
        socket.send("end")
        try:
            socket.recv()
            raise AssertionError("it is still open")
        except ConnectionClosedOK as closed:
            assert closed.rcvd.code == 1000, closed
    with connect(f"ws://{address}/echo", max_size=None) as socket:
        socket.send(bytes(1_048_577))
        try:
            socket.recv()
            raise AssertionError("it is still open")
        except ConnectionClosedError as closed:
            assert closed.rcvd.code == 1009, closed


def chats():
    url = f"ws://{address}/chat"
    with connect(url) as first, connect(url) as second:
        # A message of its own shows that each is in the room.
        for socket in [first, second]:
            socket.send("here")
            while socket.recv() != "here":
                pass
        first.send("hello")
        for socket in [first, second]:
            while (heard := socket.recv()) == "here":
                pass
            assert heard == "hello", heard
    try:
        connect(url, origin="https://evil.example")
        raise AssertionError("a foreign page is let in")
    except InvalidStatus as refused:
        assert refused.response.status_code == 403, refused


echoes()
is_closed_by_the_server()
chats()
print("done")
