// A session: statements into SQLite, which has a database "dbo" that all sessions share and one of
// its own, where its #temporary tables live. The catalog is the peer's: SQLite knows no types.
import { DatabaseSync } from 'node:sqlite';
import { SqlError, addColumn, createTable, find, nameAt, quoted, remove, select, split, statements, tokens, translate, unquote, update } from './sql.js';
import { affinity, declared, isText, moment, normal, timeText } from './types.js';

const lower = (t) => (t ?? '').toLowerCase();
const TYPE_IDS = { image: 34, text: 35, uniqueidentifier: 36, date: 40, time: 41, datetime2: 42, datetimeoffset: 43, tinyint: 48, smallint: 52, int: 56, smalldatetime: 58, real: 59, money: 60, datetime: 61, float: 62, sql_variant: 98, ntext: 99, bit: 104, decimal: 106, smallmoney: 122, bigint: 127, varbinary: 165, varchar: 167, binary: 173, char: 175, rowversion: 189, nvarchar: 231, nchar: 239, xml: 241 };
const COLLATED = 'SQL_Latin1_General_CP1_CI_AS';
const widths = { bit: 1, tinyint: 1, smallint: 2, int: 4, bigint: 8, real: 4, float: 8, money: 8, smallmoney: 4, date: 3, datetime: 8, smalldatetime: 4, uniqueidentifier: 16, rowversion: 8, xml: -1, text: 16, ntext: 16, image: 16 };

function maxLength(t) {
  if (t.length === -1) return -1;
  if (t.length) return /^n/.test(t.name) ? 2 * t.length : t.length;
  if (t.name === 'decimal') return t.precision <= 9 ? 5 : t.precision <= 19 ? 9 : t.precision <= 28 ? 13 : 17;
  return widths[t.name] ?? 8;
}

export function typeName(t) {
  if (t.length) return `${t.name}(${t.length < 0 ? 'max' : t.length})`;
  if (t.name === 'decimal') return `decimal(${t.precision},${t.scale})`;
  return t.scale !== undefined ? `${t.name}(${t.scale})` : t.name === 'rowversion' ? 'timestamp' : t.name;
}

// What all sessions share.
export class Server {
  tables = new Map(); // lower case "dbo.name" -> { schema, table, columns, keys, id, view }
  nextId = 1000;
  rowversion = 2000n;
  active = new Map(); // session -> the first rowversion of its transaction
  constructor(file) {
    this.file = file;
    const db = new DatabaseSync(file);
    db.exec('PRAGMA journal_mode = WAL');
    db.close();
  }
  takeRowversion(session) {
    this.rowversion += 1n;
    if (!this.active.has(session)) this.active.set(session, this.rowversion);
    return this.rowversion;
  }
  minActive() {
    const all = [...this.active.values()];
    return all.length ? all.reduce((a, b) => (a < b ? a : b)) : this.rowversion + 1n;
  }
}

const bytes8 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(n); return b; };

function bytesOf(v) {
  if (v === null || v instanceof Uint8Array) return v;
  if (typeof v === 'string') return Buffer.from(v, 'utf16le');
  const b = Buffer.alloc(8);
  if (typeof v === 'bigint') b.writeBigInt64BE(v);
  else b.writeDoubleBE(v);
  return b;
}

export class Session {
  temporary = new Map();
  settings = { rowcount: 0, lockTimeout: 5000, fmtonly: false };
  variables = {};
  inTransaction = false;
  undo = []; // of the catalog, in the transaction
  saved = new Map(); // savepoint -> how much there was to undo then
  constructor(server, login) {
    this.server = server;
    this.login = login;
    this.db = new DatabaseSync(':memory:');
    this.db.exec(`ATTACH '${server.file.replaceAll("'", "''")}' AS dbo`);
    this.db.exec("ATTACH ':memory:' AS sys");
    this.db.exec("ATTACH ':memory:' AS information_schema");
    this.db.exec('PRAGMA busy_timeout = 0');
    this.addFunctions();
  }
  close() {
    this.undoTo(0);
    this.server.active.delete(this);
    try { this.db.close(); } catch { /* it was */ }
  }

  // --- Functions ---------------------------------------------------------------------------------

