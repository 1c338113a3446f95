"""alertmanager: Debian's Alertmanager with the example configuration of this tree, and the one whom it tells: each
notification is kept, with its time."""
import http.server
import json
import threading
import time

import yaml

import checks  # first: it says where the modules below are
from process import Process, free_port, is_ready, wait_for

EXAMPLE = checks.ROOT / "metrics/prometheus/alertmanager.example.yml"


class People:
    """Whom Alertmanager tells: (time, status, [(alert's name, instance, whether it fires)])."""

    def __init__(self):
        self.told = []
        people = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                people.hear(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hear(self, body):
        alerts = [(alert["labels"]["alertname"], alert["labels"].get("instance", ""), alert["status"] == "firing")
                  for alert in body["alerts"]]
        self.told.append((time.time(), body["status"], alerts))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._server.shutdown()


def configuration(port):
    """The example as it is, but for whom it tells."""
    config = yaml.safe_load(EXAMPLE.read_text())
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"http://127.0.0.1:{port}/", "send_resolved": True}]
    return config


class Alertmanager(Process):
    def __init__(self, folder, people):
        path = folder / "alertmanager.json"
        path.write_text(json.dumps(configuration(people.port)))
        self.port = free_port()
        super().__init__("alertmanager", [
            "prometheus-alertmanager", f"--config.file={path}", f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn",
        ], folder)
        wait_for(lambda: is_ready(f"http://127.0.0.1:{self.port}/-/ready"), "Alertmanager is ready", 30)
