#!/usr/bin/env python3
"""The wire between hosts that are network namespaces.

wire.py NAME=PID=ADDRESS...   each host is the network namespace of that process; it gets a
TUN device with that address in a /24, and whatever it sends passes through here. Orders come
on standard input, one a line, and each is answered with one line:

    between A B [cut] [delay=MS] [jitter=MS] [lose=PERCENT] [double=PERCENT] [late=PERCENT]
        from now on, both ways; without a word after the names the way is clear again.
        late: this share of packets waits 20 ms more and is overtaken by others
    count A B
        packets so far, both ways: passed=N dropped=N doubled=N overtaken=N

It ends when standard input does. It stands in for the kernel's netem, which not every kernel
has; chance comes from a fixed seed.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
LATE_S = 0.020
MTU = 1400


def enter(path):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"enter {path}")


def plug(pid, address):
    """A TUN device in the namespace of that process; its file descriptor stays with us."""
    enter(f"/proc/{pid}/ns/net")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", b"wire0", IFF_TUN | IFF_NO_PI))
    for order in (
        "link set lo up",
        f"address add {address}/24 dev wire0",
        f"link set wire0 mtu {MTU} up",
    ):
        subprocess.run(["ip", *order.split()], check=True)
    return tun


class Way:
    """What befalls packets between two hosts."""

    def __init__(self):
        self.passed = self.dropped = self.doubled = self.overtaken = 0
        self.set([])

    def set(self, words):
        self.cut = "cut" in words
        given = dict(word.split("=", 1) for word in words if "=" in word)
        number = lambda name: float(given.get(name, 0))
        self.delay, self.jitter = number("delay") / 1000, number("jitter") / 1000
        self.lose, self.double, self.late = number("lose"), number("double"), number("late")


def main():
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    hosts, by_address, ways = {}, {}, {}
    for argument in sys.argv[1:]:
        name, pid, address = argument.split("=")
        hosts[plug(pid, address)] = name
        by_address[socket.inet_aton(address)] = name
    enter(f"/proc/self/fd/{home}")
    ports = {name: tun for tun, name in hosts.items()}
    chance = random.Random(7)
    waiting, order = [], 0
    poll = select.poll()
    for tun in hosts:
        poll.register(tun, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    print("ready", flush=True)

    def way(a, b):
        return ways.setdefault(frozenset((a, b)), Way())

    def send(tun, packet):
        try:
            os.write(tun, packet)
        except OSError:
            pass  # a host that is gone, or whose device is full: the network loses packets

    def carry(packet, sender):
        nonlocal order
        to = by_address.get(packet[16:20]) if packet[0] >> 4 == 4 else None
        if to is None or to == sender:
            return
        way_there = way(sender, to)
        if way_there.cut or chance.random() * 100 < way_there.lose:
            way_there.dropped += 1
            return
        copies = 1
        if chance.random() * 100 < way_there.double:
            way_there.doubled += 1
            copies = 2
        for _ in range(copies):
            wait = way_there.delay + way_there.jitter * chance.random()
            if chance.random() * 100 < way_there.late:
                way_there.overtaken += 1
                wait += LATE_S
            way_there.passed += 1
            if wait == 0:
                send(ports[to], packet)
            else:
                order += 1
                heapq.heappush(waiting, (time.monotonic() + wait, order, to, packet))

    def obey(line):
        words = line.split()
        if words[:1] == ["between"]:
            way(words[1], words[2]).set(words[3:])
            return "ok"
        if words[:1] == ["count"]:
            w = way(words[1], words[2])
            return (
                f"passed={w.passed} dropped={w.dropped} "
                f"doubled={w.doubled} overtaken={w.overtaken}"
            )
        return "unknown order"

    told = b""
    while True:
        pause = None
        if waiting:
            pause = max(0, (waiting[0][0] - time.monotonic()) * 1000)
        for ready, _ in poll.poll(pause):
            if ready == 0:
                piece = os.read(0, 4096)
                if not piece:
                    return
                told += piece
                while b"\n" in told:
                    line, told = told.split(b"\n", 1)
                    print(obey(line.decode()), flush=True)
                continue
            try:
                carry(os.read(ready, 65536), hosts[ready])
            except BlockingIOError:
                pass
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(waiting)
            send(ports[to], packet)


main()
