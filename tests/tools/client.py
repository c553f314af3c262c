"""A client of the HTTP API."""
import base64
import json
import urllib.request


class Client:
    def __init__(self, port, user="guest", password="guest"):
        self.base = f"http://127.0.0.1:{port}"
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, self.headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def get(self, path):
        return json.loads(self.send("GET", path))
