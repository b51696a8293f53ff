// What the npm client mssql makes of the peer: `node client.js PORT` prints a line for each thing it
// did, as JSON.
import { createRequire } from 'node:module';
const require = createRequire(process.env.WHERRY_TDS_MODULES ?? import.meta.url);
const sql = require('mssql');

const pool = await new sql.ConnectionPool({
  server: '127.0.0.1', port: Number(process.argv[2]), user: 'sa', password: process.env.WHERRY_TDS_PASSWORD, database: 'client',
  options: { encrypt: false, trustServerCertificate: true },
}).connect();
const say = (value) => console.log(JSON.stringify(value));

await pool.request().batch('CREATE TABLE t (id int NOT NULL PRIMARY KEY, name nvarchar(50), at datetime2(3))');
const inserted = await pool.request().input('id', sql.Int, 1).input('name', sql.NVarChar, 'Größe 😀')
  .input('at', sql.DateTime2, new Date(Date.UTC(2026, 10, 21, 8, 0, 0, 123)))
  .query('INSERT INTO t (id, name, at) VALUES (@id, @name, @at)');
say(inserted.rowsAffected);
say((await pool.request().query('SELECT * FROM t')).recordset);

const table = new sql.Table('t');
table.columns.add('id', sql.Int, { nullable: false });
table.columns.add('name', sql.NVarChar(50), { nullable: true });
table.rows.add(2, 'zwei');
table.rows.add(3, null);
say((await pool.request().bulk(table)).rowsAffected);

const transaction = pool.transaction();
await transaction.begin();
await transaction.request().query("UPDATE t SET name = N'no' WHERE id = 2");
await transaction.rollback();
say((await pool.request().query('SELECT id, name FROM t ORDER BY id')).recordset);

try {
  await pool.request().query('INSERT INTO t (id) VALUES (1)');
} catch (e) {
  say([e.number, e.message]);
}
await pool.close();
