#!/usr/bin/python3
"""A small HTTP server for what no real one in Debian does: to speak as ntfy
does, to fail in chosen ways, and to tell what it was sent.

    relay.py PORTFILE LOG [PORT STORE]

It writes its port into PORTFILE and a line of JSON for each request into LOG.
What it keeps is in the file STORE, if there is one, also when it is killed.
The first part of the path says what it is:

    /ntfy/TOPIC...        ntfy, after its documentation; a message that begins
                          with `hang up` ends the streams
    /plain/TOPIC          events without ids, the history first
    /slow/TOPIC           as a subscriber of Nchan's that is behind sees it: ten
                          messages are kept, and what is older is skipped
                          without a word
    /short/N/TOPIC        413 for bodies over N bytes
    /picky/TOPIC          400 for bodies with a 7 in their numbers
    /busy/N/TOPIC         503 for the first N requests
    /deaf/TOPIC           takes everything and gives nothing back
    /html/...             `ok` as text/html, the default of many servers
    /portal/...           a page that wants a login, with status 200
    /status/CODE/...      that status, and a body
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

change = threading.Condition()
topics = {}  # path -> [(number, id, text, cached)]
counts = {}
log = open(sys.argv[2], "a", buffering=1)
port, store = 0, None
if len(sys.argv) > 4:
    port, store = int(sys.argv[3]), open(sys.argv[4], "a+", buffering=1)
    store.seek(0)
    for line in store:
        name, message = json.loads(line)
        topics.setdefault(name, []).append(tuple(message))

NASTY = "no \x1b[2Jentry\r\n#live\nfor you"
PAGE = ("<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
        "<center><h1>not here</h1></center>\r\n</body>\r\n</html>\r\n")


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def split(self):
        url = urlsplit(self.path)
        self.query = {k: v[-1] for k, v in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        log.write(json.dumps({
            "method": self.command, "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "records": self.body.count(b"zp1."), "len": len(self.body)}) + "\n")
        return url.path.strip("/").split("/")

    def answer(self, status, body="", type="text/plain", **headers):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(data)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(data)

    def keep(self, topic, text, cached=True):
        with change:
            kept = topics.setdefault(topic, [])
            n = kept[-1][0] + 1 if kept else 1
            kept.append((n, "Kq%010dx" % n, text, cached))
            if store:
                store.write(json.dumps((topic, kept[-1])) + "\n")
            change.notify_all()
        return kept[-1]

    # ---- publishing

    def do_POST(self):
        part = self.split()
        kind, topic = part[0], "/".join(part)
        if kind == "ntfy":
            return self.ntfy_publish(part[1])
        if kind == "status":
            return self.fail(part)
        if kind == "portal":
            return self.answer(200, PAGE, "text/html; charset=utf-8")
        if kind == "html":
            return self.answer(200, "ok", "text/html")
        if kind == "short" and len(self.body) > int(part[1]):
            return self.answer(413, "too much at once")
        if kind == "picky" and any(b"7" in r.split(b".")[-1][:8]
                                   for r in self.body.split(b"\n")):
            return self.answer(400, "no sevens")
        if kind == "busy":
            with change:
                counts[topic] = counts.get(topic, 0) + 1
                if counts[topic] <= int(part[1]):
                    return self.answer(503, "later", Retry_After="1")
        if kind != "deaf":
            self.keep(topic, self.body.decode("latin-1"))
        return self.answer(201, "taken")

    def fail(self, part):
        code = int(part[1])
        if code // 100 == 3:
            return self.answer(code, "elsewhere",
                               Location="https://elsewhere.example/x")
        if code == 404:
            return self.answer(code, PAGE, "text/html")
        return self.answer(code, NASTY if code != 200 else "hello")

    # ---- subscribing

    def do_GET(self):
        part = self.split()
        kind = part[0]
        if kind == "status":
            return self.fail(part)
        lines = kind == "ntfy" and part[2:] == ["json"]
        if not lines and "text/event-stream" not in self.headers.get(
                "Accept", ""):
            return self.answer(200, "a relay for tests")
        self.send_response(200)
        self.send_header("Content-Type", (
            "application/x-ndjson" if lines else "text/event-stream") +
            "; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            if kind == "ntfy":
                return self.ntfy_stream(part[1], lines)
            return self.stream("/".join(part), kind)
        except (BrokenPipeError, ConnectionResetError):
            return None

    def send(self, text):
        self.wfile.write(text.encode("latin-1"))
        self.wfile.flush()

    def stream(self, topic, kind):
        at = 0
        while True:
            with change:
                kept = topics.get(topic, [])
                while not kept or kept[-1][0] <= at:
                    if not change.wait(1):
                        self.send(":\n\n")
                    kept = topics.get(topic, [])
                if kind == "slow":
                    kept = kept[-10:]
                new = [m for m in kept if m[0] > at]
            if kind == "slow":
                new = new[:1]
                time.sleep(0.005)
            for n, _, text, _ in new:
                at = n
                self.send("".join("data: %s\n" % line
                                  for line in text.split("\n")) + "\n")

    # ---- ntfy

    def ntfy_message(self, lines, topic, event, id, text=None):
        m = {"id": id, "time": 1732300000, "event": event, "topic": topic}
        if text is not None:
            m["expires"] = 1732343200
            m["message"] = text
            m["tags"] = ['"id":"not-this-one"']
        line = json.dumps(m, separators=(",", ":")) + "\n"
        if lines:
            return line
        kind = "" if event == "message" else "event: %s\n" % event
        return "%sdata: %s\n" % (kind, line)

    def ntfy_publish(self, topic):
        if len(self.body) > 4095:
            text = "You received a file: attachment.txt"
        else:
            text = self.body.decode("latin-1").strip()
        cached = self.headers.get("X-Cache", "yes") != "no"
        n, id, _, _ = self.keep("ntfy/" + topic, text, cached)
        return self.answer(200, json.dumps({
            "id": id, "event": "message", "topic": topic, "message": text}),
            "application/json")

    def ntfy_stream(self, topic, lines):
        def tell(*what):
            self.send(self.ntfy_message(lines, topic, *what))
        since, poll = self.query.get("since"), "poll" in self.query
        with change:
            kept = list(topics.get("ntfy/" + topic, []))
        at = kept[-1][0] if kept else 0
        if not poll:
            tell("open", "oPeN00000000")
        if since is not None:
            # What is not in the cache counts as older than all of it.
            from_n = next((m[0] for m in kept if m[1] == since and m[3]), 0)
            for n, id, text, cached in kept:
                if cached and n > from_n:
                    tell("message", id, text)
        while not poll:
            with change:
                kept = topics.get("ntfy/" + topic, [])
                new = [m for m in kept if m[0] > at]
                if not new and not change.wait(1):
                    tell("keepalive", "kEeP00000000")
            for n, id, text, _ in new:
                at = n
                tell("message", id, text)
                if text.startswith("hang up"):
                    return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *args):
        pass  # who hangs up


server = Server(("127.0.0.1", port), Relay)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
