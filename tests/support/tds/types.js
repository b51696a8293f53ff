// Values on the line, both ways, exactly: numbers that JavaScript cannot hold are BigInts or text.
//
// In SQLite they are: whole numbers and bits INTEGER, floats REAL, decimals and money TEXT with their
// scale, times TEXT with seven digits of a second ("2026-11-21 08:00:00.0000000", instants in UTC),
// text TEXT, UUIDs TEXT in upper case, bytes BLOB.
import { createRequire } from 'node:module';
const require = createRequire(process.env.WHERRY_TDS_MODULES ?? import.meta.url);
const { readMetadata } = require('tedious/lib/metadata-parser');

const TICKS_A_DAY = 864000000000n;
const DAY_1 = -719162; // 0001-01-01, in days since 1970
const DAY_1900 = -25567;
export const COLLATION = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]); // SQL_Latin1_General_CP1_CI_AS

// --- Declarations --------------------------------------------------------------------------------

const LENGTHS = { char: 1, nchar: 1, varchar: 1, nvarchar: 1, binary: 1, varbinary: 1 };

// { name, length (-1: max), precision, scale } of "nvarchar(50)"
export function declared(text) {
  const m = /^\s*\[?(\w+)\]?\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?/i.exec(text);
  const name = m[1].toLowerCase(), first = m[2]?.toLowerCase();
  const t = { name };
  if (name === 'numeric') t.name = 'decimal';
  if (name === 'integer') t.name = 'int';
  if (name === 'timestamp') t.name = 'rowversion';
  if (name === 'sysname') return { name: 'nvarchar', length: 128 };
  if (LENGTHS[name]) t.length = first === 'max' ? -1 : Number(first ?? 1);
  if (t.name === 'decimal') [t.precision, t.scale] = [Number(first ?? 18), Number(m[3] ?? 0)];
  if (/^(time|datetime2|datetimeoffset)$/.test(name)) t.scale = Number(first ?? 7);
  if (name === 'float' && first && Number(first) <= 24) t.name = 'real';
  return t;
}

export const isText = (t) => /^n?(var)?char$|^n?text$|^xml$/.test(t.name);
export const isBytes = (t) => /^(var)?binary$|^image$/.test(t.name);

// What SQLite calls it.
export function affinity(t) {
  if (/^(bit|tinyint|smallint|int|bigint)$/.test(t.name)) return 'INTEGER';
  if (/^(real|float)$/.test(t.name)) return 'REAL';
  if (isBytes(t) || t.name === 'rowversion') return 'BLOB';
  return 'TEXT';
}

// --- Times ---------------------------------------------------------------------------------------

const pad = (n, width) => String(n).padStart(width, '0');

function dateText(days) {
  const d = new Date(days * 86400000);
  return `${pad(d.getUTCFullYear(), 4)}-${pad(d.getUTCMonth() + 1, 2)}-${pad(d.getUTCDate(), 2)}`;
}

function ticksText(ticks) {
  const s = Number(ticks / 10000000n);
  return `${pad(Math.floor(s / 3600), 2)}:${pad(Math.floor(s / 60) % 60, 2)}:${pad(s % 60, 2)}.${pad(ticks % 10000000n, 7)}`;
}

// Days since 1970 and ticks since midnight, in UTC.
export function moment(value) {
  const m = /^(?:(\d{4})-(\d\d)-(\d\d))?[T ]?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?\s*(Z|[+-]\d\d:\d\d)?$/.exec(String(value).trim());
  if (!m) throw new Error(`Conversion failed when converting date and/or time from character string '${value}'.`);
  const date = new Date(0);
  if (m[1]) date.setUTCFullYear(Number(m[1]), Number(m[2]) - 1, Number(m[3]));
  let days = m[1] ? Math.floor(date.getTime() / 86400000) : DAY_1900;
  let ticks = BigInt(Number(m[4] ?? 0) * 3600 + Number(m[5] ?? 0) * 60 + Number(m[6] ?? 0)) * 10000000n;
  ticks += BigInt((m[7] ?? '').slice(0, 7).padEnd(7, '0') || 0);
  if (m[8] && m[8] !== 'Z') {
    const sign = m[8][0] === '-' ? 1n : -1n;
    ticks += sign * BigInt(Number(m[8].slice(1, 3)) * 60 + Number(m[8].slice(4))) * 600000000n;
    if (ticks < 0n) [days, ticks] = [days - 1, ticks + TICKS_A_DAY];
    if (ticks >= TICKS_A_DAY) [days, ticks] = [days + 1, ticks - TICKS_A_DAY];
  }
  return { days, ticks };
}

