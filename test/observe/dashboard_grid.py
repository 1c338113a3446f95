#!/usr/bin/python3
"""The dashboard's grid as a picture, made of its JSON:  dashboard_grid.py [FILE.svg]  (docs/images/dashboard-grid.svg).
Each panel stands where Grafana puts it, with its title, kind, unit and what its legend says; with the extension png
Chromium draws it. Faults of the grid (panels that overlap or leave it, rows with holes) end it with an error."""
import html
import json
import pathlib
import sys

import scene  # first: it says where the modules below are
import checks
from prometheus import DASHBOARD

WIDTH, COLUMNS, HEIGHT, GAP = 1440, 24, 34, 3  # pixels: of the picture, then of a grid row, and between panels
COLOURS = {"row": "#d9dfe7", "stat": "#e8f3ec", "timeseries": "#ffffff", "table": "#fdf6e3", "heatmap": "#f3ebf7",
           "bargauge": "#e9f1fa", "state-timeline": "#e9f1fa", "alertlist": "#fbe9e7"}


def place(panel):
    at = panel["gridPos"]
    return at["x"], at["y"], at["w"], at["h"]


def faults(panels):
    """What Grafana would move or cut."""
    taken = {}
    for panel in panels:
        x, y, w, h = place(panel)
        if x < 0 or x + w > COLUMNS or w < 1 or h < 1:
            yield f"{panel['title']}: outside the grid"
        for cell in ((column, line) for column in range(x, x + w) for line in range(y, y + h)):
            if cell in taken:
                yield f"{panel['title']} overlaps {taken[cell]}"
                break
            taken[cell] = panel["title"]
    lines = {line for _, line in taken}
    for line in range(max(lines) + 1):
        if len([1 for column in range(COLUMNS) if (column, line) in taken]) == 0:
            yield f"line {line} is empty"


def details(panel):
    """The kind, the unit, the scale, and the legends."""
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    scale = defaults.get("custom", {}).get("scaleDistribution", {}).get("type")
    kind = [panel["type"], defaults.get("unit", ""), "log" if scale == "log" else ""]
    legends = [target.get("legendFormat", "") for target in panel.get("targets", [])]
    if panel["type"] == "table":
        legends = [name for step in panel.get("transformations", []) if step["id"] == "organize"
                   for name in step["options"]["renameByName"].values()] or ["labels"]
    return " · ".join(part for part in kind if part), ", ".join(legend for legend in legends if legend != "__auto")


def text(x, y, size, colour, what, width, bold=False):
    most = max(1, int(width / (size * 0.55)))
    shown = what if len(what) <= most else what[:most - 1] + "…"
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{weight}>{html.escape(shown)}</text>'


def draw_panel(panel):
    x, y, w, h = place(panel)
    unit = WIDTH / COLUMNS
    left, top, width, height = x * unit + GAP, y * HEIGHT + GAP, w * unit - 2 * GAP, h * HEIGHT - 2 * GAP
    yield (f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{height}" rx="3" '
           f'fill="{COLOURS.get(panel["type"], "#ffffff")}" stroke="#b8c0ca"/>')
    if panel["type"] == "row":
        yield text(left + 8, top + 19, 14, "#222", panel["title"], width, bold=True)
        return
    kind, legends = details(panel)
    yield text(left + 8, top + 18, 13, "#222", panel["title"], width - 12, bold=True)
    yield text(left + 8, top + 35, 11, "#666", kind, width - 12)
    if h > 4:
        yield text(left + 8, top + height - 9, 11, "#357", legends, width - 12)
        words, lines = panel.get("description", "").split(), [""]
        for word in words:
            if (len(lines[-1]) + len(word)) * 6.3 > width - 20:
                lines.append("")
            lines[-1] = (lines[-1] + " " + word).strip()
        for i, line in enumerate(lines[:(height - 66) // 15]):
            yield text(left + 8, top + 56 + 15 * i, 11, "#888", line, width)


def svg(dashboard):
    panels = dashboard["panels"]
    height = max(y + h for _, y, _, h in map(place, panels)) * HEIGHT + 40
    variables = " ".join(f"[{variable['label']}]" for variable in dashboard["templating"]["list"])
    notes = ", ".join(note["name"].lower() for note in dashboard["annotations"]["list"])
    links = ", ".join(link["title"] for link in dashboard["links"])
    head = f"{dashboard['title']}   {variables}   annotations: {notes}   links: {links}"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="#f4f5f7"/>',
             text(8, 26, 15, "#222", head, WIDTH, bold=True), '<g transform="translate(0 36)">',
             *(part for panel in panels for part in draw_panel(panel)), "</g></svg>"]
    return "\n".join(parts) + "\n"


def photograph(picture, path):
    """By Chromium, whose window is as large as the picture."""
    height = int(picture.split('viewBox="0 0 ', 1)[1].split('"')[0].split()[1])
    with scene.folder() as folder:
        page = folder / "grid.html"
        page.write_text(f"<!DOCTYPE html><meta charset=utf-8><style>body{{margin:0;overflow:hidden}}</style>{picture}")
        checks.run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{height}", f"--screenshot={path}",
                   page.as_uri())


def main():
    goal = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else checks.ROOT / "docs/images/dashboard-grid.svg")
    dashboard = json.loads(DASHBOARD.read_text())
    wrong = list(faults(dashboard["panels"]))
    if wrong:
        sys.exit("\n".join(wrong))
    picture = svg(dashboard)
    if goal.suffix == ".png":
        photograph(picture, goal.resolve())
    else:
        goal.write_text(picture)
    print(goal)


if __name__ == "__main__":
    main()
