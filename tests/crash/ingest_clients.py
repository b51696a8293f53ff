#!/usr/bin/env python3
"""Many clients, an event and an idempotency key each, behind a proxy that delays, cuts and tears what goes through
it, before a service that is killed meanwhile: every event that was answered with 202 is in the lake exactly once,
whoever asks again hears the same receipt, and nothing is there twice."""
import asyncio
import collections
import json
import random
import threading
import time

import tap
from inlets import Inlets, LAND

CLIENTS = 10_000 if tap.LONG else 1_000
AT_ONCE = 400   # connections of theirs that are open
KILLS = 20 if tap.LONG else 3
FAULTS = 0.35   # of the connections
ATTEMPT_SECONDS = 10
AGAIN = 0.1     # of the clients ask once more when they were answered

PIPELINES = LAND.replace("rows: 1000, age: 100ms", "rows: 500, age: 100ms")


class Proxy:
    """Passes connections on; what happens to one is drawn when it is opened."""
    FATES = ("late", "unheard", "half a request", "no answer", "half an answer", "slow")

    def __init__(self, port, dice):
        self.server_port, self.dice = port, dice
        self.done = collections.Counter()

    async def start(self):
        server = await asyncio.start_server(self.carry, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def carry(self, reader, writer):
        fate = self.dice.choice(self.FATES) if self.dice.random() < FAULTS else "whole"
        self.done[fate] += 1
        try:
            await asyncio.wait_for(self.pass_on(fate, reader, writer), ATTEMPT_SECONDS)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def pass_on(self, fate, reader, writer):
        request = await read_message(reader)
        if fate == "unheard":
            return
        if fate == "late":
            await asyncio.sleep(self.dice.random() * 0.5)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            if fate == "half a request":
                up_writer.write(request[:self.dice.randrange(len(request))])
                return await up_writer.drain()
            for piece in (request[:20], request[20:]) if fate == "slow" else (request,):
                up_writer.write(piece)
                await up_writer.drain()
                if fate == "slow":
                    await asyncio.sleep(self.dice.random() * 0.2)
            answer = await read_message(up_reader)
            if fate == "no answer":
                return
            writer.write(answer[:len(answer) // 2] if fate == "half an answer" else answer)
            await writer.drain()
        finally:
            up_writer.close()


async def read_message(reader):
    """The bytes of a request or an answer whose length its head says."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


class Clients:
    def __init__(self, port, dice):
        self.port, self.dice = port, dice
        self.places = asyncio.Semaphore(AT_ONCE)
        self.receipts = {}  # event -> receipt
        self.attempts = 0
        self.wrong = []

    async def ask(self, number):
        """One attempt: its status and document, or None."""
        body = json.dumps({"event_id": f"event-{number}", "amount": "1.50"}).encode()
        head = (f"POST /ingest/payments HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
                f"Idempotency-Key: key-{number}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n")
        async with self.places:
            self.attempts += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(head.encode() + body)
                await writer.drain()
                answer = await read_message(reader)
            finally:
                writer.transport.abort()
        top, _, body = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), json.loads(body)

    async def until_taken(self, number):
        while True:
            try:
                status, said = await asyncio.wait_for(self.ask(number), ATTEMPT_SECONDS)
                if status == 202:
                    return said["receipt"]
                if status not in (429, 503):
                    self.wrong.append((number, status, said))
                    return None
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(0.05 + self.dice.random() * 0.3)

    async def client(self, number):
        await asyncio.sleep(self.dice.random() * CLIENTS / 500)
        receipt = await self.until_taken(number)
        self.receipts[f"event-{number}"] = receipt
        if self.dice.random() < AGAIN:
            again = await self.until_taken(number)
            if again != receipt:
                self.wrong.append((number, "another receipt", receipt, again))


class Killer(threading.Thread):
    """Ends the service without a word, and starts it again."""

    def __init__(self, s, dice):
        super().__init__()
        self.s, self.dice, self.kills, self.going = s, dice, 0, True

    def run(self):
        while self.going and self.kills < KILLS:
            time.sleep(0.3 + self.dice.random())
            self.s.kill()
            self.s.up()
            self.kills += 1


async def post_all(s, dice):
    proxy = Proxy(s.port, dice)
    server = await proxy.start()
    clients = Clients(proxy.port, dice)
    await asyncio.gather(*(clients.client(n) for n in range(CLIENTS)))
    server.close()
    return proxy, clients


def test_every_event_of_many_clients_arrives_once():
    dice = random.Random(tap.SEED)
    s = Inlets(pipelines=PIPELINES, serve="  connections_per_address: 1000\n")
    s.up()
    killer = Killer(s, random.Random(tap.SEED + 1))
    killer.start()
    proxy, clients = asyncio.run(post_all(s, dice))
    killer.going = False
    killer.join()
    tap.note(f"{CLIENTS} clients, {clients.attempts} attempts, {killer.kills} kills, connections: {dict(proxy.done)}")
    tap.equal(clients.wrong, [])
    assert killer.kills and min(proxy.done[fate] for fate in Proxy.FATES) > 0, "no trouble at all"
    s.until(lambda: s.log_rows() == [(0,)], 60)
    s.down()
    landed = [(row["event_id"], row["receipt"]) for row in s.landed()]
    tap.equal(len(landed), CLIENTS, "events in the lake")
    tap.equal(dict(landed), clients.receipts, "events and their receipts")
    s.wherry("verify", "land")


tap.run()