export function timeText(t, { days, ticks }) {
  if (t.name === 'date') return dateText(days);
  if (t.name === 'time') return ticksText(ticks);
  return `${dateText(days)} ${ticksText(ticks)}${t.name === 'datetimeoffset' ? ' +00:00' : ''}`;
}

// Any value as the type keeps it in SQLite.
export function normal(t, v) {
  if (v === null || v === undefined) return null;
  if (/^(date|time|datetime|datetime2|smalldatetime|datetimeoffset)$/.test(t.name)) return timeText(t, moment(v));
  if (t.name === 'decimal' || /money$/.test(t.name)) return decimalText(unscaled(v, t.scale ?? 4), t.scale ?? 4);
  if (t.name === 'uniqueidentifier') return String(v).toUpperCase();
  if (t.name === 'bit') return v === true || BigInt(v) !== 0n ? 1n : 0n;
  if (affinity(t) === 'INTEGER') return BigInt(v);
  if (affinity(t) === 'REAL') return t.name === 'real' ? Math.fround(Number(v)) : Number(v);
  if (affinity(t) === 'BLOB') return v instanceof Uint8Array ? v : Buffer.from(String(v), 'utf16le');
  return v instanceof Uint8Array ? Buffer.from(v).toString('utf16le') : String(v);
}

// --- Decimals ------------------------------------------------------------------------------------

export function unscaled(value, scale) {
  const m = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(String(value).trim());
  if (!m) throw new Error('Error converting data type nvarchar to numeric.');
  const fraction = (m[3] ?? '').slice(0, scale).padEnd(scale, '0');
  const n = BigInt((m[2] || '0') + fraction);
  return m[1] === '-' ? -n : n;
}

export function decimalText(n, scale) {
  const digits = (n < 0n ? -n : n).toString().padStart(scale + 1, '0');
  const at = digits.length - scale;
  return (n < 0n ? '-' : '') + digits.slice(0, at) + (scale ? '.' + digits.slice(at) : '');
}

const decimalBytes = (precision) => (precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16);

// --- Writing -------------------------------------------------------------------------------------

export class Out {
  parts = [];
  size = 0;
  bytes(b) { this.parts.push(b); this.size += b.length; return this; }
  int(n, width) {
    const b = Buffer.alloc(width);
    let v = BigInt.asUintN(width * 8, BigInt(n));
    for (let i = 0; i < width; i++, v >>= 8n) b[i] = Number(v & 255n);
    return this.bytes(b);
  }
  u8(n) { return this.int(n, 1); }
  u16(n) { return this.int(n, 2); }
  u32(n) { return this.int(n, 4); }
  u64(n) { return this.int(n, 8); }
  text8(s) { return this.u8(s.length).bytes(Buffer.from(s, 'utf16le')); }
  text16(s) { return this.u16(s.length).bytes(Buffer.from(s, 'utf16le')); }
  whole() { return Buffer.concat(this.parts); }
}

const INT_BYTES = { tinyint: 1, smallint: 2, int: 4, bigint: 8 };
const timeBytes = (scale) => (scale <= 2 ? 3 : scale <= 4 ? 4 : 5);

