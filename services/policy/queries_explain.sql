-- Statements that read the past of one decision or one borrower, for people.

-- decision
-- Without a tenant: for who may read the whole database.  With what became of the contact that a
-- redeem permitted: of a clearance, what was reported stands beside the booking and is the later word.
SELECT d.tenant, d.decision_id, d.decided_at, d.checkpoint, d.reminder_id, d.emission,
       d.attempt_id, d.borrower_id, d.loan_id, d.installment_number, d.verdict, d.until, d.code,
       d.rule, d.rule_set, encode(d.facts_hash, 'hex') AS facts_hash, d.answers::text AS answers,
       d.repeats, d.last_at, d.place, f.facts::text AS facts, s.packs::text AS packs,
       b.outcome AS contact_outcome, b.receipts::text AS contact_receipts,
       q.question ->> 'recipient' AS recipient
  FROM decisions d
  LEFT JOIN decision_facts f ON f.tenant = d.tenant AND f.facts_hash = d.facts_hash
  LEFT JOIN rule_sets s ON s.tenant = d.tenant AND s.version = d.rule_set
  LEFT JOIN clearances q
         ON d.emission = 0 AND q.tenant = d.tenant AND q.clearance_id = d.reminder_id
  LEFT JOIN LATERAL (
       SELECT c.outcome, c.receipts FROM contacts c
        WHERE d.checkpoint = 'redeem' AND c.borrower_id = d.borrower_id AND c.tenant = d.tenant
          AND (c.contact_id = d.attempt_id OR c.clearance_id = q.clearance_id)
        ORDER BY c.contact_id = d.attempt_id, c.at DESC LIMIT 1) AS b ON true
 WHERE d.decision_id = $2 AND ($1::text IS NULL OR d.tenant = $1)

-- decisions_of_reminder
SELECT d.tenant, d.decision_id, d.decided_at, d.checkpoint, d.reminder_id, d.emission,
       d.attempt_id, d.borrower_id, d.loan_id, d.installment_number, d.verdict, d.until, d.code,
       d.rule, d.rule_set, encode(d.facts_hash, 'hex') AS facts_hash, d.answers::text AS answers,
       d.repeats, d.last_at, d.place
  FROM decisions d WHERE d.reminder_id = $2 AND ($1::text IS NULL OR d.tenant = $1)
 ORDER BY d.decided_at, d.emission, d.checkpoint LIMIT $3

-- pack_texts
SELECT pack, version, text
  FROM pack_texts JOIN unnest($2::text[], $3::text[]) AS wanted (pack, version)
                 USING (pack, version)
 WHERE tenant = $1