  addFunctions() {
    const add = (name, fn, more = {}) => this.db.function(name, { useBigIntArguments: true, varargs: true, ...more }, fn);
    const now = () => timeText({ name: 'datetime2' }, moment(new Date().toISOString().replace('T', ' ')));
    add('tds_bytes', bytesOf);
    add('tds_text', (v) => (v === null ? null : v instanceof Uint8Array ? Buffer.from(v).toString('utf16le') : String(v)));
    add('tds_int', (v) => (v === null ? null : v instanceof Uint8Array ? BigInt(`0x${Buffer.from(v).toString('hex')}`) : typeof v === 'number' ? BigInt(Math.trunc(v)) : BigInt(v)));
    add('tds_as', (type, v) => normal(declared(String(type)), v));
    add('tds_unhex', (v) => (v === null ? null : Buffer.from(String(v).replace(/^0x/i, ''), 'hex')));
    add('tds_iso', (v) => (v === null ? null : String(v).replace(' ', 'T')));
    add('tds_length', (v) => (v === null ? null : BigInt(bytesOf(v).length)));
    add('tds_global', (name) => ({ version: 'Microsoft SQL Server 2022 (peer)', spid: 51n, trancount: this.inTransaction ? 1n : 0n, max_precision: 38n, rowcount: 0n, error: 0n, servername: 'PEER' })[name] ?? null);
    add('next_rowversion', () => bytes8(this.server.takeRowversion(this)));
    add('MIN_ACTIVE_ROWVERSION', () => bytes8(this.server.minActive()));
    add('SYSUTCDATETIME', now);
    add('SCHEMA_NAME', () => 'dbo');
    add('DB_NAME', () => this.login.database || 'master');
    add('SUSER_SNAME', () => this.login.user);
    add('SERVERPROPERTY', (name) => (/version/i.test(name) ? '16.0.4100.1' : /edition/i.test(name) ? 'Peer' : null));
    add('COLLATIONPROPERTY', (name) => (name === null ? null : /utf8/i.test(name) ? 65001n : /^cyrillic/i.test(name) ? 1251n : 1252n));
    add('DATABASEPROPERTYEX', () => COLLATED);
    add('TYPE_NAME', (id) => { const n = Object.entries(TYPE_IDS).find(([, i]) => BigInt(i) === id)?.[0]; return n === 'rowversion' ? 'timestamp' : n ?? null; });
    add('OBJECT_ID', (name) => { const t = this.lookUp(String(name)); return t ? BigInt(t.id) : null; });
  }

  lookUp(text) {
    const list = tokens(text);
    const [schema, table] = nameAt(list, 0);
    return this.table(schema, table);
  }
  table(schema, name) {
    if (name[0] === '#') return this.temporary.get(lower(name));
    return this.server.tables.get(lower(`${schema || 'dbo'}.${name}`));
  }

  // --- Errors ------------------------------------------------------------------------------------

  failed(e, statement) {
    if (e instanceof SqlError) return e;
    const text = e.message, code = e.errcode & 255;
    if (code === 5 || code === 6) return new SqlError(1222, 'Lock request time out period exceeded.');
    if (/UNIQUE constraint failed/.test(text)) return new SqlError(2627, `Violation of UNIQUE KEY constraint. Cannot insert duplicate key in object '${text.split(': ')[1]}'.`, 14);
    if (/CHECK constraint failed/.test(text)) return new SqlError(547, `The statement conflicted with the CHECK constraint "${text.split(': ')[1]}".`);
    if (/NOT NULL constraint failed/.test(text)) return new SqlError(515, `Cannot insert the value NULL into column '${text.split('.').pop()}'; column does not allow nulls.`);
    const table = /no such table: (.*)/.exec(text), column = /no such column: (.*)/.exec(text);
    if (table) return new SqlError(208, `Invalid object name '${table[1]}'.`);
    if (column) return new SqlError(207, `Invalid column name '${column[1].split('.').pop()}'.`);
    if (/syntax error|incomplete input|unrecognized token/.test(text)) return new SqlError(102, `Incorrect syntax: ${text}`, 15);
    if (/^(Conversion|Error converting)/.test(text)) return new SqlError(241, text);
    return new SqlError(50000, `${text} ${quoted(statement)}`);
  }

  async retried(work, statement) {
    const end = Date.now() + this.settings.lockTimeout;
    for (;;) {
      try {
        return work();
      } catch (e) {
        const isBusy = (e.errcode & 255) === 5 || (e.errcode & 255) === 6;
        if (!isBusy || Date.now() >= end) throw this.failed(e, statement);
        await new Promise((go) => setTimeout(go, 10));
      }
    }
  }

