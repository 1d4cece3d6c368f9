-- Which asking of an attempt its permit answers: an older one that comes late changes nothing.
ALTER TABLE permits ADD COLUMN epoch integer;  -- null: the asker names none