// TYPE_INFO. Where a column cannot be NULL, whole numbers have their own type.
export function writeType(out, t, nullable = true) {
  switch (t.name) {
    case 'bit': return nullable ? out.u8(0x68).u8(1) : out.u8(0x32);
    case 'tinyint': case 'smallint': case 'int': case 'bigint':
      if (!nullable) return out.u8({ tinyint: 0x30, smallint: 0x34, int: 0x38, bigint: 0x7f }[t.name]);
      return out.u8(0x26).u8(INT_BYTES[t.name]);
    case 'real': return out.u8(0x6d).u8(4);
    case 'float': return out.u8(0x6d).u8(8);
    case 'money': return out.u8(0x6e).u8(8);
    case 'smallmoney': return out.u8(0x6e).u8(4);
    case 'decimal': return out.u8(0x6a).u8(decimalBytes(t.precision) + 1).u8(t.precision).u8(t.scale);
    case 'date': return out.u8(0x28);
    case 'time': return out.u8(0x29).u8(t.scale);
    case 'datetime2': return out.u8(0x2a).u8(t.scale);
    case 'datetimeoffset': return out.u8(0x2b).u8(t.scale);
    case 'datetime': return out.u8(0x6f).u8(8);
    case 'smalldatetime': return out.u8(0x6f).u8(4);
    case 'uniqueidentifier': return out.u8(0x24).u8(16);
    case 'rowversion': return out.u8(0xad).u16(8);
    case 'char': return out.u8(0xaf).u16(t.length).bytes(COLLATION);
    case 'nchar': return out.u8(0xef).u16(2 * t.length).bytes(COLLATION);
    case 'varchar': return out.u8(0xa7).u16(t.length < 0 ? 0xffff : t.length).bytes(COLLATION);
    case 'binary': return out.u8(0xad).u16(t.length);
    case 'varbinary': return out.u8(0xa5).u16(t.length < 0 ? 0xffff : t.length);
    case 'text': return out.u8(0x23).u32(0x7fffffff).bytes(COLLATION);
    case 'ntext': return out.u8(0x63).u32(0x7fffffff).bytes(COLLATION);
    case 'image': return out.u8(0x22).u32(0x7fffffff);
    case 'xml': return out.u8(0xf1).u8(0);
    default: return out.u8(0xe7).u16(t.length < 0 ? 0xffff : 2 * t.length).bytes(COLLATION);
  }
}

function writePlp(out, bytes) {
  out.u64(bytes.length);
  if (bytes.length) out.u32(bytes.length).bytes(bytes);
  return out.u32(0);
}

const LATIN1 = (s) => Buffer.from(s, 'latin1');

function textBytes(t, v) {
  const single = /^(var)?char$|^text$/.test(t.name);
  const bytes = single ? LATIN1(String(v)) : Buffer.from(String(v), 'utf16le');
  const width = (single ? 1 : 2) * t.length;
  if (!/^n?char$/.test(t.name) || bytes.length >= width) return bytes;
  return Buffer.concat([bytes, single ? Buffer.alloc(width - bytes.length, ' ') : Buffer.from(' '.repeat((width - bytes.length) / 2), 'utf16le')]);
}

function uuidBytes(text) {
  const hex = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.concat([hex.subarray(0, 4).reverse(), hex.subarray(4, 6).reverse(), hex.subarray(6, 8).reverse(), hex.subarray(8)]);
}

function writeTime(out, t, { days, ticks }) {
  const step = 10n ** BigInt(7 - (t.scale ?? 7));
  switch (t.name) {
    case 'date': return out.u8(3).int(days - DAY_1, 3);
    case 'time': return out.u8(timeBytes(t.scale)).int(ticks / step, timeBytes(t.scale));
    case 'datetime2': return out.u8(timeBytes(t.scale) + 3).int(ticks / step, timeBytes(t.scale)).int(days - DAY_1, 3);
    case 'datetimeoffset':
      return out.u8(timeBytes(t.scale) + 5).int(ticks / step, timeBytes(t.scale)).int(days - DAY_1, 3).u16(0);
    case 'smalldatetime': return out.u8(4).u16(days - DAY_1900).u16(ticks / 600000000n);
    default: return out.u8(8).u32(days - DAY_1900).u32((ticks * 3n + 50000n) / 100000n);
  }
}

