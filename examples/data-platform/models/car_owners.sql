-- Customers and their cars. Both come whole each day, so a car counts once however often it came.
SELECT p.id AS customer, count(DISTINCT c.registration_plate) AS cars, min(c.car_model) AS first_model
FROM lake('warehouse/persons/*.parquet') AS p
JOIN lake('warehouse/cars/*.parquet') AS c ON c.customer_id = p.id
GROUP BY p.id
ORDER BY p.id
