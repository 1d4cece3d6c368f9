-- Statements on clearances, reported contacts and what a visit needs.

-- clearance
SELECT clearance_id, borrower_id, channel, digest, question::text AS question, state,
       answer::text AS answer, asked_at, expires_at, redeemed_at, reported_at
  FROM clearances WHERE tenant = $1 AND clearance_id = $2

-- file
-- A row less than given: the id was taken for another borrower at the same time.
INSERT INTO clearances (tenant, clearance_id, borrower_id, channel, digest, question, state, answer,
                        asked_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (clearance_id, tenant) DO NOTHING
RETURNING 1

-- move
UPDATE clearances
   SET state = $3, expires_at = NULL,
       redeemed_at = CASE WHEN $3 = 'redeemed' THEN $4 ELSE redeemed_at END,
       reported_at = CASE WHEN $3 = 'reported' THEN $4 ELSE reported_at END
 WHERE tenant = $1 AND clearance_id = $2

-- reserve
-- Asked: it ends by itself.  Redeemed: moved to now, and it stays until what happened is told.
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, at, outcome,
                      booked_at, loan_id, account, creditor, purpose, reminder_id, clearance_id,
                      more, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, 'reserved', $7, $8, $9, $10, $11, $12, $12, $13, $14)
    ON CONFLICT (contact_id, tenant) DO UPDATE
   SET at = excluded.at, outcome = 'reserved', booked_at = excluded.booked_at,
       expires_at = excluded.expires_at
 WHERE contacts.clearance_id = excluded.clearance_id
   AND contacts.outcome IN ('reserved', 'cancelled')

-- give_back
UPDATE contacts SET outcome = 'cancelled', expires_at = NULL
 WHERE tenant = $1 AND contact_id = $2 AND outcome = 'reserved'

-- expire
-- They count nowhere since; rows that somebody holds are taken the next time.
WITH gone AS (
    SELECT contact_id, tenant FROM contacts
     WHERE outcome = 'reserved' AND expires_at <= policy.gate_now()
     LIMIT 1000 FOR UPDATE SKIP LOCKED
), freed AS (
    UPDATE contacts c SET outcome = 'cancelled', expires_at = NULL FROM gone g
     WHERE c.contact_id = g.contact_id AND c.tenant = g.tenant
    RETURNING 1
), late AS (
    SELECT clearance_id, tenant FROM clearances
     WHERE state = 'reserved' AND expires_at <= policy.gate_now()
     LIMIT 1000 FOR UPDATE SKIP LOCKED
), told AS (
    UPDATE clearances c SET state = 'expired' FROM late l
     WHERE c.clearance_id = l.clearance_id AND c.tenant = l.tenant
    RETURNING 1
)
SELECT (SELECT count(*) FROM freed) AS freed, (SELECT count(*) FROM told) AS told

-- installments
SELECT tenant, loan_id, installment_number, borrower_id, outstanding_minor, currency, product, role,
       account, creditor, source, due_date, time_barred, in_procedures, missed_meetings
  FROM debts WHERE tenant = $1 AND loan_id = ANY ($2::text[])
 ORDER BY due_date, installment_number, loan_id

-- unreported_visits
SELECT clearance_id FROM clearances
 WHERE tenant = $1 AND borrower_id = $2 AND state = 'redeemed' AND channel = 'visit'
   AND clearance_id <> $3
 ORDER BY redeemed_at LIMIT 1

-- report
INSERT INTO contact_reports (tenant, contact_id, ledger_id, borrower_id, clearance_id, digest,
                             people_present, note_ref, at, reported_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (contact_id, tenant) DO NOTHING
RETURNING 1

-- reported
SELECT digest, ledger_id, clearance_id, at, reported_at FROM contact_reports
 WHERE tenant = $1 AND contact_id = $2

-- enter
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, direction, at,
                      outcome, booked_at, loan_id, account, creditor, purpose, clearance_id, more)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- answered_entry
-- The inbound entry that is answered: one reported to us, or one the notifier received.
SELECT contact_id FROM contacts
 WHERE tenant = $1 AND borrower_id = $2 AND contact_id = ANY ($3::uuid[]) AND direction = 'inbound'
 LIMIT 1

-- visit_limits
SELECT limits::text AS limits, set_at, set_by, approved_by FROM visit_limits
 WHERE tenant = $1 ORDER BY set_at DESC LIMIT 1

-- limit_visits
INSERT INTO visit_limits (tenant, set_at, limits, set_by, approved_by)
VALUES ($1, clock_timestamp(), $2, $3, $4)
