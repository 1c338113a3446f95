"""labels: labels of names that want to break out of where they are shown, and how names are read back from there."""
import re

HOSTILE = [b'"', b"\\", b"<script>alert(1)</script>", b"\n\r\t\0", b"a.b", bytes(range(1, 32)), bytes(range(127, 160)),
           bytes(range(192, 255)), "höher".encode(), b"\xed\xa0\x80", b"</script>'\"&"]


def from_shown(name):
    """The octets of the labels of a name in presentation format."""
    octets = re.sub(r"\\(\d{3})|\\(.)", lambda m: chr(int(m[1])) if m[1] else m[2].replace(".", "\udcff"), name)
    return [label.replace("\udcff", ".").encode("latin-1") for label in octets.rstrip(".").split(".")]
