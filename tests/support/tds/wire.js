// The line: packets, the handshake, the login, tokens. [MS-TDS] 2.2.
import tls from 'node:tls';
import { Duplex } from 'node:stream';
import { COLLATION, In, Out, readType, readValue, writeType, writeValue } from './types.js';

export const BATCH = 1, RPC = 3, ANSWER = 4, ATTENTION = 6, BULK = 7, TRANSACTION = 14, LOGIN = 16, PRELOGIN = 18;
export const DONE = { MORE: 1, ERROR: 2, COUNT: 16, ATTENTION: 32 };
const OFF = 0, ON = 1, NOT_SUPPORTED = 2, REQUIRED = 3;

// Calls `message(type, payload)` for each whole message.
export class Packets {
  left = Buffer.alloc(0);
  parts = [];
  constructor(message) { this.message = message; }
  push(chunk) {
    this.left = this.left.length ? Buffer.concat([this.left, chunk]) : chunk;
    while (this.left.length >= 8) {
      const size = this.left.readUInt16BE(2);
      if (size < 8) throw new Error('A packet is shorter than its head.');
      if (this.left.length < size) return;
      const [type, status] = this.left;
      this.parts.push(this.left.subarray(8, size));
      this.left = this.left.subarray(size);
      if (!(status & 1)) continue;
      const payload = Buffer.concat(this.parts);
      this.parts = [];
      this.message(type, payload);
    }
  }
}

export function packets(type, payload, size) {
  const out = [];
  let at = 0, number = 1;
  do {
    const part = payload.subarray(at, at + size - 8);
    at += part.length;
    const head = Buffer.alloc(8);
    head[0] = type;
    head[1] = at >= payload.length ? 1 : 0;
    head.writeUInt16BE(part.length + 8, 2);
    head[6] = number++ & 255;
    out.push(head, part);
  } while (at < payload.length);
  return Buffer.concat(out);
}

function readPrelogin(payload) {
  for (let at = 0; payload[at] !== 0xff && at < payload.length; at += 5)
    if (payload[at] === 1) return payload[payload.readUInt16BE(at + 1)];
  return NOT_SUPPORTED;
}

function preloginAnswer(encryption) {
  const values = [[0, Buffer.from([16, 0, 16, 4, 0, 0])], [1, Buffer.from([encryption])], [2, Buffer.from([0])], [3, Buffer.alloc(0)], [4, Buffer.from([0])]];
  let at = values.length * 5 + 1;
  const head = [], body = [];
  for (const [token, bytes] of values) {
    const entry = Buffer.alloc(5);
    entry[0] = token;
    entry.writeUInt16BE(at, 1);
    entry.writeUInt16BE(bytes.length, 3);
    head.push(entry);
    body.push(bytes);
    at += bytes.length;
  }
  return Buffer.concat([...head, Buffer.from([0xff]), ...body]);
}

function readLogin(payload) {
  const text = (i) => {
    const at = payload.readUInt16LE(36 + 4 * i), count = payload.readUInt16LE(38 + 4 * i);
    return payload.subarray(at, at + 2 * count);
  };
  const plain = (i) => text(i).toString('utf16le');
  const password = Buffer.from(text(2).map((b) => { const x = b ^ 0xa5; return ((x << 4) | (x >> 4)) & 255; })).toString('utf16le');
  return { version: payload.readUInt32LE(4), packetSize: payload.readUInt32LE(8), host: plain(0), user: plain(1), password, app: plain(3), server: plain(4), database: plain(8) };
}

// --- Tokens --------------------------------------------------------------------------------------

export class Answer {
  out = new Out();
  token(code, body) { this.out.u8(code).u16(body.size).bytes(body.whole()); return this; }
  change(type, now, before) {
    const body = new Out().u8(type);
    const put = (v) => (typeof v === 'string' ? body.text8(v) : body.u8(v.length).bytes(v));
    put(now);
    put(before);
    return this.token(0xe3, body);
  }
  message(code, { number, state = 1, severity, text, line = 1 }) {
    return this.token(code, new Out().int(number, 4).u8(state).u8(severity).text16(text).text8('PEER').text8('').int(line, 4));
  }
  error(e) { return this.message(0xaa, e); }
  columns(list) {
    this.out.u8(0x81).u16(list.length);
    for (const c of list) {
      const flags = (c.nullable ? 1 : 0) | (c.identity ? 0x10 : 8) | (c.computed ? 0x20 : 0);
      this.out.u32(c.type.name === 'rowversion' ? 80 : 0).u16(flags);
      writeType(this.out, c.type, c.nullable);
      if (/^n?text$|^image$/.test(c.type.name)) this.out.u8(1).text16(c.table ?? '');
      this.out.text8(c.name);
    }
    return this;
  }
  row(list, values) {
    this.out.u8(0xd1);
    list.forEach((c, i) => writeValue(this.out, c.type, values[i], c.nullable));
    return this;
  }
  done(code, status, rows = 0, command = 0) { this.out.u8(code).u16(status).u16(command).u64(rows); return this; }
  returnStatus(n) { this.out.u8(0x79).int(n, 4); return this; }
  outParam(name, type, v) { this.out.u8(0xac).u16(0).text8(name).u8(1).u32(0).u16(1); writeType(this.out, type); writeValue(this.out, type, v); return this; }
}

