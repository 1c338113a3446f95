"""report: figures as tables of Markdown and as a picture."""
import datetime
import html
import json
import os
import pathlib
import platform
import re
import textwrap

import faults
from field import OURS, PEERS, TITLES
from peers import installed_version

BEGIN, END = "<!-- bench:begin (written by scripts/bench --write) -->", "<!-- bench:end -->"


def shown(value, figure):
    if figure == "client_bytes" or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def bound(scenario, figures):
    """What ours may be at most in this run."""
    limit = figures[scenario.limit][scenario.figure]
    peers = [figures[peer][scenario.figure] for peer in PEERS if is_sound(figures[peer])]
    bounds = [scenario.most, scenario.factor * limit, scenario.peer_share * min(peers, default=0)]
    return min(each for each in bounds if each > 0)


def is_sound(figures):
    """It answered what it was asked: a figure over SERVFAILs or lost queries says nothing."""
    bad = figures["servfail"] + figures["lost"] + figures["wrong"]
    return figures["answered"] > 0 and bad <= figures["answered"] / 100


def cell(figures, figure):
    text = shown(figures[figure], figure)
    return text if is_sound(figures) else f"({text}: SERVFAILs)"


def table(scenarios, results):
    names = (OURS, *PEERS)
    lines = ["| work | at most | met | limit | " + " | ".join(TITLES[name] for name in names) + " |",
             "|---|---|---|---|" + "---|" * len(names)]
    for key, figures in results.items():
        scenario = scenarios[key]
        met = "yes" if figures[OURS][scenario.figure] <= bound(scenario, figures) else "**no**"
        cells = [cell(figures[name], scenario.figure) for name in (scenario.limit, *names)]
        cells[1] = f"**{cells[1]}**"
        lines.append(f"| {scenario.title} ({scenario.unit}) | {scenario.target} | {met} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rates_table(scenarios, results):
    names = (OURS, *PEERS)
    lines = ["| work | | limit | " + " | ".join(TITLES[name] for name in names) + " |",
             "|---|---|---|" + "---|" * len(names)]
    for key, figures in results.items():
        scenario = scenarios[key]
        columns = [figures[name] for name in (scenario.limit, *names)]
        if scenario.figure == "client_bytes":
            continue
        for figure, title in (("per_s", "answers/s"), ("p50_us", "median us"), ("p99_us", "99 % us")):
            cells = " | ".join(f"{each[figure]:,.0f}" for each in columns)
            lines.append(f"| {scenario.title.partition(':')[0]} | {title} | {cells} |")
        if " -r " in scenario.load:  # at a rate: one that is saturated hardly waits
            cells = " | ".join(f"{each['wake_ups']:.2f}" for each in columns)
            lines.append(f"| {scenario.title.partition(':')[0]} | wake-ups a query | {cells} |")
    return "\n".join(lines) + "\n"


def workers_table(workers):
    lines = ["| workers | answers/s | us CPU a query | kernel calls for locks, per 1,000 queries |",
             "|---|---|---|---|"]
    for count, figures in workers.items():
        waits = f"{figures['waits'] * 1000:.2f}" if figures["waits"] >= 0 else "not measured"
        lines.append(f"| {count} | {figures['per_s']:,.0f} | {figures['cpu_us']:.2f} | {waits} |")
    return "\n".join(lines) + "\n"


def extra_tables(extra):
    tables = {"workers": workers_table, "faults": faults.table}
    return [tables[key](extra[key]) for key in tables if extra.get(key)]


# --- where it was measured


def machine(rounds, peers, network):
    processor = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = ", ".join(f"{TITLES[peer]} {peers.version(peer)}" for peer in PEERS)
    return textwrap.fill(
        f"{datetime.date.today()}, {os.cpu_count()} processors ({processor.group(1) if processor else '?'}), "
        f"{memory:.0f} GiB, Linux {platform.release()}, wolfSSL {installed_version('libwolfssl[0-9]*')}. "
        f"Peers {peers.title()}: {versions}. {network}. "
        f"Rounds: {rounds}, medians, servers in turn; load, upstream and servers share the processors.",
        width=118, break_long_words=False, break_on_hyphens=False) + "\n"


# --- the picture

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .small { font-size: 11px; fill: #57606a } .value { font-size: 12px }
.peer { fill: #9aa4b0 } .ours { fill: #1a7f5a } .limit { fill: none; stroke: #57606a; stroke-dasharray: 3 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .peer { fill: #5b6672 } .ours { fill: #3fb98a } .limit { stroke: #9198a1 }
}
"""
PANEL_WIDTH, PANEL_HEIGHT, BAR, LABEL, ROOM = 400, 190, 20, 110, 60


def panel(scenario, figures, left, top):
    names = (scenario.limit, OURS, *PEERS)
    sound = [figures[name][scenario.figure] for name in names if is_sound(figures[name])]
    scale = (PANEL_WIDTH - LABEL - ROOM - 20) / max([*sound, 1e-9])
    yield f'<g transform="translate({left} {top})">'
    yield f'<text class="title" x="0" y="14">{html.escape(scenario.title)}, {scenario.unit}</text>'
    for row, name in enumerate(names):
        y = 28 + row * (BAR + 5)
        yield f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{html.escape(TITLES[name])}</text>'
        if not is_sound(figures[name]):
            yield f'<text class="small" x="{LABEL}" y="{y + 15}">answers SERVFAIL</text>'
            continue
        value = figures[name][scenario.figure]
        kind = "limit" if name == scenario.limit else "ours" if name == OURS else "peer"
        width = max(value * scale, 1)
        yield f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield f'<text class="value" x="{LABEL + width + 6:.1f}" y="{y + 15}">{shown(value, scenario.figure)}</text>'
    yield "</g>"


def picture(scenarios, results):
    keys = [key for key in results if scenarios[key].figure != "p50_us"]
    rows = (len(keys) + 1) // 2
    width, height = 2 * PANEL_WIDTH + 60, 60 + rows * (PANEL_HEIGHT + 20)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
             "<title>What a query costs each server</title>", f"<style>{STYLE}</style>",
             '<text class="title" x="20" y="24" style="font-size: 16px">What a query costs: shorter is better</text>',
             '<text class="small" x="20" y="42">limit: a program that only moves the bytes (dashed)</text>']
    for number, key in enumerate(keys):
        left, top = 20 + number % 2 * (PANEL_WIDTH + 20), 60 + number // 2 * (PANEL_HEIGHT + 20)
        lines += panel(scenarios[key], results[key], left, top)
    return "\n".join([*lines, "</svg>"]) + "\n"


def merged(path, scenarios, results, extra):
    """With what former runs on this machine left at `path`: a scenario holds all servers of one run, so each stands by
    itself.
    """
    kept = json.loads(path.read_text(encoding="ascii")) if path.exists() else {"results": {}, "extra": {}}
    all_results = {**kept["results"], **results}
    kept = {"results": {key: all_results[key] for key in scenarios if key in all_results},
            "extra": {**kept["extra"], **extra}}
    path.write_text(json.dumps(kept), encoding="ascii")
    return kept["results"], kept["extra"]


def write(root, scenarios, results, extra, run):
    """Into the document between its markers, and the picture beside it. `run`: what machine() says of it."""
    results, extra = merged(root / "build/bench-results.json", scenarios, results, extra)
    document = root / "docs/PERFORMANCE.md"
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    parts = [run, table(scenarios, results), rates_table(scenarios, results), *extra_tables(extra)]
    _, _, after = rest.partition(END)
    document.write_text(before + BEGIN + "\n" + "\n".join(parts) + END + after, encoding="utf-8")
    images = root / "docs/images"
    images.mkdir(exist_ok=True)
    (images / "performance.svg").write_text(picture(scenarios, results), encoding="utf-8")
