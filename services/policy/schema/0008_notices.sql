-- Formal notices that were sent and duties that have arisen, as their owners tell of them.

CREATE TABLE notices (
    tenant      text NOT NULL,
    notice_id   uuid NOT NULL,
    borrower_id uuid NOT NULL,
    kind        text NOT NULL,
    sent_at     timestamptz NOT NULL,
    returned_at timestamptz,
    period_ends date,           -- the last day of the period that it opens
    loan_ids    text[] NOT NULL,  -- scope; empty: not limited
    source      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (notice_id, tenant)
);
CREATE INDEX notices_borrower ON notices (borrower_id, tenant);

CREATE TABLE duties (
    tenant      text NOT NULL,
    duty_id     uuid NOT NULL,
    borrower_id uuid NOT NULL,
    kind        text NOT NULL,
    since       timestamptz,
    since_date  date,           -- where only the day is known
    done_at     timestamptz,
    loan_ids    text[] NOT NULL,
    source      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (duty_id, tenant),
    CONSTRAINT duties_begin_once CHECK ((since IS NULL) <> (since_date IS NULL))
);
CREATE INDEX duties_borrower ON duties (borrower_id, tenant);