// A value of a row; `nullable` as in writeType.
export function writeValue(out, t, v, nullable = true) {
  const isPlp = t.length === -1 || t.name === 'xml';
  const isBlob = /^n?text$|^image$/.test(t.name);
  const isShort = isText(t) || isBytes(t) || t.name === 'rowversion';
  if (v === null || v === undefined) {
    if (isPlp) return out.u64(0xffffffffffffffffn);
    if (isBlob) return out.u8(0);
    return isShort ? out.u16(0xffff) : out.u8(0);
  }
  if (isText(t) || isBytes(t) || t.name === 'rowversion') {
    const bytes = isText(t) ? textBytes(t, v) : Buffer.from(v);
    if (isPlp) return writePlp(out, bytes);
    if (isBlob) return out.u8(16).bytes(Buffer.alloc(24, 1)).u32(bytes.length).bytes(bytes);
    return out.u16(bytes.length).bytes(bytes);
  }
  const fixed = (width, n) => (nullable ? out.u8(width) : out).int(n, width);
  const real = Buffer.alloc(8);
  switch (t.name) {
    case 'bit': return fixed(1, BigInt(v) ? 1 : 0);
    case 'tinyint': case 'smallint': case 'int': case 'bigint': return fixed(INT_BYTES[t.name], BigInt(v));
    case 'real': real.writeFloatLE(Number(v)); return out.u8(4).bytes(real.subarray(0, 4));
    case 'float': real.writeDoubleLE(Number(v)); return out.u8(8).bytes(real);
    case 'smallmoney': return out.u8(4).int(unscaled(v, 4), 4);
    case 'money': { const n = unscaled(v, 4); return out.u8(8).int(n >> 32n, 4).int(n & 0xffffffffn, 4); }
    case 'decimal': {
      const n = unscaled(v, t.scale), width = decimalBytes(t.precision);
      return out.u8(width + 1).u8(n < 0n ? 0 : 1).int(n < 0n ? -n : n, width);
    }
    case 'uniqueidentifier': return out.u8(16).bytes(uuidBytes(String(v)));
    default: return writeTime(out, t, moment(v));
  }
}

// --- Reading -------------------------------------------------------------------------------------

export class In {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  get left() { return this.bytes.length - this.at; }
  take(n) {
    if (this.left < n) throw new Error('The message ends within a value.');
    return this.bytes.subarray(this.at, (this.at += n));
  }
  int(width, signed = false) {
    let v = 0n;
    this.take(width).forEach((b, i) => { v |= BigInt(b) << BigInt(8 * i); });
    return signed ? BigInt.asIntN(8 * width, v) : v;
  }
  u8() { return this.take(1)[0]; }
  u16() { return Number(this.int(2)); }
  u32() { return Number(this.int(4)); }
  text8() { return Buffer.from(this.take(2 * this.u8())).toString('utf16le'); }
  text16() { return Buffer.from(this.take(2 * this.u16())).toString('utf16le'); }
  plp() {
    const total = this.int(8);
    if (total === 0xffffffffffffffffn) return null;
    const parts = [];
    for (let n = this.u32(); n; n = this.u32()) parts.push(this.take(n));
    return Buffer.concat(parts);
  }
}

// TYPE_INFO as tedious reads it, behind a user type and flags.
export function readType(input, hasFlags) {
  const head = hasFlags ? Buffer.alloc(0) : Buffer.alloc(6);
  const bytes = Buffer.concat([head, input.bytes.subarray(input.at)]);
  const { value, offset } = readMetadata(bytes, 0, { tdsVersion: '7_4', useUTC: true });
  input.at += offset - head.length;
  return value;
}