  // --- Catalog -----------------------------------------------------------------------------------

  fillCatalog(text) {
    if (/\binformation_schema\b/i.test(text)) {
      this.db.exec('DROP TABLE IF EXISTS information_schema.tables; CREATE TABLE information_schema.tables (table_catalog TEXT, table_schema TEXT COLLATE NOCASE, table_name TEXT COLLATE NOCASE, table_type TEXT)');
      const add = this.db.prepare('INSERT INTO information_schema.tables VALUES (?, ?, ?, ?)');
      for (const t of this.server.tables.values()) add.run(this.login.database, 'dbo', t.table, t.view ? 'VIEW' : 'BASE TABLE');
      this.db.exec('DROP TABLE IF EXISTS information_schema.columns; CREATE TABLE information_schema.columns (table_catalog TEXT, table_schema TEXT COLLATE NOCASE, table_name TEXT COLLATE NOCASE, column_name TEXT COLLATE NOCASE)');
      const addColumn = this.db.prepare('INSERT INTO information_schema.columns VALUES (?, ?, ?, ?)');
      for (const t of this.server.tables.values())
        for (const column of t.columns) addColumn.run(this.login.database, 'dbo', t.table, column.name);
    }
    if (!/\bsys\b/i.test(text)) return;
    const made = {
      schemas: 'name TEXT COLLATE NOCASE, schema_id INTEGER',
      databases: 'name TEXT, snapshot_isolation_state INTEGER, is_read_committed_snapshot_on INTEGER',
      objects: 'name TEXT COLLATE NOCASE, object_id INTEGER, schema_id INTEGER, type TEXT, is_ms_shipped INTEGER',
      tables: 'name TEXT COLLATE NOCASE, object_id INTEGER, schema_id INTEGER, is_ms_shipped INTEGER, is_memory_optimized INTEGER, temporal_type INTEGER',
      columns: 'object_id INTEGER, name TEXT, column_id INTEGER, system_type_id INTEGER, user_type_id INTEGER, max_length INTEGER, precision INTEGER, scale INTEGER, is_nullable INTEGER, is_identity INTEGER, is_computed INTEGER, generated_always_type INTEGER, default_object_id INTEGER, collation_name TEXT',
      indexes: 'object_id INTEGER, name TEXT, index_id INTEGER, is_primary_key INTEGER, is_unique INTEGER, is_disabled INTEGER, has_filter INTEGER',
      index_columns: 'object_id INTEGER, index_id INTEGER, column_id INTEGER, key_ordinal INTEGER, is_included_column INTEGER',
      partitions: 'object_id INTEGER, index_id INTEGER, rows INTEGER',
    };
    const put = (table, ...values) => this.db.prepare(`INSERT INTO sys.${table} VALUES (${values.map(() => '?').join(', ')})`).run(...values);
    for (const [name, columns] of Object.entries(made)) this.db.exec(`DROP TABLE IF EXISTS sys.${name}; CREATE TABLE sys.${name} (${columns})`);
    put('schemas', 'dbo', 1);
    put('databases', this.login.database || 'master', 1, 1);
    for (const t of this.server.tables.values()) {
      put('objects', t.table, t.id, 1, t.view ? 'V' : 'U', 0);
      if (!t.view) put('tables', t.table, t.id, 1, 0, 0, 0);
      t.columns.forEach((c, i) => put('columns', t.id, c.name, i + 1, TYPE_IDS[c.type.name] ?? 240, TYPE_IDS[c.type.name] ?? 240, maxLength(c.type), c.type.precision ?? 0, c.type.scale ?? 0, c.nullable ? 1 : 0, c.identity ? 1 : 0, c.computed ? 1 : 0, 0, c.default ? 1 : 0, isText(c.type) ? c.collation ?? COLLATED : null));
      t.keys.forEach((k, i) => {
        put('indexes', t.id, `index_${i}`, i + 1, k.primary ? 1 : 0, 1, 0, 0);
        k.columns.forEach((name, n) => put('index_columns', t.id, i + 1, t.columns.findIndex((c) => lower(c.name) === lower(name)) + 1, n + 1, 0));
      });
      if (!t.view) put('partitions', t.id, 1, Number(this.db.prepare(`SELECT count(*) n FROM dbo.${quoted(t.table)}`).get().n));
    }
  }

