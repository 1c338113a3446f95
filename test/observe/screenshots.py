#!/usr/bin/python3
"""Pictures of the status page of a busy program:  screenshots.py [SECONDS [FOLDER]]. Those for docs/images are taken
after five minutes, when its charts are full; to look at all widths after a change, some seconds and a folder do."""
import os
import shutil
import sys

import scene  # first: it says where the modules below are
import checks
from demo import demo

IMAGES = checks.ROOT / "docs/images"


def main():
    seconds = sys.argv[1] if len(sys.argv) > 1 else "300"
    scene.browser_driver()
    with scene.folder() as folder, demo() as proxy:
        scene.browse("screenshots.js", f"http://127.0.0.1:{proxy.http_port}/", seconds, folder,
                     timeout=int(seconds) + 120)
        names = sorted(os.listdir(folder))
        wanted = names if len(sys.argv) > 2 else ["status-dark.png", "status-light.png"]
        goal = sys.argv[2] if len(sys.argv) > 2 else IMAGES
        os.makedirs(goal, exist_ok=True)
        for name in wanted:
            print(shutil.copy(folder / name, goal))


if __name__ == "__main__":
    main()
