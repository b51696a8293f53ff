// T-SQL -> SQLite's SQL: as much as Wherry, freebcp, tsql and mssql send. What is not known goes to
// SQLite as it is, which says what it does not understand.
import { declared } from './types.js';

export class SqlError extends Error {
  constructor(number, text, severity = 16) { super(text); Object.assign(this, { number, severity }); }
}

// --- Words ---------------------------------------------------------------------------------------

const TOKEN = /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|N?'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"|@@?[\w$#]+|[#A-Za-z_][\w$#]*|0x[0-9a-f]*|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+|\|\||<>|<=|>=|!=|[^\s]/giy;

export function tokens(text) {
  const list = [];
  TOKEN.lastIndex = 0;
  for (let m; (m = TOKEN.exec(text)); ) {
    if (/^(\s|--|\/\*)/.test(m[0])) continue;
    list.push(m[0]);
  }
  return list;
}

const lower = (t) => (t ?? '').toLowerCase();
export const unquote = (t) => (t[0] === '[' ? t.slice(1, -1).replaceAll(']]', ']') : t[0] === '"' ? t.slice(1, -1).replaceAll('""', '"') : t);
const textOf = (t) => t.replace(/^N?'/i, '').slice(0, -1).replaceAll("''", "'");
const isText = (t) => /^N?'/i.test(t ?? '');
export const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

// Index of the bracket that closes the one at `at`.
function closing(list, at) {
  for (let depth = 0; at < list.length; at++) {
    if (list[at] === '(') depth++;
    if (list[at] === ')' && --depth === 0) return at;
  }
  throw new SqlError(102, "Incorrect syntax near ')'.", 15);
}

const STARTS = new Set(['set', 'if', 'create', 'drop', 'alter', 'insert', 'update', 'delete', 'select', 'with', 'begin', 'commit', 'rollback', 'save', 'truncate', 'use', 'declare', 'exec', 'execute', 'print', 'raiserror', 'throw', 'waitfor', 'grant', 'peer']);

// T-SQL needs nothing between statements: each begins with a word that does not continue the last. What
// an IF asks and what it does are one statement each.
export function statements(text) {
  const list = tokens(text), found = [];
  let now = [], top = [], depth = 0;
  const flush = () => { if (now.length) found.push(now); now = []; top = []; };
  list.forEach((t, i) => {
    if (t === ';' && depth === 0) return flush();
    const word = lower(t), first = lower(now[0]), last = lower(now.at(-1));
    if (depth === 0 && now.length && STARTS.has(word)) {
      const has = (w) => top.includes(w);
      const continues =
        (word === 'set' && first === 'update' && !has('set')) ||
        (word === 'select' && (/^(union|all|intersect|except|as)$/.test(last) || (first === 'insert' && !has('select') && !has('values') && !has('default')) || (first === 'with' && !has('select')) || (first === 'create' && has('view')))) ||
        (word === 'with' && (list[i + 1] === '(' || first === 'insert')) ||
        (word === 'update' && /^(for|on)$/.test(last)) || (word === 'delete' && last === 'on') ||
        (word === 'set' && first === 'alter') || (word === 'drop' && first === 'alter') || (word === 'if' && /^(drop|create)$/.test(first) && /^(table|view|index|schema)$/.test(last)) ||
        (/^(insert|update|delete)$/.test(word) && first === 'grant') || (word === 'select' && first === 'grant') || last === '.';
      if (!continues) flush();
    }
    if (t === '(') depth++;
    if (t === ')') depth--;
    if (depth === 0) top.push(lower(t));
    now.push(t);
  });
  flush();
  return found;
}

// --- Expressions ---------------------------------------------------------------------------------

function castTo(type, inner) {
  const t = declared(type);
  if (/^n?(var)?char$/.test(t.name)) return `tds_text(${inner})`;
  if (/binary$/.test(t.name)) return `tds_bytes(${inner})`;
  if (/^(bit|tinyint|smallint|int|bigint)$/.test(t.name)) return `tds_int(${inner})`;
  if (/^(real|float)$/.test(t.name)) return `CAST(${inner} AS REAL)`;
  return `tds_as('${type.replaceAll("'", '')}', ${inner})`;
}

const RENAMED = { len: 'length', isnull: 'ifnull', getdate: 'sysutcdatetime', getutcdate: 'sysutcdatetime', sysdatetime: 'sysutcdatetime', string_agg: 'group_concat', datalength: 'tds_length', count_big: 'count' };

// Tokens of an expression or a query as SQLite's text.
export function translate(list) {
  const out = [];
  for (let i = 0; i < list.length; i++) {
    const t = list[i], word = lower(t), next = list[i + 1];
    if (isText(t)) { out.push(`'${textOf(t).replaceAll("'", "''")}'`); continue; }
    if (t.startsWith('@@')) { out.push(`tds_global('${t.slice(2).toLowerCase()}')`); continue; }
    if (t[0] === '@') { out.push(`:${t.slice(1)}`); continue; }
    if (/^0x/i.test(t)) { out.push(`x'${t.slice(2)}'`); continue; }
    if (t[0] === '[' || t[0] === '"') { out.push(quoted(unquote(t))); continue; }
    if (word[0] === '#') { out.push(quoted(t)); continue; }
    if (word === 'collate') { out.push('COLLATE', /_bin|_cs_/i.test(next) ? 'BINARY' : 'NOCASE'); i++; continue; }
    if ((word === 'cast' || word === 'try_cast') && next === '(') {
      const end = closing(list, i + 1);
      let as = end, depth = 0;
      for (let k = end; k > i; k--) {
        if (list[k] === ')') depth++;
        if (list[k] === '(') depth--;
        if (depth === 1 && lower(list[k]) === 'as') { as = k; break; }
      }
      out.push(castTo(list.slice(as + 1, end).join(''), translate(list.slice(i + 2, as))));
      i = end;
      continue;
    }
    if (word === 'convert' && next === '(') {
      const end = closing(list, i + 1), parts = split(list.slice(i + 2, end));
      const style = parts[2]?.[0];
      const inner = translate(parts[1]), type = parts[0].join('');
      if (/binary/i.test(type) && style) out.push(`tds_unhex(${inner})`);
      else if (/char/i.test(type) && style === '126') out.push(`tds_iso(${inner})`);
      else out.push(castTo(type, inner));
      i = end;
      continue;
    }
    if (word === 'with' && next === '(' && /^(updlock|holdlock|nolock|tablock|tablockx|rowlock|readpast|xlock)$/i.test(list[i + 2])) { i = closing(list, i + 1); continue; }
    if (RENAMED[word] && next === '(') { out.push(RENAMED[word]); continue; }
    if (word === 'varbinary' || word === 'nvarchar') { out.push(word); continue; }
    out.push(t);
  }
  return out.join(' ').replace(/ \. /g, '.').replace(/(\w|\]) \(/g, '$1(').replace(/\b(IN|AND|OR|NOT|EXISTS|ON|WHERE|SELECT|AS|VALUES|FROM|THEN|ELSE|WHEN)\(/gi, '$1 (');
}

// At the commas outside brackets.
export function split(list) {
  const parts = [[]];
  let depth = 0;
  for (const t of list) {
    if (t === '(') depth++;
    if (t === ')') depth--;
    if (t === ',' && depth === 0) parts.push([]);
    else parts.at(-1).push(t);
  }
  return parts;
}

// Index of a word outside brackets.
export function find(list, word, from = 0) {
  for (let i = from, depth = 0; i < list.length; i++) {
    if (list[i] === '(') depth++;
    else if (list[i] === ')') depth--;
    else if (depth === 0 && lower(list[i]) === word) return i;
  }
  return -1;
}

// `a.b` as a name, from `at`: [schema, table, index behind it].
export function nameAt(list, at) {
  const parts = [unquote(list[at++])];
  while (list[at] === '.') {
    if (list[at + 1] === '.') { parts.push(''); at += 1; continue; }
    parts.push(unquote(list[at + 1]));
    at += 2;
  }
  const table = parts.pop();
  return [parts.pop() || null, table, at];
}

// --- Statements ----------------------------------------------------------------------------------

export function select(list) {
  let limit = null;
  const at = find(list, 'select');
  if (at >= 0 && lower(list[at + 1]) === 'top') {
    const end = list[at + 2] === '(' ? closing(list, at + 2) : at + 2;
    limit = translate(list.slice(at + 2, end + 1));
    list = [...list.slice(0, at + 1), ...list.slice(end + 1)];
  }
  const text = translate(list);
  return limit === null ? text : `${text} LIMIT ${limit}`;
}

// UPDATE alias SET ... FROM table AS alias JOIN others ON c WHERE w
export function update(list) {
  const set = find(list, 'set'), from = find(list, 'from');
  if (from < 0) return translate(list);
  const alias = unquote(list[1]), where = find(list, 'where', from);
  const sources = list.slice(from + 1, where < 0 ? undefined : where);
  const parts = joined(sources);
  const target = parts.find((p) => lower(p.alias) === lower(alias));
  const others = parts.filter((p) => p !== target);
  const conditions = parts.filter((p) => p.on).map((p) => `(${translate(p.on)})`);
  if (where >= 0) conditions.push(`(${translate(list.slice(where + 1))})`);
  const head = `UPDATE ${translate(target.name)} AS ${quoted(alias)} SET ${translate(list.slice(set + 1, from))}`;
  const isOuter = parts.some((p) => p.outer);
  if (isOuter) {
    // The target keeps its rows where nothing joins: found by their place.
    const joins = parts.filter((p) => p !== target).map((p) => `LEFT JOIN ${translate(p.name)} AS ${quoted(p.alias)} ON ${translate(p.on)}`).join(' ');
    return `${head} WHERE rowid IN (SELECT ${quoted(alias)}.rowid FROM ${translate(target.name)} AS ${quoted(alias)} ${joins} ${where >= 0 ? `WHERE ${translate(list.slice(where + 1))}` : ''})`;
  }
  const tail = others.length ? ` FROM ${others.map((p) => `${translate(p.name)} AS ${quoted(p.alias)}`).join(', ')}` : '';
  return `${head}${tail}${conditions.length ? ` WHERE ${conditions.join(' AND ')}` : ''}`;
}

function joined(list) {
  const parts = [];
  let at = 0, outer = false;
  while (at < list.length) {
    const word = lower(list[at]);
    if (/^(inner|join|,|left|outer)$/.test(word)) { outer ||= word === 'left'; at++; continue; }
    const [, , end] = nameAt(list, at);
    const part = { name: list.slice(at, end), outer: outer && parts.length > 0 };
    at = end;
    if (lower(list[at]) === 'as') at++;
    part.alias = unquote(list[at++]);
    if (lower(list[at]) === 'with' && list[at + 1] === '(') at = closing(list, at + 1) + 1;
    if (lower(list[at]) === 'on') {
      let stop = at + 1, depth = 0;
      for (; stop < list.length; stop++) {
        if (list[stop] === '(') depth++;
        if (list[stop] === ')') depth--;
        if (depth === 0 && /^(inner|left|join)$/.test(lower(list[stop]))) break;
      }
      part.on = list.slice(at + 1, stop);
      at = stop;
    }
    parts.push(part);
    outer = false;
  }
  return parts;
}

// DELETE alias FROM table AS alias [JOIN others ON c] WHERE ...
export function remove(list) {
  if (lower(list[1]) === 'from' || lower(list[2]) !== 'from') return translate(list);
  const rest = list.slice(2), from = find(rest, 'from'), where = find(rest, 'where');
  const parts = joined(rest.slice(from + 1, where < 0 ? undefined : where));
  if (parts.length < 2) return `DELETE ${translate(rest)}`;
  const target = parts.find((p) => lower(p.alias) === lower(unquote(list[1])));
  const others = parts.filter((p) => p !== target);
  const conditions = others.map((p) => `(${translate(p.on)})`);
  if (where >= 0) conditions.push(`(${translate(rest.slice(where + 1))})`);
  const sources = others.map((p) => `${translate(p.name)} AS ${quoted(p.alias)}`).join(', ');
  return `DELETE FROM ${translate(target.name)} AS ${quoted(target.alias)} WHERE EXISTS (SELECT 1 FROM ${sources} WHERE ${conditions.join(' AND ')})`;
}

// CREATE TABLE -> { schema, table, columns, keys, checks }
export function createTable(list) {
  const [schema, table, open] = nameAt(list, 2);
  const end = closing(list, open);
  const made = { schema, table, columns: [], keys: [], checks: [] };
  for (const part of split(list.slice(open + 1, end))) {
    if (lower(part[0]) === 'constraint') part.splice(0, 2);
    const first = lower(part[0]);
    if (first === 'primary' || first === 'unique') {
      const at = part.indexOf('(');
      made.keys.push({ primary: first === 'primary', columns: split(part.slice(at + 1, closing(part, at))).map((p) => unquote(p[0])) });
    } else if (first === 'check') made.checks.push(translate(part.slice(1)));
    else if (first !== 'foreign' && first !== 'index') made.columns.push(column(part, made));
  }
  return made;
}

// ALTER TABLE name ADD column -> { schema, table, column }
export function addColumn(list) {
  const [schema, table, at] = nameAt(list, 2);
  if (lower(list[at]) !== 'add' || lower(list[at + 1]) === 'column') throw new SqlError(102, `Incorrect syntax near '${list[at + 1]}'.`, 15);
  return { schema, table, column: column(list.slice(at + 1), { keys: [], checks: [] }) };
}

function column(part, made) {
  const c = { name: unquote(part[0]), nullable: true, collation: null };
  const bracket = part[2] === '(' ? closing(part, 2) : 1;
  c.type = declared(part.slice(1, bracket + 1).join(''));
  if (c.type.name === 'rowversion') c.nullable = false;
  for (let i = bracket + 1; i < part.length; i++) {
    const word = lower(part[i]);
    if (word === 'not' && lower(part[i + 1]) === 'null') { c.nullable = false; i++; }
    else if (word === 'collate') c.collation = part[++i];
    else if (word === 'primary' || word === 'unique') made.keys.push({ primary: word === 'primary', columns: [c.name] });
    else if (word === 'identity') { c.identity = true; c.nullable = false; if (part[i + 1] === '(') i = closing(part, i + 1); }
    else if (word === 'default') { const stop = part[i + 1] === '(' ? closing(part, i + 1) : i + 1; c.default = translate(part.slice(i + 1, stop + 1)); i = stop; }
    else if (word === 'check') { const stop = closing(part, i + 1); made.checks.push(translate(part.slice(i + 1, stop + 1))); i = stop; }
  }
  return c;
}
