// A server that speaks TDS, for tests: `node peer.js --folder F [--port N] [--cert C --key K
// --must-encrypt] [--discard]`; the last takes bulk data without a look at them, for benchmarks. Prints "listening PORT" when it is ready. Logs in sa with the password in
// $WHERRY_TDS_PASSWORD (default "wherry"), into any database but "missing".
//
// On demand, as statements: PEER ERROR n 'text' (from the next statement that has the words), and
// PEER CUT; see commands().
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Server, Session } from './session.js';
import { SqlError, find, statements, tokens } from './sql.js';
import { declared } from './types.js';
import { ATTENTION, Answer, BATCH, BULK, DONE, Line, RPC, TRANSACTION, readBatch, readBulk, readRpc } from './wire.js';

const { values: options } = parseArgs({
  options: { folder: { type: 'string' }, port: { type: 'string', default: '0' }, cert: { type: 'string' }, key: { type: 'string' }, 'must-encrypt': { type: 'boolean' }, log: { type: 'boolean' }, discard: { type: 'boolean' } },
});
const password = process.env.WHERRY_TDS_PASSWORD ?? 'wherry';
const databases = new Map();
const databaseOf = (name) => {
  if (!databases.has(name)) databases.set(name, new Server(path.join(options.folder, `${name.replace(/\W/g, '_')}.db`)));
  return databases.get(name);
};
// What the next statements with certain words meet: { words, error } or { words, cut }.
const faults = [];

