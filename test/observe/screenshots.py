#!/usr/bin/python3
"""Pictures of the status page: idle, busy, in an outage and in a flood; light, dark, in forced colours, on a phone and
a tablet, and of a day:  screenshots.py [SECONDS [FOLDER]]. Those for docs/images are taken after five minutes, when the
charts are full; to look at them after a change, some seconds and a folder do."""
import pathlib
import sys

import scene  # first: it says where the modules below are
import checks
from demo import demo
from flood import Flood
from hostile import start_hostile
from pki import Pki
from proxy import Proxy

IMAGES = checks.ROOT / "docs/images"
BUSY = ("status-light", "status-dark", "phone", "tablet", "forced", "day")
FLOOD_S = 120


def take(proxy, seconds, folder, *names):
    url = f"http://127.0.0.1:{proxy.http_port}/"
    scene.browse("screenshots.js", url, seconds, folder, *names, timeout=seconds + 180)
    for name in names:
        print(folder / f"{name}.png")


def take_idle(seconds, folder):
    with scene.folder() as place, start_hostile(pki := Pki(place)) as upstream:
        with Proxy(place, pki, [upstream.port]) as proxy:
            take(proxy, min(seconds, 60), folder, "idle")


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    scene.browser_driver()
    take_idle(seconds, folder)
    with demo(with_upstream=True) as (proxy, upstream):
        take(proxy, seconds, folder, *BUSY)
        with Flood(proxy.port, seconds=FLOOD_S, connections=1, queries=100, chunk=10000, interval_ms=50, repeats=1,
                   source="127.0.1.1"):
            take(proxy, min(seconds, 40), folder, "flood")
        upstream.go()
        take(proxy, min(seconds, 40), folder, "outage")
        upstream.come_back()


if __name__ == "__main__":
    main()
