"""readme: the commands that README.md asks its readers to type, and a clone to type them in."""
import re
import shutil

import checks

PATH = checks.ROOT / "README.md"


def commands(text):
    """All of them: the lines of ```sh blocks without their comments, what is typed behind a $, and what stands between
    backquotes and begins like one."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", text)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    typed = re.findall(r"(?m)^\$ (.+)$", text)
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    inline = [each for each in re.findall(r"`([^`\n]+)`", prose) if re.match(r"(scripts/|cmake |\w+ -)", each)]
    return lines + typed + inline


def with_word(found, *words):
    return next(each for each in found if all(word in each for word in words))


def make_clone(folder):
    """What `git clone` would give, with what was not committed yet."""
    files = checks.output("git", "ls-files", "-co", "--exclude-standard", cwd=checks.ROOT).splitlines()
    for file in files:
        if (checks.ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checks.ROOT / file, folder / file)