class Connection {
  constructor(socket) {
    const tls = options.key ? { key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert), mustEncrypt: options['must-encrypt'] } : {};
    this.line = new Line(socket, tls, this);
    this.work = Promise.resolve();
    this.prepared = new Map();
  }
  closed() { this.session?.close(); }
  login(login) {
    const refused = this.judge(login);
    if (refused) return this.line.refuse(refused);
    this.session = new Session(databaseOf(login.database || 'master'), login);
    this.line.accept(login);
  }
  judge(login) {
    const error = (number, text, severity = 14) => ({ number, text, severity });
    const asked = /^error(\d+)$/.exec(login.database ?? '');
    if (login.user !== 'sa' || login.password !== password) return error(18456, `Login failed for user '${login.user}'.`);
    if (login.database === 'missing') return error(4060, `Cannot open database "missing" requested by the login. The login failed.`, 11);
    if (asked?.[1] === '40615') return error(40615, `Cannot open server 'peer' requested by the login. Client with IP address '203.0.113.7' is not allowed to access the server.`);
    return asked && error(Number(asked[1]), `Error ${asked[1]}.`);
  }
  message(type, payload) {
    if (type === ATTENTION) { this.stopped = true; }
    this.work = this.work.then(() => this.answer(type, payload)).catch((e) => { if (options.log) console.error(e); this.line.cut(); });
  }
  async answer(type, payload) {
    const answer = new Answer();
    this.stopped = type === ATTENTION ? false : this.stopped;
    if (type === ATTENTION) answer.done(0xfd, DONE.ATTENTION);
    else if (type === BATCH) await this.batch(answer, readBatch(payload));
    else if (type === RPC) await this.rpc(answer, readRpc(payload));
    else if (type === BULK) this.bulk(answer, payload);
    else if (type === TRANSACTION) await this.manage(answer, payload);
    else throw new Error(`A message of type ${type}.`);
    if (!this.line.socket.destroyed) this.line.send(answer);
  }

  // --- Batches -----------------------------------------------------------------------------------

  async batch(answer, text) {
    if (options.log) console.error('>', text);
    const insert = /^\s*insert\s+bulk\s+((?:\[[^\]]*\]|"[^"]*"|[\w#.])+)/i.exec(text);
    if (insert) { this.bulkTable = insert[1]; answer.done(0xfd, 0); return; }
    try {
      await this.run(answer, text, 0xfd);
    } catch (e) {
      this.fail(answer, e, 0xfd);
    }
  }
  fail(answer, e, code) {
    if (options.log) console.error('!', e.message);
    if (!(e instanceof SqlError)) e = new SqlError(50000, e.message);
    answer.error({ number: e.number, severity: e.severity, text: e.message });
    answer.done(code, DONE.ERROR);
  }
  async run(answer, text, code) {
    const list = statements(text);
    let pending = null;
    const flush = (more) => { if (pending) answer.done(code, (pending.count === undefined ? 0 : DONE.COUNT) | (more ? DONE.MORE : 0), pending.count ?? 0, pending.command ?? 0); pending = null; };
    for (let i = 0; i < list.length; i++) {
      if (lower(list[i][0]) === 'if' && !(await this.holds(list[i].slice(1)))) { i++; continue; }
      if (lower(list[i][0]) === 'if') continue;
      if (await this.commands(list[i])) continue;
      this.meetFault(list[i].join(' '));
      const result = await this.session.execute(list[i]);
      this.meetFault(list[i].join(' '), true);
      flush(true);
      if (result.columns) {
        answer.columns(result.columns);
        for (const row of result.rows) answer.row(result.columns, row);
      }
      pending = result.columns ? { count: result.rows.length, command: 0xc1 } : result;
    }
    if (code === 0xff) { flush(true); return; }
    pending ??= {};
    flush(false);
  }
  async holds(condition) {
    const { rows } = await this.session.execute(['SELECT', 'CASE', 'WHEN', ...condition, 'THEN', '1', 'ELSE', '0', 'END', 'AS', 'v']);
    return Number(rows[0][0]) === 1;
  }
  // PEER ERROR 1205 'UPDATE t SET'   the next statement that has these words fails
  // PEER CUT 'COMMIT'                 the line is cut there, before it is done
  // PEER CUT AFTER 'COMMIT'           behind it, before anybody hears of it
  // PEER WAIT 3000                    milliseconds go by
  async commands(list) {
    if (lower(list[0]) !== 'peer') return false;
    if (lower(list[1]) === 'wait') {
      await new Promise((go) => setTimeout(go, Number(list[2])));
      return true;
    }
    const words = list.find((t) => /^N?'/i.test(t)).replace(/^N?'/i, '').slice(0, -1);
    if (lower(list[1]) === 'error') faults.push({ words, error: Number(list[2]) });
    if (lower(list[1]) === 'cut') faults.push({ words, after: lower(list[2]) === 'after' });
    return true;
  }
  meetFault(text, after = false) {
    const at = faults.findIndex((f) => Boolean(f.after) === after && text.replaceAll(/[[\]]/g, '').includes(f.words));
    if (at < 0) return;
    const [fault] = faults.splice(at, 1);
    if (fault.error === 3609) this.session.transaction('rollback', null, []); // as the server does when a trigger rolls back
    if (fault.error) throw new SqlError(fault.error, `Error ${fault.error} on demand.`);
    this.line.cut();
    throw new SqlError(0, 'cut');
  }

  // --- Calls -------------------------------------------------------------------------------------

  async rpc(answer, call) {
    const name = call.id === undefined ? lower(call.name.replace(/^.*\./, '')) : { 10: 'sp_executesql', 11: 'sp_prepare', 12: 'sp_execute', 13: 'sp_prepexec', 15: 'sp_unprepare' }[call.id];
    let params = call.params, text = null;
    try {
      if (name === 'sp_executesql') [text, params] = [params[0].value, params.slice(2)];
      else if (name === 'sp_prepexec') {
        const handle = this.prepared.size + 1;
        this.prepared.set(handle, { text: params[2].value, names: this.names(params[1].value) });
        answer.outParam('handle', { name: 'int' }, handle);
        [text, params] = [params[2].value, this.named(params.slice(3), handle)];
      } else if (name === 'sp_prepare') {
        const handle = this.prepared.size + 1;
        this.prepared.set(handle, { text: params[2].value, names: this.names(params[1].value) });
        answer.outParam('handle', { name: 'int' }, handle);
      } else if (name === 'sp_execute') {
        const handle = Number(params[0].value);
        [text, params] = [this.prepared.get(handle).text, this.named(params.slice(1), handle)];
      } else if (name !== 'sp_unprepare') throw new SqlError(2812, `Could not find stored procedure '${call.name ?? call.id}'.`);
      if (text !== null) {
        if (options.log) console.error('>', text, params.map((p) => p.value));
        this.session.variables = Object.fromEntries(params.map((p) => [p.name.slice(1), p.value === undefined ? null : typeof p.value === 'boolean' ? BigInt(p.value) : p.value]));
        await this.run(answer, text, 0xff);
      }
      answer.returnStatus(0).done(0xfe, 0);
    } catch (e) {
      this.fail(answer, e, 0xfe);
    } finally {
      this.session.variables = {};
    }
  }
  names(declaration) { return (declaration ?? '').split(',').map((p) => p.trim().split(/\s/)[0]).filter(Boolean); }
  named(params, handle) { return params.map((p, i) => ({ ...p, name: p.name || this.prepared.get(handle).names[i] })); }

  bulk(answer, payload) {
    try {
      const count = options.discard ? 0 : this.session.bulk(this.bulkTable, readBulk(payload));
      this.meetFault(`insert bulk ${this.bulkTable}`);
      answer.done(0xfd, DONE.COUNT, count, 0xf0);
    } catch (e) {
      this.fail(answer, e, 0xfd);
    }
  }

  // Transactions as drivers ask for them.
  async manage(answer, payload) {
    const at = payload.readUInt32LE(0), kind = payload.readUInt16LE(at);
    const word = { 5: 'BEGIN TRANSACTION', 7: 'COMMIT', 8: 'ROLLBACK' }[kind];
    try {
      if (!word) throw new SqlError(50000, `Transaction request ${kind}.`);
      await this.session.execute(tokens(word));
      const id = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), none = Buffer.alloc(0);
      answer.change(kind === 5 ? 8 : kind === 7 ? 9 : 10, kind === 5 ? id : none, kind === 5 ? none : id);
      answer.done(0xfd, 0);
    } catch (e) {
      this.fail(answer, e, 0xfd);
    }
  }
}

const lower = (t) => (t ?? '').toLowerCase();
const server = net.createServer((socket) => { socket.setNoDelay(true); new Connection(socket); });
server.listen(Number(options.port), '127.0.0.1', () => console.log(`listening ${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume(); // whoever started it is gone
