"""A custom handler that does what its caller tells it, for the tests of the Functions host.

A file in the script root changes its ways from outside: `hold` keeps invocations in flight, `hold-start` keeps it from
listening, `mute` makes it accept and never answer, `fail` lets timers and queue functions fail, `reply` says what they
answer otherwise. A request below `/api/` has been forwarded: it answers what it got.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

root = os.environ["FUNCTIONS_APP_ROOT_PATH"]
in_flight = 0
lock = threading.Lock()


def say(text):
    print(text, flush=True)


def while_there(name):
    while os.path.exists(os.path.join(root, name)):
        time.sleep(0.005)


def obey(instructions):
    """Status, headers and body of the reply that the caller wants."""
    if "exit" in instructions:
        os._exit(instructions["exit"])
    if "spawn" in instructions:
        subprocess.Popen(["sleep", str(instructions["spawn"])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if "stdout" in instructions:
        sys.stdout.write(instructions["stdout"])
        sys.stdout.flush()
    if "stderr" in instructions:
        sys.stderr.write(instructions["stderr"])
        sys.stderr.flush()
    headers = {"Content-Type": instructions.get("contentType", "application/json")}
    if "location" in instructions:
        headers["Location"] = instructions["location"]
    return instructions.get("status", 200), headers, instructions.get("body", "{}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/api/"):
            return self.forwarded()
        if self.path == "/Target":
            return self.answer(200, {"Content-Type": "application/json"}, '{"Outputs":{"res":{"statusCode":203}}}')
        say("probe %s %s" % (self.path, [name for name, _ in self.headers.items()]))
        self.answer(404, {}, "")

    def do_POST(self):
        global in_flight
        if self.path.startswith("/api/"):
            return self.forwarded()
        with lock:
            in_flight += 1
            say("in flight %d" % in_flight)
        try:
            body = self.body()
            while_there("hold")
            self.answer(*self.reply(body))
        finally:
            with lock:
                in_flight -= 1

    def reply(self, body):
        data = json.loads(body)["Data"]
        if "tick" in data or "msg" in data:
            if os.path.exists(os.path.join(root, "fail")):
                return obey({"status": 500})
            if os.path.exists(os.path.join(root, "reply")):
                with open(os.path.join(root, "reply")) as reply:
                    return obey(json.load(reply))
            return obey({})
        text = data.get("req", {}).get("Body", "")
        if text.startswith("{"):
            return obey(json.loads(text))
        echo = {
            "line": self.requestline,
            "headers": self.headers.items(),
            "body": body,
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "arguments": sys.argv[1:],
        }
        headers = {"Content-Type": "application/json"}
        return 200, headers, json.dumps({"Outputs": {"res": {"body": json.dumps(echo)}}, "Logs": ["echoed"]})

    def forwarded(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {"line": self.requestline, "headers": self.headers.items(), "body": body.decode()}
        status = 302 if "redirect" in self.path else 503
        headers = {"Content-Type": "application/problem+json", "Location": "/Target", "X-Own": "1"}
        self.answer(status, headers, json.dumps(seen))

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"])).decode()
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body.decode()

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        body = body.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def process_request(self, request, client_address):
        if os.path.exists(os.path.join(root, "mute")):
            kept.append(request)
        else:
            super().process_request(request, client_address)


kept = []
signal.signal(signal.SIGTERM, lambda *_: (say("got SIGTERM"), os._exit(0)))
if os.environ.get("EXIT_AT_START"):
    print("cannot start", file=sys.stderr, flush=True)
    os._exit(int(os.environ["EXIT_AT_START"]))
while_there("hold-start")
Server(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