  describe(query) {
    const text = 'DROP TABLE IF EXISTS sys.described; CREATE TABLE sys.described (is_hidden INTEGER, column_ordinal INTEGER, name TEXT, is_nullable INTEGER, system_type_name TEXT, user_type_name TEXT, max_length INTEGER, precision INTEGER, scale INTEGER, collation_name TEXT, error_message TEXT)';
    this.db.exec(text);
    const put = this.db.prepare('INSERT INTO sys.described VALUES (0, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?)');
    try {
      const list = statements(query)[0], variable = list.find((t) => /^@\w/.test(t));
      if (variable) throw new SqlError(137, `Must declare the scalar variable "${variable}".`, 15);
      const { columns } = this.prepare(list, select(list));
      columns.forEach((c, i) => put.run(i + 1, c.name || null, c.nullable ? 1 : 0, typeName(c.type), maxLength(c.type), c.type.precision ?? 0, c.type.scale ?? 0, isText(c.type) ? c.collation ?? COLLATED : null, null));
    } catch (e) {
      put.run(0, null, 1, null, 0, 0, 0, null, this.failed(e, query).message);
    }
  }

  // --- Results -----------------------------------------------------------------------------------

  // The select list's items, for the types of what is no plain column.
  items(list) {
    const at = find(list, 'select'), from = find(list, 'from', at);
    if (at < 0) return [];
    let items = list.slice(at + 1, from < 0 ? undefined : from);
    if (lower(items[0]) === 'distinct') items = items.slice(1);
    if (lower(items[0]) === 'top') items = items.slice(items[1] === '(' ? items.indexOf(')') + 1 : 2);
    return split(items);
  }
  guess(item, value) {
    const word = lower(item?.[0]);
    if (word === 'cast' && item[1] === '(') {
      let depth = 0, end = 1, as = -1;
      for (; end < item.length; end++) {
        if (item[end] === '(') depth++;
        if (item[end] === ')' && --depth === 0) break;
        if (depth === 1 && lower(item[end]) === 'as') as = end;
      }
      return declared(item.slice(as + 1, end).join(''));
    }
    if (word === 'convert') return declared(split(item.slice(2))[0].join(''));
    if (word === 'count') return { name: 'int' };
    if (typeof value === 'bigint') return { name: 'bigint' };
    if (typeof value === 'number') return { name: 'float' };
    if (value instanceof Uint8Array) return { name: 'varbinary', length: -1 };
    return { name: 'nvarchar', length: -1 };
  }
  prepare(list, text) {
    const statement = this.db.prepare(text);
    statement.setReadBigInts(true);
    statement.setAllowUnknownNamedParameters(true);
    const items = this.items(list);
    const isStar = items.some((i) => i.includes('*') && lower(i[0]) !== 'count');
    const columns = statement.columns().map((c, i) => {
      const t = c.table && this.table(null, c.table);
      const known = c.database !== 'sys' && t?.columns.find((k) => lower(k.name) === lower(c.column));
      const name = !c.table && !isStar && !/ as /i.test(` ${items[i]?.join(' ')} `) ? '' : c.name;
      return known ? { ...known, name: c.name, table: c.table } : { name, nullable: true, item: items[i], guessed: true, database: c.database, declared: c.type };
    });
    for (const c of columns) if (c.guessed) c.type = c.declared === 'INTEGER' && c.database === 'sys' ? { name: 'int' } : this.guess(c.item, null);
    return { statement, columns };
  }
  rows(list, text) {
    const { statement, columns } = this.prepare(list, text);
    statement.setReturnArrays(true);
    let rows = statement.all(this.parameters());
    if (this.settings.rowcount) rows = rows.slice(0, this.settings.rowcount);
    columns.forEach((c, i) => {
      if (c.guessed && !/^(cast|convert|count)$/.test(lower(c.item?.[0]))) c.type = this.guess(c.item, rows.find((r) => r[i] !== null)?.[i] ?? null);
    });
    return { columns, rows };
  }
  parameters() {
    return this.variables;
  }
  run(text) {
    const statement = this.db.prepare(text);
    statement.setAllowUnknownNamedParameters(true);
    return Number(statement.run(this.parameters()).changes);
  }

  // --- Statements --------------------------------------------------------------------------------

