"""weather: faults of many kinds on the way to several upstreams, at random, the same for the same seed; but never so
many that no upstream can be reached.

A blow hits all connections to one upstream and is over. A spell lasts: it comes over an upstream only while another
one has none and has had none for SETTLED_S, long enough to have been found again. So every question can be answered.
"""
import collections
import random

SETTLED_S = 3.0
MEAN_PAUSE_S = 1.0  # between two faults

BLOWS = {
    "reset": lambda relay: relay.close_all(reset=True),
    "close": lambda relay: relay.close_all(),
    "hang": lambda relay: relay.hang_all(),  # open, but silent from now on
}


def _refuse(relay):
    relay.refuse()
    relay.close_all(reset=True)


def _drop_syn(relay):
    relay.drop_syn()
    relay.close_all(reset=True)


#: kind -> (seconds it may last, how it begins, how it ends)
SPELLS = {
    "refuses": ((0.3, 0.3), _refuse, lambda relay: relay.accept()),
    "is far": ((1.0, 4.0), lambda relay: relay.set_delay(seconds=0.02), lambda relay: relay.set_delay(seconds=0)),
    "accepts and is silent": ((1.0, 4.0), lambda relay: relay.set_hang_new(hang=True),
                              lambda relay: relay.set_hang_new(hang=False)),
    "drops SYN": ((1.0, 4.0), _drop_syn, lambda relay: relay.answer_syn()),
    "forgets idle connections": ((3.0, 9.0), lambda relay: relay.set_swallow_after(seconds=1),
                                 lambda relay: relay.set_swallow_after(seconds=0)),
}

#: what the server behind the first relay (misbehaving.py) does meanwhile; its connections are closed before and after
HABITS = {
    "answers in order": {"serial": True},
    "reads the first message of a record": {"first_of_record": True},
    "never answers": {"silent": True},
    "never shakes hands": {"handshake": None},
    "shakes hands slowly": {"handshake": 0.5},
    "answers twice": {"copies": 2},
    "sends a byte a record": {"record": 1},
    **{f"ends after {count} answers ({end})": {"answers_max": count, "end": end}
       for count in (1, 2, 3, 20, 100) for end in ("close", "reset")},
    **{f"falls silent after {count} answers": {"answers_max": count, "end": "silent"} for count in (1, 50)},
    **{f"floods ({kind})": {"flood": kind} for kind in ("frames", "bytes", "length", "records")},
    **{f"says {how} to everything": {"treat": how}
       for how in ("wrongq", "wrongid", "noquestion", "trailing", "shorta", "cutoff", "formerr", "notimp", "badvers",
                   "servfail", "refused", "needsplain")},
}


class Weather:
    """`odd`: the server behind the first relay, or None."""

    def __init__(self, relays, seed, now, odd=None):
        self._relays = relays
        self._odd = odd
        self._random = random.Random(seed)
        self._spells = {}  # place -> (when it ends, how)
        self._fair_since = [now] * len(relays)
        self._next = now + SETTLED_S
        self.counts = collections.Counter()

    def step(self, now):
        """Does what is due."""
        for place in [place for place, (end, _) in self._spells.items() if now >= end]:
            self._end(place, now)
        if now >= self._next:
            self._next = now + self._random.expovariate(1 / MEAN_PAUSE_S)
            self._strike(self._random.randrange(len(self._relays)), now)

    def clear(self, now):
        for place in list(self._spells):
            self._end(place, now)

    def _end(self, place, now):
        _, how = self._spells.pop(place)
        how(self._relays[place])
        self._fair_since[place] = now

    def _strike(self, place, now):
        odd = self._odd if place == 0 else None
        kind = self._random.choice([*BLOWS, *SPELLS, *(HABITS if odd else ())])
        if kind in BLOWS:
            BLOWS[kind](self._relays[place])
        elif kind in HABITS:
            if not self._may_begin(place, now):
                return
            self._behave(HABITS[kind])
            self._spells[place] = (now + self._random.uniform(1.0, 4.0), lambda relay: self._behave({}))
        elif self._may_begin(place, now):
            seconds, begin, how_it_ends = SPELLS[kind]
            begin(self._relays[place])
            self._spells[place] = (now + self._random.uniform(*seconds), how_it_ends)
        else:
            return
        self.counts[kind] += 1

    def _behave(self, how):
        self._odd.behave(**how)
        self._relays[0].close_all()

    def _may_begin(self, place, now):
        others = [other for other in range(len(self._relays)) if other != place and other not in self._spells]
        return place not in self._spells and any(now - self._fair_since[other] >= SETTLED_S for other in others)
