"""What goes over a socket, byte by byte: the attacks say what no well-behaved library would."""

import http.client
import json
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
CANCEL = 8

# What an exchange raises where it gets no answer.
FAILURES = (OSError, http.client.HTTPException)


def connect(address, source="", receive_buffer=None, timeout=10):
    """A connection from a loopback address of our choice, with room for so many bytes that we do not read."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout)
    connection.bind((source, 0))
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def request(method, path, body=None, **headers):
    """The bytes of an HTTP/1.1 request; `x_y=1` is the header `x-y: 1`, a list is the header so many times."""
    lines = [f"{method} {path} HTTP/1.1"]
    headers = {"host": "siege", **headers}
    if body is not None:
        headers = {"content_type": "application/json", "content_length": len(body), **headers}
    for name, values in headers.items():
        lines += [f"{name.replace('_', '-')}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def bearer(token):
    return f"Bearer {token}"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def exchange(connection, data):
    """Sends a request and reads its whole answer, also one that came before all was sent."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    answer = http.client.HTTPResponse(connection, method=data.split(b" ", 1)[0].decode())
    answer.begin()
    return Answer(answer.status, answer.headers, answer.read())


def once(address, data, source=""):
    """The answer to one request on a connection of its own."""
    with connect(address, source) as connection:
        return exchange(connection, data)


def begin(address, data, source, **options):
    """A connection on which so much was said; `None` where it is refused or cut off, which is an answer too."""
    try:
        connection = connect(address, source, **options)
    except OSError:
        return None
    try:
        connection.sendall(data)
    except OSError:
        connection.close()
        return None
    return connection


class Client:
    """Asks on one connection for as long as the server keeps it, then on another."""

    def __init__(self, address, source="", timeout=10):
        self.address, self.source, self.timeout, self.connection = address, source, timeout, None

    def ask(self, data):
        self.connection = self.connection or connect(self.address, self.source, timeout=self.timeout)
        try:
            answer = exchange(self.connection, data)
        except FAILURES:
            self.close()
            raise
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self):
        if self.connection:
            self.connection = self.connection.close()


def frame(kind, flags, stream, payload=b""):
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def hello(window=65535):
    """How a client opens HTTP/2: it lets each answer send so many bytes."""
    return PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window))


def headers(stream, method, path, **more):
    """The frame of a request without a body, all of it literal and never indexed (RFC 7541, section 6.2.3)."""
    fields = {":method": method, ":scheme": "http", ":authority": "siege", ":path": path}
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    text = b"".join(b"\x10" + literal(name) + literal(value) for name, value in fields.items())
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, text)


def literal(text):
    """A string without Huffman coding; a length beyond 7 bits goes on in the next bytes (RFC 7541, section 5.1)."""
    length, data = len(text), text.encode()
    if length < 127:
        return bytes([length]) + data
    prefix, rest = [127], length - 127
    while rest >= 128:
        prefix.append(rest % 128 + 128)
        rest //= 128
    return bytes([*prefix, rest]) + data


def reset(stream):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def frames(connection, seconds):
    """The frames that arrive within a time: kind, flags and payload."""
    data, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            more = connection.recv(65536)
        except OSError:
            return
        if not more:
            return
        data += more
        while len(data) >= 9 and len(data) >= 9 + (length := int.from_bytes(data[:3], "big")):
            yield data[3], data[4], data[9:9 + length]
            data = data[9 + length:]


STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
HUFFMAN_DIGITS = {"00000": "0", "00001": "1", "00010": "2", **{f"{25 + i:06b}": str(3 + i) for i in range(7)}}


def status(block):
    """The status at the start of an answer's header block: from the static table, or a literal of digits."""
    if block[0] & 0x80:
        return STATIC_STATUS.get(block[0] & 0x7F)
    text = block[2:2 + (block[1] & 0x7F)]
    if not block[1] & 0x80:
        return int(text)
    bits, digits, code = "".join(f"{byte:08b}" for byte in text), "", ""
    for bit in bits:
        code += bit
        if code in HUFFMAN_DIGITS:
            digits, code = digits + HUFFMAN_DIGITS[code], ""
    return int(digits[:3])
