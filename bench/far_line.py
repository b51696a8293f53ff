"""A line to a server on loopback that takes its time, as one to another country does; in a process of its own.

    with FarLine(port, seconds=0.025) as line:  # for the way there and back
        line.port
"""
import asyncio
import multiprocessing

PIECE = 1 << 18
UNDER_WAY = 64 << 20  # bytes in one direction: a line this wide is not what is slow


class FarLine:
    def __init__(self, port, seconds):
        here, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=lambda: asyncio.run(serve(port, seconds / 2, there)), daemon=True)
        self.process.start()
        self.port = here.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()


async def serve(port, delay, parent):
    async def carry(reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return writer.transport.abort()
        await asyncio.gather(way(reader, up_writer, delay), way(up_reader, writer, delay))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def way(reader, writer, delay):
    """What is read is written as much later, in order."""
    clock, pieces = asyncio.get_running_loop().time, asyncio.Queue(UNDER_WAY // PIECE)

    async def deliver():
        while (piece := await pieces.get()) is not None:
            due, data = piece
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            writer.write(data)
            await writer.drain()

    delivery = asyncio.ensure_future(deliver())
    try:
        while data := await reader.read(PIECE):
            await pieces.put((clock() + delay, data))
        await pieces.put(None)
        await delivery
    except OSError:
        delivery.cancel()
    finally:
        writer.close()