-- timeline
-- What is known of a borrower, oldest first, from ($3, $4, $5) on, that excluded.  A decision is
-- found through its reminder or its clearance; a receipt through its contact, once though it was told
-- twice.  Ids are unique, for a page to end anywhere; of one instant, receipts are in the order heard.
WITH points AS (
    SELECT contact_point_id FROM contact_points WHERE borrower_id = $2 AND tenant = $1
), asked AS (
    SELECT reminder_id FROM reminders WHERE borrower_id = $2 AND tenant = $1
     UNION ALL
    SELECT clearance_id FROM clearances WHERE borrower_id = $2 AND tenant = $1
), stopped AS (
    SELECT s.* FROM stops s WHERE s.borrower_id = $2 AND s.tenant = $1
     UNION
    SELECT s.* FROM stops s JOIN stop_points p ON p.tenant = s.tenant AND p.stop_id = s.stop_id
     WHERE p.tenant = $1 AND p.contact_point_id IN (SELECT contact_point_id FROM points)
), items AS (
    SELECT d.decided_at AS at, 'decision' AS kind, d.decision_id AS id,
           json_build_object('checkpoint', d.checkpoint, 'reminder_id', d.reminder_id,
               'attempt_id', d.attempt_id, 'loan_id', d.loan_id,
               'installment_number', d.installment_number, 'verdict', d.verdict,
               'until', d.until, 'code', d.code, 'rule', d.rule, 'rule_set', d.rule_set,
               'repeats', d.repeats) AS said
      FROM decisions d JOIN asked USING (reminder_id)
     WHERE d.tenant = $1 AND d.borrower_id = $2
     UNION ALL
    SELECT c.at, 'contact', c.contact_id,
           json_build_object('channel', c.channel, 'direction', c.direction,
               'outcome', c.outcome, 'contact_point_id', c.contact_point_id,
               'loan_id', c.loan_id, 'purpose', c.purpose, 'reminder_id', c.reminder_id)
      FROM contacts c WHERE c.borrower_id = $2 AND c.tenant = $1
     UNION ALL
    SELECT (r.told ->> 'at')::timestamptz, 'receipt',
           (lpad(to_hex(r.number % 256), 2, '0') || substr(md5(c.contact_id::text || r.told), 3))::uuid,
           json_build_object('attempt_id', c.contact_id, 'reminder_id', c.reminder_id,
               'channel', c.channel, 'state', r.told ->> 'state', 'code', r.told ->> 'code',
               'outcome', r.told ->> 'outcome', 'reason', r.told ->> 'reason')
      FROM contacts c
     CROSS JOIN LATERAL (
           SELECT told, min(n) AS number
             FROM jsonb_array_elements(c.receipts) WITH ORDINALITY AS t (told, n)
            GROUP BY told) AS r
     WHERE c.borrower_id = $2 AND c.tenant = $1 AND c.receipts IS NOT NULL
     UNION ALL
    -- A payment as it is known here: something less is owed; its reversal, or a new amount: more.
    SELECT m.at, 'debt', m.move_id,
           json_build_object('loan_id', m.loan_id, 'installment_number', m.installment_number,
               'before_minor', m.before_minor, 'outstanding_minor', m.outstanding_minor,
               'currency', m.currency, 'settled', m.outstanding_minor = 0)
      FROM debt_moves m WHERE m.borrower_id = $2 AND m.tenant = $1
     UNION ALL
    SELECT s.received_at, 'stop', s.stop_id,
           json_build_object('stop', s.kind, 'form', s.form, 'channels', s.channels,
               'contact_point_ids', s.contact_point_ids, 'loan_ids', s.loan_ids,
               'from_date', s.from_date, 'until_date', s.until_date, 'source', s.source,
               'evidence', s.evidence, 'may_lift', s.may_lift)
      FROM stopped s
     UNION ALL
    -- Ended on the first word that may end it.
    (SELECT DISTINCT ON (e.stop_id) e.ended_at, 'stop_lifted', e.stop_id,
            json_build_object('stop', s.kind, 'lifted_by', e.lifted_by,
                'on_word_of', e.on_word_of, 'evidence', e.evidence)
       FROM stop_ends e JOIN stopped s USING (tenant, stop_id)
      WHERE e.on_word_of = ANY (s.may_lift)
      ORDER BY e.stop_id, e.ended_at)
     UNION ALL
    SELECT c.received_at, 'consent', c.consent_id,
           json_build_object('to', c.kind, 'given_to', c.given_to, 'form', c.form,
               'channels', c.channels, 'until_date', c.until_date, 'source', c.source)
      FROM consents c WHERE c.borrower_id = $2 AND c.tenant = $1
     UNION ALL
    SELECT e.revoked_at, 'consent_revoked', e.consent_id, json_build_object('to', c.kind)
      FROM consent_ends e JOIN consents c USING (tenant, consent_id)
     WHERE c.borrower_id = $2 AND c.tenant = $1
     UNION ALL
    SELECT coalesce(p.received_at, p.recorded_at), 'preference', p.preference_id,
           json_build_object('preference', p.kind, 'from_clock', p.from_clock,
               'to_clock', p.to_clock, 'days', p.days, 'zone', p.zone,
               'withdrawn_at', p.withdrawn_at)
      FROM preferences p WHERE p.borrower_id = $2 AND p.tenant = $1
     UNION ALL
    SELECT n.sent_at, 'notice', n.notice_id,
           json_build_object('notice', n.kind, 'loan_ids', n.loan_ids,
               'period_ends', n.period_ends, 'source', n.source)
      FROM notices n WHERE n.borrower_id = $2 AND n.tenant = $1
     UNION ALL
    SELECT n.returned_at, 'notice_returned', n.notice_id, json_build_object('notice', n.kind)
      FROM notices n
     WHERE n.borrower_id = $2 AND n.tenant = $1 AND n.returned_at IS NOT NULL
     UNION ALL
    SELECT coalesce(d.since, d.recorded_at), 'duty', d.duty_id,
           json_build_object('duty', d.kind, 'loan_ids', d.loan_ids,
               'since_date', d.since_date, 'source', d.source)
      FROM duties d WHERE d.borrower_id = $2 AND d.tenant = $1
     UNION ALL
    SELECT d.done_at, 'duty_done', d.duty_id, json_build_object('duty', d.kind)
      FROM duties d WHERE d.borrower_id = $2 AND d.tenant = $1 AND d.done_at IS NOT NULL
     UNION ALL
    -- What a payment took away has the reason `paid`.
    SELECT x.cancelled_at, 'cancelled', x.reminder_id, json_build_object('reason', x.reason)
      FROM cancelled x JOIN asked USING (reminder_id) WHERE x.tenant = $1
)
SELECT at, kind, id, said::text AS said FROM items
 WHERE at >= $6 AND at < $7
   AND ($3::timestamptz IS NULL OR (at, kind, id) > ($3, $4::text, $5::uuid))
 ORDER BY at, kind, id LIMIT $8

-- stops_of_borrower
-- The borrower's own and those on contact points they have; each with the end that counts.
SELECT s.stop_id, s.kind, s.received_at, s.form, s.from_date, s.until_date, s.loan_ids, s.channels,
       s.contact_point_ids, s.purposes, s.source, s.evidence AS evidence_of_stop, s.may_lift,
       e.ended_at, e.lifted_by, e.on_word_of, e.evidence
  FROM (SELECT * FROM stops WHERE borrower_id = $2 AND tenant = $1
         UNION
        SELECT s.* FROM stops s
          JOIN stop_points p ON p.tenant = s.tenant AND p.stop_id = s.stop_id
          JOIN contact_points c ON c.tenant = p.tenant AND c.contact_point_id = p.contact_point_id
         WHERE c.borrower_id = $2 AND c.tenant = $1) AS s
  LEFT JOIN LATERAL (
       SELECT * FROM stop_ends e
        WHERE e.stop_id = s.stop_id AND e.tenant = s.tenant AND e.on_word_of = ANY (s.may_lift)
        ORDER BY e.ended_at LIMIT 1) AS e ON true
 ORDER BY s.received_at, s.stop_id

-- borrower_known
SELECT EXISTS (SELECT 1 FROM borrowers WHERE borrower_id = $2 AND tenant = $1)
    OR EXISTS (SELECT 1 FROM contact_points WHERE borrower_id = $2 AND tenant = $1)

-- stop_ended
-- The end that counts: the first on a word that may end it.
SELECT e.ended_at, e.lifted_by, e.on_word_of
  FROM stop_ends e JOIN stops s USING (tenant, stop_id)
 WHERE e.tenant = $1 AND e.stop_id = $2 AND e.on_word_of = ANY (s.may_lift)
 ORDER BY e.ended_at LIMIT 1
