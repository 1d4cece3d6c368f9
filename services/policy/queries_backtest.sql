-- Statements that read the past for `dunwell policy backtest`.

-- rule_sets
SELECT tenant, version, packs::text AS packs FROM rule_sets
 WHERE $1::text IS NULL OR tenant = $1

-- pack_texts
SELECT tenant, pack, version, text FROM pack_texts WHERE $1::text IS NULL OR tenant = $1

-- activations
SELECT tenant, pack, version, active_from, ended_at FROM activations
 WHERE $1::text IS NULL OR tenant = $1
 ORDER BY tenant, pack, active_from, recorded_at

-- number_of_decisions
SELECT count(*) FROM decisions
 WHERE decided_at >= $1 AND decided_at < $2 AND ($3::text IS NULL OR tenant = $3)

-- decisions
-- In no order: sorting years of decisions would cost more than asking them again.  A contact that
-- was made on the strength of a yes carries the attempt's id and the instant of the decision.
SELECT d.tenant, d.decision_id, d.decided_at, d.checkpoint, d.reminder_id, d.borrower_id,
       d.attempt_id, d.rule_set, d.verdict, d.answers::text AS answers, f.facts::text AS facts,
       b.country, b.subdivision, b.city, c.contact_id
  FROM decisions d
  LEFT JOIN decision_facts f ON f.facts_hash = d.facts_hash AND f.tenant = d.tenant
  LEFT JOIN borrowers b ON b.borrower_id = d.borrower_id AND b.tenant = d.tenant
  LEFT JOIN contacts c ON c.contact_id = d.attempt_id AND c.tenant = d.tenant
                      AND d.verdict = 'allow' AND c.at = d.decided_at AND c.outcome <> 'cancelled'
 WHERE d.decided_at >= $1 AND d.decided_at < $2 AND ($3::text IS NULL OR d.tenant = $3)

-- other_contacts
-- Outbound contacts that no yes of ours stands behind: reported by others, or moved since.
SELECT c.tenant, c.contact_id, c.borrower_id, c.contact_point_id, c.channel, c.at, c.outcome,
       c.loan_id, c.account, c.creditor, c.purpose, c.more::text AS more
  FROM contacts c
 WHERE c.at >= $1 AND c.at < $2 AND ($3::text IS NULL OR c.tenant = $3)
   AND c.direction = 'outbound' AND c.outcome <> 'cancelled'
   AND NOT EXISTS (SELECT FROM decisions d
                    WHERE d.reminder_id = c.reminder_id AND d.tenant = c.tenant
                      AND d.attempt_id = c.contact_id AND d.decided_at = c.at
                      AND d.verdict = 'allow')
 ORDER BY c.at, c.contact_id

-- debts_of_borrower
SELECT loan_id, installment_number, outstanding_minor, currency, product, role, due_date, account,
       creditor, time_barred, in_procedures, missed_meetings
  FROM debts WHERE tenant = $1 AND borrower_id = $2
 ORDER BY outstanding_minor = 0, due_date, loan_id, installment_number

-- debts_of_loans
-- One installment a loan: what the facts say of a debt is the same for all of them but the balance.
SELECT DISTINCT ON (d.tenant, d.loan_id) d.tenant, d.loan_id, d.product, d.role,
       d.account, d.creditor, d.time_barred, d.in_procedures, d.missed_meetings
  FROM debts d JOIN unnest($1::text[], $2::text[]) AS wanted (tenant, loan_id)
              USING (tenant, loan_id)
 ORDER BY d.tenant, d.loan_id, d.installment_number
