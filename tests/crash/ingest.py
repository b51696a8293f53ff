#!/usr/bin/env python3
"""kill -9 at random moments of a service that takes events, while senders post under idempotency keys and
try again until they are answered: every event that was taken is in the lake and in the table exactly once."""
import collections
import random
import threading
import time

import tap
from inlets import Inlets, LAND

ROUNDS = 300 if tap.LONG else 30
SENDERS = 6

PIPELINES = LAND.replace("rows: 1000, age: 100ms", "rows: 40, age: 50ms") + """\
  hot:
    when: { gathered: { rows: 25, age: 50ms } }
    from: ingest:payments
    columns: { event_id: event_id, receipt: _receipt }
    to: shop:payments
"""


class Sender(threading.Thread):
    """Posts one request after the other, each until it is taken."""

    def __init__(self, s, number, going):
        super().__init__()
        self.s, self.number, self.going = s, number, going
        self.dice = random.Random(tap.SEED + number)
        self.taken = {}  # event -> receipt
        self.open = []   # events of the request that is not answered
        self.wrong = []

    def run(self):
        count = 0
        while self.going.is_set():
            count += 1
            self.open = [f"{self.number}-{count}-{k}" for k in range(self.dice.choice((1, 1, 1, 3, 10)))]
            answer = None
            while answer is None and self.going.is_set():
                try:
                    answer = self.s.post([{"event_id": e} for e in self.open],
                                         headers={"Idempotency-Key": f"{self.number}-{count}"})
                except Exception:  # it was killed, or is not up yet
                    time.sleep(0.01)
                if answer and answer.status == 503:
                    answer = None
            if answer is None:
                return
            if answer.status != 202:
                self.wrong.append(repr(answer))
                return
            self.taken.update((event, answer.json()["receipt"]) for event in self.open)
            self.open = []


def test_every_event_arrives_once_whenever_the_service_is_killed():
    dice = random.Random(tap.SEED)
    s = Inlets(pipelines=PIPELINES, serve="  connections_per_address: 64\n")
    going = threading.Event()
    going.set()
    senders = [Sender(s, n, going) for n in range(SENDERS)]
    s.up()
    for sender in senders:
        sender.start()
    for _ in range(ROUNDS):
        time.sleep(dice.random() * 0.4)
        s.kill()
        s.up()
    time.sleep(0.3)
    going.clear()
    for sender in senders:
        sender.join()
        tap.equal(sender.wrong, [])
    taken = {event: receipt for sender in senders for event, receipt in sender.taken.items()}
    unanswered = {event for sender in senders for event in sender.open}
    tap.note(f"{len(taken)} events taken, {len(unanswered)} not answered, {ROUNDS} kills")
    assert len(taken) > 10 * ROUNDS, "hardly anything was taken"
    landed = lambda: {row["event_id"] for row in s.landed()}
    s.until(lambda: taken.keys() <= landed(), 60)
    s.until(lambda: s.sql("shop", "SELECT count(*) FROM payments")[0][0] >= len(taken), 60)
    s.until(lambda: s.log_rows() == [(0,)], 60)
    s.down()
    for name, rows in (("lake", [(r["event_id"], r["receipt"]) for r in s.landed()]),
                       ("table", s.sql("shop", "SELECT event_id, receipt FROM payments"))):
        twice = [event for event, n in collections.Counter(event for event, _ in rows).items() if n > 1]
        tap.equal(twice, [], f"{name}: arrived twice")
        there = dict(rows)
        tap.equal([e for e in taken if there.get(e) != taken[e]], [], f"{name}: lost, or with another receipt")
        tap.equal([e for e in there if e not in taken and e not in unanswered], [], f"{name}: from nowhere")
    s.wherry("verify", "land")


tap.run()
