"""A function that answers what it was told, to see what nginx passes on. Takes a function's place at its socket."""

import json
import os
import socketserver
import struct
import threading

BEGIN, PARAMS, STDIN, STDOUT, END = 1, 4, 5, 6, 3


class Echo:
    """While it lasts, `name` of a stack answers its parameters and the size of its body as JSON."""

    def __init__(self, stack, name):
        self.path = stack.state / "run" / f"{name}.sock"
        self.aside = self.path.with_suffix(".aside")

    def __enter__(self):
        self.path.rename(self.aside)
        self.server = socketserver.ThreadingUnixStreamServer(str(self.path), Responder)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        os.rename(self.aside, self.path)


class Responder(socketserver.StreamRequestHandler):
    """One request of the FastCGI protocol (its specification, section 3)."""

    def handle(self):
        parameters, size = b"", 0
        while record := self.record():
            kind, content = record
            if kind == PARAMS:
                parameters += content
            elif kind == STDIN:
                size += len(content)
                if not content:
                    break
        body = json.dumps({"told": dict(pairs(parameters)), "size": size}).encode()
        self.send(STDOUT, b"Content-Type: application/json\r\nX-Request-Id: forged\r\n\r\n" + body)
        self.send(STDOUT, b"")
        self.send(END, bytes(8))

    def record(self):
        header = self.rfile.read(8)
        if len(header) < 8:
            return None
        _, kind, _, length, padding = struct.unpack("!BBHHBx", header)
        return kind, self.rfile.read(length + padding)[:length]

    def send(self, kind, content):
        self.wfile.write(struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content)


def pairs(data):
    """Name-value pairs: lengths below 128 take one byte, others four."""
    position = 0

    def length():
        nonlocal position
        if data[position] < 128:
            position += 1
            return data[position - 1]
        position += 4
        return struct.unpack("!I", data[position - 4 : position])[0] & 0x7FFF_FFFF

    while position < len(data):
        sizes = length(), length()
        name = data[position : position + sizes[0]]
        value = data[position + sizes[0] : position + sum(sizes)]
        position += sum(sizes)
        yield name.decode(), value.decode("latin-1")
