"""What a former process left is damaged, another program's, or not what it says: it is discarded, with one line in the
log, and the program starts as without.
"""
import array
import fcntl
import os
import socket
import struct

import pytest
import wire
from dnsclient import Client, ask
from fdstore import asked, handover, is_closed

DISCARDED = "hand-over discarded"
MFD_ALLOW_SEALING = 2
F_ADD_SEALS, ALL_SEALS = 1033, 1 | 2 | 4 | 8


def memory(content, seals=ALL_SEALS):
    descriptor = os.memfd_create("image", MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(descriptor, content)
    if seals:
        fcntl.fcntl(descriptor, F_ADD_SEALS, seals)
    return descriptor


def bag_of(*messages):
    """As the program fills one: descriptors, message by message, which are closed here."""
    kept, filled = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for descriptors in messages:
        filled.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
        for each in descriptors:
            os.close(each)
    filled.close()
    return kept.detach()


def contents(bag):
    """The descriptors of a bag, message by message, copied."""
    copy = socket.socket(fileno=os.dup(bag))
    copy.setsockopt(socket.SOL_SOCKET, 42, 0)  # SO_PEEK_OFF
    messages = []
    with copy:
        while True:
            data, descriptors, _, _ = socket.recv_fds(copy, 1, 253, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            if not data:
                return messages
            messages.append(descriptors)


def change_image(store, change):
    """Puts a bag into the store that differs from the one there by its image."""
    bag = store.bag()
    (image,), *others = contents(bag)
    content = os.pread(image, os.fstat(image).st_size, 0)
    os.close(image)
    store.drop()
    store.put(bag_of([change(content)], *others))


def flip(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


IMAGES = {
    "empty": lambda content: memory(b""),
    "cut": lambda content: memory(content[:-1]),
    "cut in its front": lambda content: memory(content[:13]),
    "longer": lambda content: memory(content + b"\0"),
    "first bit": lambda content: memory(flip(content, 0)),
    "a count": lambda content: memory(flip(content, 80)),
    "last bit": lambda content: memory(flip(content, len(content) - 1)),
    "other version": lambda content: memory(content[:8] + struct.pack("!I", 999) + content[12:]),
    "zeros": lambda content: memory(bytes(len(content))),
    "not sealed": lambda content: memory(content, 0),
    "no memory": lambda content: os.open("/etc/hostname", os.O_RDONLY),
    "a directory": lambda content: os.open("/", os.O_RDONLY),
    "a socket": lambda content: socket.socket().detach(),
}


@pytest.mark.parametrize("image", IMAGES)
def test_a_damaged_image_is_discarded_with_one_line(service, store, image):
    client = Client(service.port)
    asked(client, "a.test")
    service.finish()
    since = len(service.log())
    change_image(store, IMAGES[image])
    service.start()
    said = service.log()[since:]
    assert said.count(DISCARDED) == 1 and is_closed(client) and not store.names()
    assert ("another version" in said) == (image == "other version")
    with Client(service.port) as again:
        asked(again, "b.test")
    assert handover(service)["given"] == 0


def stream_pair():
    return [each.detach() for each in socket.socketpair()]


def test_what_is_no_bag_is_discarded(service, store):
    ends = stream_pair()
    for foreign in (ends[0], os.open("/dev/null", os.O_RDWR), memory(b"image"), bag_of(), bag_of([ends[1]])):
        service.finish()
        store.drop()
        since = len(service.log())
        store.put(foreign)
        service.start()
        assert service.log()[since:].count(DISCARDED) == 1 and not store.names()
        assert wire.rcode_of(ask(service.port, "a.test")) == wire.NOERROR


def test_a_bag_is_never_used_twice(service, store):
    """Where systemd keeps it although it was told to forget it: the next start finds nothing in it."""
    with Client(service.port) as client:
        asked(client, "a.test")
        service.finish()
        older = os.dup(store.bag())
        service.start()
        asked(client, "b.test")
        service.kill()
        assert is_closed(client), "nothing keeps the connection open"
        since = len(service.log())
        store.put(older)
        service.start()
        assert "it was taken before" in service.log()[since:] and not store.names()


def test_an_older_bag_beside_the_right_one_is_of_no_use(service, store):
    with Client(service.port) as client:
        asked(client, "a.test")
        service.finish()
        store.put(bag_of([memory(b"old")]))
        service.start()
        asked(client, "b.test")
        assert not store.names()


def test_connections_that_do_not_fit_are_closed_and_counted(service, store):
    """Others stand in the bag where two of three were; their cookies are not those of the image."""
    clients = [Client(service.port) for _ in range(3)]
    for client in clients:
        asked(client, "a.test")
    service.finish()
    image, sockets, *rest = contents(store.bag())
    descriptors = sockets + [each for message in rest for each in message]
    for at in (-1, -2):
        os.close(descriptors[at])
        pair = stream_pair()
        descriptors[at] = pair[0]
        os.close(pair[1])
    store.drop()
    store.put(bag_of(image, descriptors))
    service.start()
    figures = handover(service)
    assert (figures["given"], figures["taken"], figures["closed"]) == (3, 1, 2)
    assert "unfit=2" in service.log()
    assert sum(not is_closed(client, 0.5) for client in clients) == 1


def test_descriptors_are_missing(service, store):
    clients = [Client(service.port) for _ in range(3)]
    for client in clients:
        asked(client, "a.test")
    service.finish()
    image, sockets, *rest = contents(store.bag())
    descriptors = sockets + [each for message in rest for each in message]
    os.close(descriptors.pop())
    store.drop()
    store.put(bag_of(image, descriptors))
    service.start()
    figures = handover(service)
    assert (figures["given"], figures["taken"], figures["closed"]) == (3, 2, 1) and "not_received=1" in service.log()
