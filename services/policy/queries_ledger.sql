-- Statements on the contact ledger, its locks, permits and receipts.

-- make_subjects
-- In key order, so that two makers of the same rows wait for each other in one direction only.
INSERT INTO subjects (key) SELECT unnest($1::text[]) ON CONFLICT (key) DO NOTHING

-- lock_subjects
-- How many there are, and the isolation level: what is counted after this must not be read from
-- before it.
WITH locked AS MATERIALIZED (
    SELECT key FROM subjects WHERE key = ANY ($1::text[]) ORDER BY key FOR NO KEY UPDATE
)
SELECT count(*) AS locked, current_setting('transaction_isolation') AS isolation FROM locked

-- clocks
-- Business time and real time; asked after the locks, because waiting for them takes time.
SELECT policy.gate_now() AS gate_now, clock_timestamp() AS real_now

-- contacts_of
-- Every entry once: those of the borrowers asked for, then what others were sent at the same
-- (shared) contact points.  Inbound entries are kept once a borrower already.  Ids only of those
-- that have to be told from the rest.  A clearance's reservation counts until it ends.
-- Before the time in which rules count, of the borrowers' entries that rules can't tell apart the
-- latest; one by one those with other people, which are counted, and those that may be answered.
-- A borrower at a time, so that each is a small hash: sorting all of them together spilled to disk.
SELECT tenant, borrower_id,
       CASE WHEN direction = 'inbound' OR contact_id = ANY ($4::uuid[]) THEN contact_id END AS named,
       contact_point_id, channel, direction, at, outcome, loan_id, account, creditor, purpose, more
  FROM contacts WHERE borrower_id = ANY ($1::uuid[]) AND at > $3 AND outcome <> 'cancelled'
   AND (expires_at IS NULL OR expires_at > $5)
 UNION ALL
SELECT tenant, borrower_id,
       CASE WHEN direction = 'inbound' OR contact_id = ANY ($4::uuid[]) THEN contact_id END AS named,
       contact_point_id, channel, direction, at, outcome, loan_id, account, creditor, purpose, more
  FROM contacts WHERE contact_point_id = ANY ($2::text[]) AND at > $3 AND outcome <> 'cancelled'
   AND direction = 'outbound' AND borrower_id <> ALL ($1::uuid[])
   AND (expires_at IS NULL OR expires_at > $5)
 UNION ALL
SELECT older.* FROM unnest($1::uuid[]) AS whose (id) CROSS JOIN LATERAL (
    SELECT tenant, borrower_id,
           CASE WHEN contact_id = ANY ($4::uuid[]) OR more ?| '{person,requests_contact}'
                THEN contact_id END AS named,
           contact_point_id, channel, direction, max(at), outcome, loan_id, account, creditor,
           purpose, more
      FROM contacts WHERE borrower_id = whose.id AND at <= $3 AND outcome <> 'cancelled'
       AND (expires_at IS NULL OR expires_at > $5)
     GROUP BY tenant, borrower_id, named, contact_point_id, channel, direction, outcome, loan_id,
              account, creditor, purpose, more
) AS older

-- release
-- Finished attempts of the same reminder give their place back; what was sent keeps it.
UPDATE contacts c SET outcome = 'cancelled'
  FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS r (tenant, contact_id, reminder_id)
 WHERE c.tenant = r.tenant AND c.contact_id = r.contact_id AND c.reminder_id = r.reminder_id
   AND c.outcome = 'reserved'

-- bookings
-- Bookings these attempts already have, from an earlier asking, and which asking that was.  One
-- that is given back and has receipts has ended by the notifier's word, not only by ours.
SELECT c.tenant, c.contact_id, c.outcome, p.epoch,
       c.outcome = 'cancelled' AND c.receipts IS NOT NULL AS ended
  FROM contacts c
  LEFT JOIN permits p ON p.attempt_id = c.contact_id AND p.tenant = c.tenant
 WHERE c.contact_id = ANY ($1::uuid[])

-- book
-- A repeat moves its own booking to now; what has left already is never moved back, and what ended
-- since it was looked at stays ended.
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, at, outcome,
                      booked_at, loan_id, account, creditor, purpose, reminder_id, more)
SELECT b.tenant, b.contact_id, b.borrower_id, b.contact_point_id, b.channel, $12, 'reserved',
       $13, b.loan_id, b.account, b.creditor, b.purpose, b.reminder_id,
       CASE WHEN b.place <> 'personal' THEN jsonb_build_object('place', b.place) END
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::uuid[], $11::text[])
    AS b (tenant, contact_id, borrower_id, contact_point_id, channel, loan_id, account, creditor,
          purpose, reminder_id, place)
    ON CONFLICT (contact_id, tenant) DO UPDATE
   SET at = excluded.at, outcome = 'reserved', booked_at = excluded.booked_at
 WHERE contacts.outcome = 'reserved'
    OR (contacts.outcome = 'cancelled' AND contacts.receipts IS NULL)