  // { columns, rows } | { count, command } | {}
  async execute(list) {
    const word = lower(list[0]), second = lower(list[1]);
    const text = list.join(' ');
    if (this.settings.fmtonly && word !== 'set') {
      if (word !== 'select') return {};
      return this.retried(() => ({ columns: this.prepare(list, this.readied(list)).columns, rows: [] }), text);
    }
    switch (word) {
      case 'set': return this.set(list);
      case 'select': case 'with': return this.query(list);
      case 'create': return this.retried(() => this.create(list), text);
      case 'alter': return this.retried(() => this.alter(addColumn(list)), text);
      case 'drop': return this.retried(() => this.drop(list), text);
      case 'truncate': return this.retried(() => (this.run(`DELETE FROM ${translate(list.slice(2))}`), {}), text);
      case 'insert': return this.insert(list);
      case 'update': return this.retried(() => {
        const count = this.run(update(list));
        if (find(list, 'from') < 0) this.normalize(this.table(...nameAt(list, 1)));
        return { count, command: 0xc5 };
      }, text);
      case 'delete': return this.retried(() => ({ count: this.run(remove(list)), command: 0xc4 }), text);
      case 'begin': case 'commit': case 'rollback': case 'save': return this.retried(() => this.transaction(word, second, list), text);
      case 'use': case 'declare': case 'print': case 'grant': return {};
      default: throw new SqlError(102, `Incorrect syntax near '${list[0]}'.`, 15);
    }
  }
  readied(list) {
    const text = list.join(' ');
    this.fillCatalog(text);
    return select(list);
  }
  query(list) {
    return this.retried(() => {
      const at = list.findIndex((t) => lower(t) === 'dm_exec_describe_first_result_set');
      if (at >= 0) {
        const argument = list[at + 2];
        this.describe(argument[0] === '@' ? this.variables[argument.slice(1)] : argument.replace(/^N?'|'$/g, '').replaceAll("''", "'"));
        const end = list.indexOf(')', at);
        list = [...list.slice(0, at), 'described', ...list.slice(end + 1)];
        const text = select(list);
        return this.rows(list, text);
      }
      return this.rows(list, this.readied(list));
    }, list.join(' '));
  }
  set(list) {
    const word = lower(list[1]);
    if (word[0] === '@') {
      return this.retried(() => {
        const at = list.indexOf('=');
        const statement = this.db.prepare(`SELECT ${translate(list.slice(at + 1))} AS v`);
        statement.setReadBigInts(true);
        statement.setAllowUnknownNamedParameters(true);
        this.variables[list[1].slice(1)] = statement.get(this.parameters()).v;
        return {};
      }, list.join(' '));
    }
    if (word === 'rowcount') this.settings.rowcount = Number(list[2]);
    if (word === 'fmtonly') this.settings.fmtonly = lower(list[2]) === 'on';
    if (word === 'lock_timeout') this.settings.lockTimeout = Number(list[2]);
    return {};
  }
  // Tables that are made and dropped in a transaction are so with it; the catalog follows.
  keep(isTemporary, name, entry) {
    const map = isTemporary ? this.temporary : this.server.tables, key = lower(isTemporary ? name : `dbo.${name}`), before = map.get(key);
    const put = (value) => (value ? map.set(key, value) : map.delete(key));
    put(entry);
    if (this.inTransaction) this.undo.push(() => put(before));
  }
  undoTo(length) {
    while (this.undo.length > length) this.undo.pop()();
  }
  transaction(word, second, list) {
    const name = unquote(list[2] ?? '');
    if (word === 'save') {
      this.db.exec(`SAVEPOINT ${quoted(name)}`);
      this.saved.set(lower(name), this.undo.length);
      return {};
    }
    if (word === 'rollback' && name) {
      if (!this.saved.has(lower(name))) throw new SqlError(6401, `Cannot roll back ${name}. No transaction or savepoint of that name was found.`);
      this.db.exec(`ROLLBACK TO ${quoted(name)}`);
      this.undoTo(this.saved.get(lower(name)));
      return {};
    }
    if (word === 'begin') {
      if (this.inTransaction) throw new SqlError(50000, 'A transaction within a transaction.');
      this.db.exec('BEGIN');
      this.inTransaction = true;
      return {};
    }
    if (!this.inTransaction) throw new SqlError(word === 'commit' ? 3902 : 3903, `The ${word.toUpperCase()} TRANSACTION request has no corresponding BEGIN TRANSACTION.`);
    this.db.exec(word.toUpperCase());
    this.inTransaction = false;
    if (word === 'rollback') this.undoTo(0);
    this.undo = [];
    this.saved.clear();
    this.server.active.delete(this);
    return {};
  }
  async insert(list) {
    const [schema, name, at] = nameAt(list, lower(list[1]) === 'into' ? 2 : 1);
    const table = this.table(schema, name);
    if (!table) throw new SqlError(208, `Invalid object name '${name}'.`);
    return this.retried(() => {
      const hasColumns = list[at] === '(';
      const generated = table.columns.filter((c) => c.type.name === 'rowversion' || c.identity);
      const columns = !hasColumns && generated.length ? ` (${table.columns.filter((c) => !generated.includes(c)).map((c) => `${quoted(c.name)}`).join(', ')})` : '';
      const count = this.run(`INSERT INTO ${translate(list.slice(lower(list[1]) === 'into' ? 2 : 1, at))}${columns} ${translate(list.slice(at))}`);
      if (find(list, 'values') >= 0) this.normalize(table);
      return { count, command: 0xc3 };
    }, list.join(' '));
  }
  // Literals are text until they are in a column.
  normalize(table) {
    const where = table.table[0] === '#' ? 'main' : 'dbo';
    for (const c of table.columns) {
      if (!/^(date|time|datetime|datetime2|smalldatetime|datetimeoffset|decimal|money|smallmoney|uniqueidentifier)$/.test(c.type.name)) continue;
      const as = `tds_as('${typeName(c.type)}', ${quoted(c.name)})`;
      this.db.exec(`UPDATE ${where}.${quoted(table.table)} SET ${quoted(c.name)} = ${as} WHERE ${quoted(c.name)} <> ${as} COLLATE BINARY`);
    }
  }
  create(list) {
    const word = lower(list[1]);
    if (word === 'table') return this.createTable(createTable(list));
    if (word === 'view') {
      const [, name, at] = nameAt(list, 2);
      const body = list.slice(at + 1), prepared = this.prepare(body, select(body));
      // A view of a shared database sees nothing of others: its text names none.
      this.db.exec(`CREATE VIEW dbo.${quoted(name)} AS ${select(body)}`);
      this.server.tables.set(lower(`dbo.${name}`), { schema: 'dbo', table: name, columns: prepared.columns, keys: [], id: this.server.nextId++, view: true });
      return {};
    }
    const unique = word === 'unique', at = list.findIndex((t) => lower(t) === 'on');
    const index = lower(list[at - 2]) === 'index' ? list[at - 1] : list[at - 1];
    const [schema, name, open] = nameAt(list, at + 1);
    const table = this.table(schema, name);
    if (!table) throw new SqlError(1088, `Cannot find the object "${name}".`);
    const columns = split(list.slice(open + 1, list.indexOf(')', open))).map((p) => unquote(p[0]));
    this.db.exec(`CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${name[0] === '#' ? 'main' : 'dbo'}.${quoted(`${name}_${unquote(index)}`)} ON ${quoted(name)} (${columns.map((c) => `${quoted(c)}`).join(', ')})`);
    if (unique) table.keys.push({ primary: false, columns });
    return {};
  }
  createTable(made) {
    const isTemporary = made.table[0] === '#';
    if (this.table(made.schema, made.table)) throw new SqlError(2714, `There is already an object named '${made.table}' in the database.`);
    const definitions = made.columns.map((c) => {
      const collate = isText(c.type) && !/_bin|_cs_/i.test(c.collation ?? '') ? ' COLLATE NOCASE' : '';
      if (c.identity) return `${quoted(c.name)} INTEGER`;
      return `${quoted(c.name)} ${affinity(c.type)}${collate}${c.nullable || c.type.name === 'rowversion' ? '' : ' NOT NULL'}${c.default ? ` DEFAULT (${c.default})` : ''}`;
    });
    const identity = made.columns.find((c) => c.identity);
    for (const k of made.keys) {
      for (const name of k.columns) if (k.primary) made.columns.find((c) => lower(c.name) === lower(name)).nullable = false;
      definitions.push(`${k.primary ? 'PRIMARY KEY' : 'UNIQUE'} (${k.columns.map((n) => `${quoted(n)}`).join(', ')})`);
    }
    for (const check of made.checks) definitions.push(`CHECK ${check}`);
    const where = isTemporary ? 'main' : 'dbo';
    this.db.exec(`CREATE TABLE ${where}.${quoted(made.table)} (${definitions.join(', ')})`);
    const entry = { ...made, schema: 'dbo', id: this.server.nextId++ };
    this.keep(isTemporary, made.table, entry);
    entry.keys.sort((a, b) => b.primary - a.primary);
    if (identity && !made.keys.some((k) => k.primary)) this.db.exec(`CREATE TRIGGER ${where}.${quoted(`${made.table}_id`)} AFTER INSERT ON ${quoted(made.table)} WHEN new.${quoted(identity.name)} IS NULL BEGIN UPDATE ${quoted(made.table)} SET ${quoted(identity.name)} = new.rowid WHERE rowid = new.rowid; END`);
    const rv = made.columns.find((c) => c.type.name === 'rowversion');
    if (rv) {
      const others = made.columns.filter((c) => c !== rv).map((c) => `${quoted(c.name)}`).join(', ');
      for (const event of ['INSERT', `UPDATE OF ${others}`]) this.db.exec(`CREATE TRIGGER ${where}.${quoted(`${made.table}_rv_${event[0]}`)} AFTER ${event} ON ${quoted(made.table)} BEGIN UPDATE ${quoted(made.table)} SET ${quoted(rv.name)} = next_rowversion() WHERE rowid = new.rowid; END`);
    }
    return {};
  }
  alter({ schema, table, column }) {
    const entry = this.table(schema, table);
    if (!entry || entry.view) throw new SqlError(4902, `Cannot find the object "${table}" because it does not exist or you do not have permissions.`);
    if (entry.columns.some((c) => lower(c.name) === lower(column.name))) throw new SqlError(2705, `Column names in each table must be unique. Column name '${column.name}' in table '${table}' is specified more than once.`);
    const collate = isText(column.type) && !/_bin|_cs_/i.test(column.collation ?? '') ? ' COLLATE NOCASE' : '';
    this.db.exec(`ALTER TABLE dbo.${quoted(entry.table)} ADD COLUMN ${quoted(column.name)} ${affinity(column.type)}${collate}`);
    entry.columns = [...entry.columns, column];
    return {};
  }
  drop(list) {
    const hasIf = lower(list[2]) === 'if', kind = lower(list[1]);
    const [schema, name] = nameAt(list, hasIf ? 4 : 2);
    const table = this.table(schema, name);
    if (!table) {
      if (hasIf) return {};
      throw new SqlError(3701, `Cannot drop the ${kind} '${name}', because it does not exist or you do not have permission.`, 11);
    }
    this.db.exec(`DROP ${table.view ? 'VIEW' : 'TABLE'} ${name[0] === '#' ? 'main' : 'dbo'}.${quoted(table.table)}`);
    this.keep(name[0] === '#', name, null);
    return {};
  }

