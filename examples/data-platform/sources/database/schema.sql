-- The customers of a small company, with what people do to names, addresses and numbers.
CREATE SCHEMA customer;
CREATE TABLE customer.person (
  id            bigint PRIMARY KEY,
  firstname     text NOT NULL,
  surname       text NOT NULL,
  email_address text,
  phone_number  text
);
INSERT INTO customer.person
SELECT i,
       CASE i % 7 WHEN 0 THEN '  ' ELSE '' END || (ARRAY['Ann', 'Bob', 'Zoë', 'Dai', 'Eve'])[i % 5 + 1],
       (ARRAY['Lee', 'O''Neill', 'Smith ', 'Jones', 'Núñez'])[i % 5 + 1] || ' ' || i,
       'Person.' || i || CASE i % 3 WHEN 0 THEN '@EXAMPLE.COM' WHEN 1 THEN '@example.org' ELSE '@example.net ' END,
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '07700 ' ELSE '+44 7700 ' END || lpad((900000 + i % 1000)::text, 6, '0')
  FROM generate_series(1, :rows) AS i;

-- What collect-persons needs, and no more: `wherry grants crm` prints it.
CREATE ROLE wherry LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA customer TO wherry;
GRANT SELECT ON customer.person TO wherry;