export function readBatch(payload) {
  return payload.subarray(payload.readUInt32LE(0)).toString('utf16le');
}

export function readRpc(payload) {
  const input = new In(payload.subarray(payload.readUInt32LE(0)));
  input.isParam = true;
  const length = input.u16();
  const call = { params: [] };
  if (length === 0xffff) call.id = input.u16();
  else call.name = Buffer.from(input.take(2 * length)).toString('utf16le');
  input.u16();
  while (input.left) {
    const name = input.text8(), status = input.u8(), type = readType(input, false);
    call.params.push({ name, status, type, value: readValue(input, type) });
  }
  return call;
}

export function readBulk(payload) {
  const input = new In(payload), columns = [], rows = [];
  if (input.u8() !== 0x81) throw new Error('Bulk data begin with no description of their columns.');
  for (let n = input.u16(); n; n--) {
    const type = readType(input, true);
    if (/^N?Text$|^Image$/.test(type.type.name)) input.text16();
    columns.push({ type, name: input.text8() });
  }
  while (input.left) {
    const token = input.u8();
    if (token === 0xfd) break;
    if (token !== 0xd1) throw new Error(`Token ${token} within bulk data.`);
    rows.push(columns.map((c) => readValue(input, c.type)));
  }
  return { columns, rows };
}

// --- A connection --------------------------------------------------------------------------------

export class Line {
  packetSize = 4096;
  constructor(socket, options, handler) {
    Object.assign(this, { socket, options, handler });
    this.plain = new Packets((type, payload) => this.take(type, payload));
    socket.on('data', (chunk) => this.data(chunk));
    socket.on('error', () => {});
    socket.on('close', () => handler.closed());
    this.mode = 'plain';
  }
  data(chunk) {
    try {
      if (this.mode === 'secure') this.fromSocket.push(chunk);
      else if (this.mode === 'handshake' && !this.plain.left.length && chunk[0] !== PRELOGIN) {
        this.mode = 'secure';
        this.fromSocket.push(chunk);
      } else this.plain.push(chunk);
    } catch (e) { this.socket.destroy(e); }
  }
  take(type, payload) {
    if (this.mode === 'handshake') return void this.fromSocket.push(payload);
    if (type === PRELOGIN) return this.prelogin(payload);
    if (type === LOGIN) return this.handler.login(readLogin(payload));
    this.handler.message(type, payload);
  }
  prelogin(payload) {
    const asked = readPrelogin(payload), canEncrypt = Boolean(this.options.key);
    const wants = asked === ON || asked === REQUIRED;
    const answer = canEncrypt && (wants || this.options.mustEncrypt) ? (asked === NOT_SUPPORTED ? REQUIRED : ON) : canEncrypt && asked === OFF ? NOT_SUPPORTED : NOT_SUPPORTED;
    this.socket.write(packets(ANSWER, preloginAnswer(answer), this.packetSize));
    if (answer === ON || answer === REQUIRED) this.startTls();
  }
  // The handshake travels in packets; what comes behind it is packets within TLS.
  startTls() {
    this.mode = 'handshake';
    this.fromSocket = new Duplex({
      read() {},
      write: (chunk, _, done) => {
        this.socket.write(this.mode === 'handshake' ? packets(PRELOGIN, chunk, this.packetSize) : chunk);
        done();
      },
    });
    this.secure = new tls.TLSSocket(this.fromSocket, { isServer: true, key: this.options.key, cert: this.options.cert, maxVersion: 'TLSv1.2' });
    const inner = new Packets((type, payload) => {
      if (type === LOGIN) this.handler.login(readLogin(payload));
      else this.handler.message(type, payload);
    });
    this.secure.on('data', (chunk) => { try { inner.push(chunk); } catch (e) { this.socket.destroy(e); } });
    this.secure.on('error', () => this.socket.destroy());
  }
  send(answer) {
    if (this.socket.destroyed) return;
    (this.secure ?? this.socket).write(packets(ANSWER, answer.out.whole(), this.packetSize));
  }
  cut() { this.socket.destroy(); }
  accept(login) {
    const answer = new Answer();
    const size = login.packetSize >= 512 && login.packetSize <= 32767 ? login.packetSize : 4096;
    answer.change(1, login.database || 'master', 'master');
    answer.message(0xab, { number: 5701, state: 2, severity: 0, text: `Changed database context to '${login.database || 'master'}'.` });
    answer.change(7, COLLATION, Buffer.alloc(0));
    const program = 'Microsoft SQL Server';
    answer.token(0xad, new Out().u8(1).bytes(Buffer.from([0x74, 0, 0, 4])).text8(program).bytes(Buffer.from([16, 0, 16, 4])));
    answer.change(4, String(size), String(this.packetSize));
    answer.done(0xfd, 0);
    this.send(answer);
    this.packetSize = size;
  }
  refuse(error) {
    const answer = new Answer();
    answer.error(error).done(0xfd, DONE.ERROR);
    this.send(answer);
    this.socket.end();
  }
}
