"""A line to a server on loopback that is cut where the test says.

    line = Cutter(port)
    line.cut(after=7, answer=False)   # the 7th thing that the client says is the last that gets through,
                                      # and its answer does not come back
    line.cut(after=7, once=True)      # whoever connects again is served
    line.cut(after=None)              # whole
    line.said                         # how often the client spoke, over all connections since cut()
"""
import selectors
import socket
import threading


class Cutter:
    def __init__(self, port):
        self.server_port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut(None)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, after, answer=False, once=False):
        self.after, self.answer, self.once, self.said = after, answer, once, 0
        self.lock = threading.Lock()
        self.is_cut = False

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _is_last(self):
        """The client has spoken: is that the last of it?"""
        with self.lock:
            self.said += 1
            self.is_cut = self.is_cut or (self.after is not None and self.said > self.after)
            return self.after is not None and self.said == self.after

    def _carry(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            try:
                while not self.is_cut:
                    for key, _ in ready.select(1):
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        last = key.fileobj is client and self._is_last()
                        if self.is_cut:
                            return
                        key.data.sendall(data)
                        if last and not self.answer:
                            self.is_cut = True
                            server.settimeout(1)  # not everything has an answer
                            server.recv(1 << 16)  # it was done, or is being done; nobody hears of it
                            return
            except OSError:
                return
            finally:
                if self.is_cut and self.once:
                    self.cut(None)