  // --- Bulk --------------------------------------------------------------------------------------

  // Rows of `insert bulk`: columns by name.
  bulk(target, { columns, rows }) {
    const [schema, name] = nameAt(tokens(target), 0);
    const table = this.table(schema, name);
    if (!table) throw new SqlError(208, `Invalid object name '${name}'.`);
    const known = columns.map((c) => table.columns.find((k) => lower(k.name) === lower(c.name)));
    if (known.includes(undefined)) throw new SqlError(207, `Invalid column name in bulk data of '${name}'.`);
    const where = name[0] === '#' ? 'main' : 'dbo';
    const statement = this.db.prepare(`INSERT INTO ${where}.${quoted(table.table)} (${known.map((c) => `${quoted(c.name)}`).join(', ')}) VALUES (${known.map(() => '?').join(', ')})`);
    const own = !this.inTransaction;
    if (own) this.db.exec('BEGIN');
    try {
      for (const row of rows) statement.run(...row.map((v, i) => this.limited(known[i], normal(known[i].type, v))));
      if (own) this.db.exec('COMMIT');
    } catch (e) {
      if (own) this.db.exec('ROLLBACK');
      throw this.failed(e, `insert bulk ${target}`);
    }
    return rows.length;
  }
  limited(column, v) {
    const t = column.type;
    if (t.length > 0 && v !== null && v.length > t.length) throw new SqlError(2628, `String or binary data would be truncated in column '${column.name}'.`);
    return v;
  }
}