const uuidText = (b) => {
  const hex = Buffer.concat([Buffer.from(b.subarray(0, 4)).reverse(), Buffer.from(b.subarray(4, 6)).reverse(), Buffer.from(b.subarray(6, 8)).reverse(), b.subarray(8)]).toString('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

function readTime(input, m, width) {
  const hasDate = m.type.name !== 'Time', hasOffset = m.type.name === 'DateTimeOffset';
  if (m.type.name === 'Date') return timeText({ name: 'date' }, { days: Number(input.int(3)) + DAY_1 });
  const ticks = input.int(width - (hasDate ? 3 : 0) - (hasOffset ? 2 : 0)) * 10n ** BigInt(7 - m.scale);
  const days = hasDate ? Number(input.int(3)) + DAY_1 : DAY_1900;
  if (hasOffset) input.int(2); // the rest is in UTC already
  const name = hasOffset ? 'datetimeoffset' : hasDate ? 'datetime2' : 'time';
  return timeText({ name }, { days, ticks });
}

function readFixed(input, name, width) {
  switch (name) {
    case 'Bit': case 'BitN': case 'TinyInt': return input.int(1);
    case 'Real': return input.take(4).readFloatLE();
    case 'Float': return input.take(8).readDoubleLE();
    case 'FloatN': return width === 4 ? input.take(4).readFloatLE() : input.take(8).readDoubleLE();
    case 'Money': case 'SmallMoney': case 'MoneyN': {
      if (width === 4) return decimalText(input.int(4, true), 4);
      const high = input.int(4, true);
      return decimalText((high << 32n) | input.int(4), 4);
    }
    case 'DateTime': case 'SmallDateTime': case 'DateTimeN': {
      const days = Number(input.int(width / 2, width === 8)) + DAY_1900;
      const rest = input.int(width / 2);
      const ticks = width === 4 ? rest * 600000000n : ((rest * 10n + 1n) / 3n) * 10000n;
      return timeText({ name: 'datetime' }, { days, ticks });
    }
    default: return width === 1 ? input.int(1) : input.int(width, true);
  }
}

const FIXED = { Bit: 1, TinyInt: 1, SmallInt: 2, Int: 4, BigInt: 8, Real: 4, Float: 8, Money: 8, SmallMoney: 4, DateTime: 8, SmallDateTime: 4 };

export function readValue(input, m) {
  const name = m.type.name;
  const isMax = m.dataLength === 0xffff;
  const text = (b) => Buffer.from(b).toString('utf16le');
  const narrow = (b) => Buffer.from(b).toString('latin1');
  if (name === 'Null') return null;
  if (FIXED[name]) return readFixed(input, name, FIXED[name]);
  switch (name) {
    case 'NVarChar': case 'NChar': case 'VarChar': case 'Char': case 'VarBinary': case 'Binary': {
      const n = isMax ? 0 : input.u16();
      const bytes = isMax ? input.plp() : n === 0xffff ? null : input.take(n);
      if (bytes === null) return null;
      return /^N/.test(name) ? text(bytes) : /Char/.test(name) ? narrow(bytes) : Buffer.from(bytes);
    }
    case 'Xml': { const bytes = input.plp(); return bytes && text(bytes); }
    case 'Text': case 'NText': case 'Image': {
      // A parameter has its length alone; a row has a pointer in front.
      if (input.isParam) {
        const n = Number(input.int(4, true));
        const b = n < 0 ? null : input.take(n);
        return b === null ? null : name === 'NText' ? text(b) : name === 'Text' ? narrow(b) : Buffer.from(b);
      }
      const pointer = input.u8();
      if (!pointer) return null;
      input.take(pointer + 8);
      const bytes = input.take(input.u32());
      return name === 'NText' ? text(bytes) : name === 'Text' ? narrow(bytes) : Buffer.from(bytes);
    }
    default:
  }
  const width = input.u8();
  if (!width) return null;
  if (name === 'UniqueIdentifier') return uuidText(input.take(16));
  if (/^(Decimal|Numeric)/.test(name)) {
    const sign = input.u8(), n = input.int(width - 1);
    return decimalText(sign ? n : -n, m.scale);
  }
  if (/^(Time|Date|DateTime2|DateTimeOffset)$/.test(name)) return readTime(input, m, width);
  return readFixed(input, name, width);
}

// What a parameter of that type is called.
export function nameOf(m) {
  const names = { NVarChar: 'nvarchar', NChar: 'nchar', VarChar: 'varchar', Char: 'char', VarBinary: 'varbinary', Binary: 'binary', NText: 'ntext', Text: 'text', Image: 'image' };
  return names[m.type.name] ?? m.type.name.toLowerCase();
}