-- cancel_bookings
UPDATE contacts c SET outcome = 'cancelled'
  FROM unnest($1::text[], $2::uuid[]) AS r (tenant, contact_id)
 WHERE c.tenant = r.tenant AND c.contact_id = r.contact_id AND c.outcome = 'reserved'

-- receive_nothing_sent
-- Receipts that say that nothing left: the booking is given back, if it wasn't yet.  Where there is
-- none its redeem may still be under way: the end is entered where one could be ($9), and nothing is
-- booked on it any more.
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, at, outcome,
                      booked_at, reminder_id, receipts)
SELECT r.tenant, r.contact_id, r.borrower_id, r.contact_point_id, r.channel, r.at, 'cancelled',
       clock_timestamp(), r.reminder_id, r.receipts::jsonb
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[],
              $7::uuid[], $8::text[], $9::boolean[])
    AS r (tenant, contact_id, borrower_id, contact_point_id, channel, at, reminder_id, receipts,
          entered)
 WHERE r.entered
    OR EXISTS (SELECT FROM contacts c WHERE c.contact_id = r.contact_id AND c.tenant = r.tenant)
    ON CONFLICT (contact_id, tenant) DO UPDATE
   SET outcome = CASE WHEN contacts.outcome = 'reserved' THEN 'cancelled'
                      ELSE contacts.outcome END,
       receipts = coalesce(contacts.receipts, '[]') || excluded.receipts
 WHERE contacts.outcome = 'reserved' OR (contacts.receipts @> excluded.receipts) IS NOT TRUE

-- permit
INSERT INTO permits (tenant, attempt_id, permit_id, reminder_id, emission, decision_id, rule_set,
                     issued_at, send_by, gate_now, allowed_until, epoch)
SELECT p.tenant, p.attempt_id, p.permit_id, p.reminder_id, p.emission, p.decision_id, p.rule_set,
       $11, p.send_by, $12, p.allowed_until, p.epoch
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::text[],
              $8::timestamptz[], $9::timestamptz[], $10::int[])
    AS p (tenant, attempt_id, permit_id, reminder_id, emission, decision_id, rule_set, send_by,
          allowed_until, epoch)
    ON CONFLICT (attempt_id, tenant) DO UPDATE
   SET decision_id = excluded.decision_id, rule_set = excluded.rule_set, epoch = excluded.epoch,
       issued_at = excluded.issued_at, send_by = excluded.send_by,
       gate_now = excluded.gate_now, allowed_until = excluded.allowed_until

-- receive
-- Receipts move an outcome only upward (the ranks are in receipts.py); a contact we have no
-- booking of, but a provider has taken, is entered.  Each receipt is noted, whatever its rank.
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, at, outcome,
                      booked_at, reminder_id, receipts)
SELECT r.tenant, r.contact_id, r.borrower_id, r.contact_point_id, r.channel, r.at, r.outcome,
       clock_timestamp(), r.reminder_id, r.receipts::jsonb
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[],
              $7::text[], $8::uuid[], $10::text[])
    AS r (tenant, contact_id, borrower_id, contact_point_id, channel, at, outcome, reminder_id,
          receipts)
    ON CONFLICT (contact_id, tenant) DO UPDATE
   SET outcome = CASE WHEN array_position($9::text[], contacts.outcome)
                           < array_position($9::text[], excluded.outcome)
                      THEN excluded.outcome ELSE contacts.outcome END,
       receipts = coalesce(contacts.receipts, '[]') || excluded.receipts
 WHERE array_position($9::text[], contacts.outcome) < array_position($9::text[], excluded.outcome)
    OR (contacts.receipts @> excluded.receipts) IS NOT TRUE

-- reply
INSERT INTO contacts (tenant, contact_id, borrower_id, contact_point_id, channel, direction, at,
                      outcome, booked_at)
SELECT r.tenant, r.contact_id, r.borrower_id, r.contact_point_id, r.channel, 'inbound',
       least(r.at, policy.gate_now()), 'message', clock_timestamp()
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
    AS r (tenant, contact_id, borrower_id, contact_point_id, channel, at)
    ON CONFLICT (contact_id, tenant) DO NOTHING

-- open_bookings
-- Messages that nobody has told the outcome of; they go on counting.
SELECT count(*) FROM contacts
 WHERE outcome = 'reserved' AND clearance_id IS NULL
   AND booked_at < clock_timestamp() - interval '10 minutes'
