-- Each cadence as it was when all reminders were last brought in line with it; no tenant: files.
CREATE TABLE cadences (
    name   text  PRIMARY KEY,
    digest bytea NOT NULL
);
CREATE INDEX loans_of_cadence ON loans (cadence, loan_id, tenant);
