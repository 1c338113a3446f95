"""mutation: bytes as they should not be. The same for the same random numbers."""

INTERESTING = (0, 1, 2, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff)


def _flip(random, content):
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set(random, content):
    content[random.randrange(len(content))] = random.choice(INTERESTING)


def _set_two(random, content):
    at = random.randrange(len(content))
    content[at:at + 2] = random.choice((b"\0\0", b"\0\1", b"\xff\xff", b"\xc0\x0c", b"\xc0\x00", b"\x7f\xff"))


def _cut(random, content):
    del content[random.randrange(len(content)):]


def _remove(random, content):
    at = random.randrange(len(content))
    del content[at:at + random.randrange(1, 16)]


def _repeat(random, content):
    at, to = random.randrange(len(content)), random.randrange(len(content))
    content[to:to] = content[at:at + random.randrange(1, 40)]


def _insert(random, content):
    at = random.randrange(len(content))
    content[at:at] = random.randbytes(random.randrange(1, 20))


def _lengthen(random, content):
    content += random.randbytes(random.choice((1, 50, 2000)))


KINDS = (_flip, _flip, _set, _set, _set_two, _cut, _remove, _repeat, _insert, _lengthen)


def mutated(random, content):
    """`content` with one to four changes; may be empty."""
    result = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if result:
            random.choice(KINDS)(random, result)
    return bytes(result[:65535])
