"""Uploads that are far too large, or that never end as they should: each is refused within a second of reaching its limit,
with nginx in front and without, and costs the function no more than 64 MB."""

import json
import os
import pathlib
import re
import select
import socket
import struct
import time
import unittest

from stack import Stack, eventually

MEGABYTE = 1 << 20
LIMIT = 50 * MEGABYTE
TYPE = "multipart/form-data; boundary=x"
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="leads.csv"\r\n\r\n'
END = b"\r\n--x--\r\n"


def lines():
    """A list of people without end, of which none is anybody, in pieces of a megabyte."""
    yield FORM + b"number,name\n9876543210,Asha Rao\n"
    while True:
        yield b",\n" * (MEGABYTE // 2)


def zeros(megabytes):
    """Some rows, then one field that does not end."""
    yield FORM + b'number,name\n9876543210,"'
    for _ in range(megabytes):
        yield b"x" * MEGABYTE
    yield END


def parts():
    """A million parts."""
    part = FORM + b"number\n\r\n"
    for _ in range(1000):
        yield part * 1000
    yield END[2:]


def columns():
    """A heading of a million columns."""
    yield FORM
    for _ in range(1000):
        yield b"c," * 1000
    yield END


def unfinished():
    """A good list whose form is not closed."""
    yield FORM + b"number,name\n9876543210,Asha Rao\n"


# What is sent, and the byte at which its fate is clear at the latest.
BODIES = {
    "1 GB of lines": (lines, LIMIT),
    "one field of 49 MB": (lambda: zeros(49), MEGABYTE),
    "a million parts": (parts, MEGABYTE),
    "a million columns": (columns, MEGABYTE),
    "no final boundary": (unfinished, len(next(unfinished()))),
}


class Exchange:
    """Sends a body as fast as it is taken and reads the answer meanwhile."""

    def __init__(self, connection, frame, decisive):
        self.connection, self.frame, self.decisive = connection, frame, decisive
        self.received = b""
        self.sent = 0
        self.decided_at = self.answered_at = None
        connection.setblocking(False)

    def run(self, body, total, timeout=90):
        deadline = time.monotonic() + timeout
        pieces = iter(body)
        waiting = b""
        is_sending = True
        while time.monotonic() < deadline:
            if is_sending and not waiting:
                piece = next(pieces, None) if self.sent < total else None
                if piece is None:
                    waiting, is_sending = self.frame(b""), False
                    self.decided_at = self.decided_at or time.monotonic()
                else:
                    self.sent += len(piece)
                    waiting = self.frame(piece)
                    if self.sent > self.decisive:
                        self.decided_at = self.decided_at or time.monotonic()
            readable, writable, _ = select.select([self.connection], [self.connection] if waiting else [], [], 5)
            try:
                if readable:
                    chunk = self.connection.recv(65_536)
                    self.answered_at = self.answered_at or time.monotonic()
                    if not chunk:
                        return self
                    self.received += chunk
                    if self.is_whole():
                        return self
                if writable:
                    waiting = waiting[self.connection.send(waiting) :]
            except (BrokenPipeError, ConnectionResetError):
                # It was told what is wrong and did not listen.
                waiting, is_sending = b"", False
                if readable:
                    return self
        raise AssertionError("no answer")

    def is_whole(self):
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        return bool(length) and len(body) >= int(length.group(1))

    @property
    def seconds(self):
        """From the decisive byte to the answer."""
        return self.answered_at - min(self.decided_at or self.answered_at, self.answered_at)


class LargeBodies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--no-demo")
        cls.addClassCleanup(cls.stack.stop)

    def setUp(self):
        # A process of its own for each test, so that its peak of memory is the test's.
        pid = self.stack.pid("bulk-upload")
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def through_nginx(self, announced, body, total, decisive):
        connection = socket.create_connection(("127.0.0.1", self.stack.port))
        head = f"POST /api/leads/bulk-upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
        if announced is None:
            head += "Transfer-Encoding: chunked\r\n\r\n"
            frame = lambda piece: b"%x\r\n%s\r\n" % (len(piece), piece)  # noqa: E731
        else:
            head += f"Content-Length: {announced}\r\n\r\n"
            frame = bytes
        connection.sendall(head.encode())
        with connection:
            exchange = Exchange(connection, frame, decisive).run(body, total)
        head, _, body = exchange.received.partition(b"\r\n\r\n")
        return exchange, int(head.split()[1]), json.loads(body)

    def without_nginx(self, announced, body, total, decisive):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.stack.state / "run" / "bulk-upload.sock"))

        def record(kind, content):
            return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content

        def frame(piece):
            records = [record(5, piece[index : index + 65_000]) for index in range(0, len(piece), 65_000)]
            return b"".join(records) if piece else record(5, b"")

        parameters = {
            "REQUEST_METHOD": "POST", "REQUEST_URI": "/api/leads/bulk-upload", "DOCUMENT_URI": "/api/leads/bulk-upload",
            "QUERY_STRING": "", "CONTENT_TYPE": TYPE, "HTTP_HOST": f"127.0.0.1:{self.stack.port}",
        }  # fmt: skip
        parameters |= {"HTTP_TRANSFER_ENCODING": "chunked"} if announced is None else {"CONTENT_LENGTH": str(announced)}
        encoded = b"".join(
            bytes([len(name)]) + struct.pack(">I", len(value) | 1 << 31) + name.encode() + value.encode() for name, value in parameters.items()
        )
        connection.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, encoded) + record(4, b""))
        with connection:
            exchange = Exchange(connection, frame, decisive).run(body, total)
        received, output = exchange.received, b""
        while len(received) >= 8:
            _, kind, _, length, padding = struct.unpack(">BBHHBx", received[:8])
            if kind == 6:
                output += received[8 : 8 + length]
            received = received[8 + length + padding :]
        head, _, body = output.partition(b"\r\n\r\n")
        return exchange, int(re.search(rb"Status: (\d+)", head).group(1)), json.loads(body)

    def peak(self):
        status = pathlib.Path(f"/proc/{self.stack.pid('bulk-upload')}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024

    def assert_refused(self, answer, status=range(400, 500)):
        exchange, code, body = answer
        self.assertIn(code, status, body)
        self.assertEqual(body["success"], False)
        self.assertTrue(body["error"].endswith("."), body)
        # On a machine that works for others, too, a second of work takes longer.
        patience = max(1, os.getloadavg()[0] / os.cpu_count())
        self.assertLess(exchange.seconds, patience, f"{exchange.sent} bytes sent: {body}")
        self.assertLess(self.peak(), 64)

    def test_a_gigabyte_that_is_announced_is_refused_at_once(self):
        for way in (self.through_nginx, self.without_nginx):
            with self.subTest(way.__name__):
                answer = way(1024 * MEGABYTE, lines(), 1024 * MEGABYTE, 0)
                self.assert_refused(answer, [413])
                self.assertLess(answer[0].sent, 8 * MEGABYTE)

    def test_a_gigabyte_in_chunks_is_refused_at_the_limit(self):
        for way in (self.through_nginx, self.without_nginx):
            with self.subTest(way.__name__):
                answer = way(None, lines(), 1024 * MEGABYTE, LIMIT)
                self.assert_refused(answer, [413])
                self.assertGreater(answer[0].sent, LIMIT)
                self.assertLess(answer[0].sent, LIMIT + 8 * MEGABYTE)

    def test_a_list_in_chunks_is_taken(self):
        for index, way in enumerate((self.through_nginx, self.without_nginx)):
            pieces = [FORM, b"number,name\n98765000%02d,Asha Rao\n" % (10 + index), END]
            _, code, body = way(None, iter(pieces), 1024, 1024)
            self.assertEqual((code, body["rows_added"]), (200, 1), body)

    def test_every_other_body_is_refused_within_a_second_of_its_limit(self):
        for name, (body, decisive) in BODIES.items():
            if body is lines:
                continue
            size = sum(map(len, body()))
            for way in (self.through_nginx, self.without_nginx):
                with self.subTest(name, way=way.__name__):
                    self.assert_refused(way(size, body(), size, decisive))

    def test_bodies_in_chunks_too(self):
        for name, (body, decisive) in BODIES.items():
            if body is lines:
                continue
            for way in (self.through_nginx, self.without_nginx):
                with self.subTest(name, way=way.__name__):
                    self.assert_refused(way(None, body(), LIMIT, decisive))

    def test_after_all_that_it_still_works(self):
        answer = eventually(lambda: self.stack.upload("number,name\n9876500001,Asha Rao\n"))
        self.assertEqual((answer.status, answer.json()["rows_added"]), (200, 1), answer)


if __name__ == "__main__":
    unittest.main()
